"""The training loop: steps, measurements, saves, stops."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError

from bayescmr.errors import ProbeError
from bayescmr.probes.checkpoint import load_checkpoint, save_checkpoint
from bayescmr.probes.config import Config, Execution, evaluation_steps, steps_of
from bayescmr.probes.evaluation import EvalSet, measure, summarise
from bayescmr.probes.interface import LanguageModel
from bayescmr.probes.losses import training_loss
from bayescmr.probes.memory import keep_freed_memory
from bayescmr.probes.mixture import Batch, Mixture
from bayescmr.probes.optimizer import new_optimizer, set_learning_rate
from bayescmr.probes.parallel import Parallel
from bayescmr.probes.precision import autocast, forward_dtype
from bayescmr.probes.record import LOG, Log, surroundings
from bayescmr.probes.schedule import learning_rate

Status = Literal["done", "diverged", "stopped", "reached"]

#: A run has diverged where the mean training loss between two lines of the log is more than so
#: many times that of guessing, or that of its own first step if that was worse.
DIVERGED = 2.0


@dataclass(frozen=True)
class Job:
    """Everything a training run needs.

    Parameters
    ----------
    config : BaseConfig or ProbeConfig
        Settings.
    model : LanguageModel
        Weights to train, on the CPU.
    reference : LanguageModel or None
        Frozen base that ``kl`` and ``ce+kl`` compare with.
    state : dict of str to Tensor
        Weights and moments to start from, as `Parallel.full_state` returns them; empty for
        the weights of ``model`` and no moments.
    mixture : Mixture
        Training sequences.
    sets : tuple of EvalSet
        Validation sets.
    """

    config: Config
    model: LanguageModel
    reference: LanguageModel | None
    state: dict[str, torch.Tensor]
    mixture: Mixture
    sets: tuple[EvalSet, ...]


@dataclass
class Progress:
    """How far a run has come: what a checkpoint keeps besides weights and moments.

    Parameters
    ----------
    step : int
        Steps made.
    measurements : list of dict
        Fields of `Measurement`.
    base_losses : dict of str to list of float
        Loss of every validation sequence at T = 0, nats/token.
    limit : float or None
        Training loss above which the run counts as diverged; None before the first line of the log.
    training_seconds, evaluation_seconds, cpu_seconds : float
        Spent, over all sittings.
    sittings : int
        How often the run was started.
    """

    step: int = 0
    measurements: list[dict[str, Any]] = field(default_factory=list)
    base_losses: dict[str, list[float]] = field(default_factory=dict)
    limit: float | None = None
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    cpu_seconds: float = 0.0
    sittings: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    status : {"done", "diverged", "stopped", "reached"}
        ``stopped``: a signal asked for it; ``reached``: trained for as many tokens as were asked
        for. Either way the run can go on from its checkpoint.
    progress : Progress
        How far it came.
    tensors : dict of str to Tensor
        State at the end as `Parallel.full_state` returns it; empty where the run can go on.
    surroundings : dict
        Versions and hardware of the last sitting.
    """

    status: Status
    progress: Progress
    tensors: dict[str, torch.Tensor]
    surroundings: dict[str, Any]


Watcher = Callable[[int, float, float], None]
#: Told of all measurements so far, whenever there are new ones.
Listener = Callable[[list[dict[str, Any]]], None]


def train(
    job: Job,
    folder: Path,
    execution: Execution,
    parallel: Parallel,
    watch: Watcher | None = None,
    measured: Listener | None = None,
) -> Outcome:
    """Train from the start, or from the checkpoint in ``folder``.

    Parameters
    ----------
    job : Job
        What to train.
    folder : Path
        For checkpoints and log.
    execution : Execution
        How to carry it out.
    parallel : Parallel
        Processes and device.
    watch : callable, optional
        Called with step, training loss and rate whenever a line is logged.
    measured : callable, optional
        Called in the first process with all measurements so far, at the start and after every
        evaluation but the last: the state is saved before, so that none is ever made anew.

    Returns
    -------
    Outcome
        Also where the run diverged or was told to stop.

    Raises
    ------
    ProbeError
        Memory or disk is exhausted, or the checkpoint is damaged.
    """
    if parallel.device.type == "cpu":
        keep_freed_memory()
    with _explained_memory(execution):
        return _Trainer(job, folder, execution, parallel, watch, measured).run()


class _Trainer:
    def __init__(
        self,
        job: Job,
        folder: Path,
        execution: Execution,
        parallel: Parallel,
        watch: Watcher | None,
        measured: Listener | None,
    ) -> None:
        self.job, self.folder, self.execution = job, folder, execution
        self.parallel, self.watch, self.measured = parallel, watch, measured
        self.training = job.config.training
        self.steps = steps_of(job.config)
        self.evaluate_after = frozenset(evaluation_steps(job.config))
        self.dtype = forward_dtype(self.training.precision, parallel.device)
        if self.training.sequences % parallel.world:
            raise ProbeError(
                f"sequences: got {self.training.sequences}, expected a multiple of the"
                f" {parallel.world} processes"
            )
        self.share = self.training.sequences // parallel.world
        self.micro = min(execution.micro_sequences or self.share, self.share)
        found = load_checkpoint(folder)
        self.progress = Progress(**found.state) if found else Progress()
        self.saved_step = self.progress.step if found else None
        self.progress.sittings += 1
        job.model.prepare_blocks(
            compiled=execution.compile, checkpointed=execution.checkpoint_activations
        )
        self.model = parallel.wrap(job.model)
        self.optimizer = new_optimizer(job.model, self.training)
        start = job.state if found is None else found.tensors
        if start:
            parallel.load_full_state(job.model, self.optimizer, start)
        self.reference = None if job.reference is None else job.reference.to(parallel.device)

    def run(self) -> Outcome:
        progress, parallel = self.progress, self.parallel
        self.about = surroundings(parallel.device)
        self.log = Log(self.folder / LOG, progress.step) if parallel.is_main else None
        self._tell("start", step=progress.step, sitting=progress.sittings, **self.about)
        self.started_cpu = time.process_time()
        self.window: list[torch.Tensor] = []
        self.saved_at = time.monotonic()
        status: Status = "done"
        try:
            with _stop_requests() as stop:
                if progress.step == 0 and not progress.measurements and not self._evaluate():
                    raise ProbeError(
                        "base: its loss is no number before any step; its weights are damaged, or"
                        " --precision float32 is needed"
                    )
                self._publish()
                while progress.step < self.steps:
                    if self._reached():
                        status = "reached"
                        break
                    self._step()
                    if self._due_log() and self._diverged():
                        status = "diverged"
                        break
                    if progress.step in self.evaluate_after:
                        if not self._evaluate():
                            status = "diverged"
                            break
                        self._publish()
                    if self._any(stop.is_set()):
                        status = "stopped"
                        self._save()
                        break
                    if self._any(self._due_save()):
                        self._save()
            self._count_cpu()
            self._tell("end", step=progress.step, status=status)
        finally:
            if self.log is not None:
                self.log.close()
        tensors = {}
        if status in ("done", "diverged"):
            tensors = parallel.full_state(self.job.model, self.optimizer)
        return Outcome(status, progress, tensors, self.about)

    def _step(self) -> None:
        began = time.monotonic()
        progress = self.progress
        rate = learning_rate(self.training, progress.step, self.steps)
        set_learning_rate(self.optimizer, rate)
        loss = self._gradients(self.job.mixture.batch(progress.step))
        self.norm = self.parallel.clip_gradients(self.job.model, self.training.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.window.append(loss)
        progress.step += 1
        self.rate = rate
        progress.training_seconds += time.monotonic() - began

    def _gradients(self, batch: Batch) -> torch.Tensor:
        """Add up the gradient of a batch's mean loss; return this process's part of the loss."""
        parallel, config = self.parallel, self.job.config
        rows = slice(parallel.rank, None, parallel.world)
        tokens = torch.from_numpy(np.ascontiguousarray(batch.tokens[rows])).to(parallel.device)
        is_domain = torch.from_numpy(batch.is_domain[rows]).to(parallel.device)
        total = torch.zeros((), device=parallel.device)
        for first in range(0, self.share, self.micro):
            some = slice(first, first + self.micro)
            inputs, targets = tokens[some, :-1], tokens[some, 1:]
            with parallel.no_sync(self.model, last=first + self.micro >= self.share):
                with autocast(self.dtype, parallel.device):
                    logits = self.model(inputs)
                    reference_logits = None
                    if self.reference is not None:
                        with torch.no_grad():
                            reference_logits = self.reference(inputs[~is_domain[some]])
                loss = (
                    training_loss(
                        logits,
                        targets,
                        is_domain[some],
                        mode=getattr(config, "loss_mode", "ce"),
                        beta=getattr(config, "beta", 1.0),
                        reference_logits=reference_logits,
                    ).sum()
                    / self.training.sequences
                )
                loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _due_log(self) -> bool:
        step = self.progress.step
        return step % self.execution.log_steps == 0 or step == self.steps

    def _diverged(self) -> bool:
        """Log the mean training loss since the last line; return whether it is beyond hope."""
        progress = self.progress
        # One transfer for all: on a GPU every .item() waits for the queue.
        losses = self.parallel.sum_over_ranks(torch.stack(self.window)).tolist()
        self.window.clear()
        loss = sum(losses) / len(losses)
        norm = float(self.norm)
        if progress.limit is None:
            progress.limit = DIVERGED * max(losses[0], math.log(self.job.model.vocab_size))
        self._tell(
            "step",
            step=progress.step,
            tokens=progress.step * self.training.tokens_per_step,
            loss=_number(loss),
            learning_rate=self.rate,
            gradient_norm=_number(norm),
            training_seconds=round(progress.training_seconds, 3),
        )
        if self.watch is not None:
            self.watch(progress.step, loss, self.rate)
        return not (math.isfinite(loss) and math.isfinite(norm) and loss <= progress.limit)

    def _evaluate(self) -> bool:
        """Measure the losses; return whether they are numbers."""
        began = time.monotonic()
        progress = self.progress
        losses = measure(
            self.job.model, self.job.sets, self.parallel, max(self.micro, 16), self.dtype
        )
        if not progress.measurements:
            progress.base_losses = {name: values.tolist() for name, values in losses.items()}
        base = {name: np.asarray(values) for name, values in progress.base_losses.items()}
        tokens = progress.step * self.training.tokens_per_step
        rows = [one.to_dict() for one in summarise(tokens, self.job.sets, losses, base)]
        good = all(row["loss"] is not None for row in rows)
        if good:
            progress.measurements += rows
        progress.evaluation_seconds += time.monotonic() - began
        for row in rows:
            self._tell("evaluation", step=progress.step, **row)
        return good

    def _reached(self) -> bool:
        """Return whether as many tokens as were asked for are trained, measured and saved."""
        until, step = self.execution.until_tokens, self.progress.step
        if until is None or step not in self.evaluate_after:
            return False
        if step * self.training.tokens_per_step < until:
            return False
        if self.saved_step != step:
            self._save()
        return True

    def _publish(self) -> None:
        """Tell of what is measured, once no kill can lead to other values of it."""
        # The end is told of by whoever writes the result: there is no save after the last step.
        if self.measured is None or self.progress.step >= self.steps:
            return
        if self.saved_step != self.progress.step:
            self._save()
        if self.parallel.is_main:
            self.measured(self.progress.measurements)

    def _any(self, here: bool) -> bool:
        """Return whether it holds in any process: all must save, or none."""
        if self.parallel.world == 1:
            return here
        there = torch.tensor(float(here), device=self.parallel.device)
        return bool(self.parallel.sum_over_ranks(there) > 0)

    def _due_save(self) -> bool:
        return time.monotonic() - self.saved_at > 60 * self.execution.save_minutes

    def _save(self) -> None:
        self._count_cpu()
        tensors = self.parallel.full_state(self.job.model, self.optimizer)
        if self.parallel.is_main:
            try:
                save_checkpoint(self.folder, self.progress.step, tensors, vars(self.progress))
            except (OSError, SafetensorError) as error:
                raise ProbeError(
                    f"{self.folder}: cannot save the state after step {self.progress.step}"
                    f" ({getattr(error, 'strerror', None) or error}); earlier saves are intact:"
                    " make room and run the same command again"
                ) from None
        self.parallel.barrier()
        self.saved_at = time.monotonic()
        self.saved_step = self.progress.step

    def _count_cpu(self) -> None:
        now = time.process_time()
        self.progress.cpu_seconds += now - self.started_cpu
        self.started_cpu = now

    def _tell(self, event: str, **values: Any) -> None:
        if self.log is not None:
            self.log.write(event, **values)


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Turn SIGTERM and SIGINT into an event for as long as the block lasts."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in signals]
    try:
        yield stop
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _explained_memory(execution: Execution) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        text = str(error)
        exhausted = isinstance(error, torch.OutOfMemoryError | MemoryError) or (
            "allocate memory" in text or "not enough memory" in text
        )
        if isinstance(error, ProbeError) or not exhausted:
            raise
        tried = execution.micro_sequences or "all"
        raise ProbeError(
            f"out of memory with {tried} sequences in a forward pass"
            f" ({text.splitlines()[0] if text else 'no details'}); lower --micro-sequences, add"
            " --checkpoint-activations, or use --strategy fsdp over more GPUs"
        ) from None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
