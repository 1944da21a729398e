"""One run, from its configuration to its result: done once, gone on with after a stop."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescmr.atomic import whole_file, whole_folder
from bayescmr.errors import ProbeError
from bayescmr.probes.bases import MOMENTS, write_facts
from bayescmr.probes.checkpoint import delete_checkpoints
from bayescmr.probes.config import BaseConfig, Config, Execution, ProbeConfig, steps_of, to_dict
from bayescmr.probes.jobs import MAX_REPETITIONS, Plan, plan
from bayescmr.probes.record import CONFIG, RESULT, SCHEMA, read_json, write_json

if TYPE_CHECKING:
    from bayescmr.probes.parallel import Parallel
    from bayescmr.probes.trainer import Job, Outcome


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Parameters
    ----------
    folder : Path
        Its files.
    run : str
        Name: 12 digits of the SHA-256 of what decides the result.
    status : {"done", "diverged", "stopped", "reached"}
        ``stopped``: the same call goes on where it stopped. ``reached``: saved after as many
        tokens as were asked for; a call with more goes on.
    data : dict
        Content of ``result.json``; empty where the run can go on.
    """

    folder: Path
    run: str
    status: str
    data: dict[str, Any]


def run(
    config: Config,
    out: str | Path,
    execution: Execution | None = None,
    *,
    watch: Callable[[int, float, float], None] | None = None,
    measured: Callable[[list[dict[str, Any]]], None] | None = None,
) -> Result:
    """Make one training run, go on with one that was stopped, or return the result that is there.

    Parameters
    ----------
    config : BaseConfig or ProbeConfig
        What to train. A base is written to ``out`` itself, a probe to the folder in it that
        has the name of the run.
    out : str or Path
        Folder; it is made.
    execution : Execution, optional
        Device, processes, saves.
    watch : callable, optional
        Called with step, training loss (nats/token) and learning rate at every line of the log.
    measured : callable, optional
        Called in the first process with all measurements so far (fields of `Measurement`), at
        the start and after every evaluation, once the state is saved: they do not change any more.

    Returns
    -------
    Result
        Status ``done``, ``diverged``, ``stopped`` by SIGTERM or SIGINT, or ``reached``.

    Raises
    ------
    ProbeError, CorpusError
        It cannot start or go on; nothing half-written is left.
    """
    execution = execution or Execution()
    planned = plan(config)
    folder = Path(out)
    if isinstance(planned.config, ProbeConfig):
        folder = folder / planned.run
    folder.mkdir(parents=True, exist_ok=True)
    from bayescmr.probes.parallel import Parallel

    parallel = Parallel.from_environment(device=execution.device, strategy=execution.strategy)
    try:
        with _alone(folder, parallel.is_main):
            _same_run(folder, planned)
            parallel.barrier()
            if (folder / RESULT).exists():
                data = read_json(folder / RESULT)
                if measured is not None and parallel.is_main:
                    measured(data["measurements"])
                return Result(folder, planned.run, str(data["status"]), data)
            if parallel.is_main:
                write_json(
                    folder / CONFIG, {"run": planned.run, "config": to_dict(planned.config),
                                      "identity": planned.identity},
                )  # fmt: skip
            from bayescmr.probes.trainer import train

            job = planned.job()
            outcome = train(job, folder, execution, parallel, watch, measured)
            if outcome.status in ("stopped", "reached"):
                return Result(folder, planned.run, outcome.status, {})
            data = _report(planned, job, outcome, parallel)
            if parallel.is_main:
                if isinstance(planned.config, BaseConfig) and outcome.status == "done":
                    _write_base(folder, planned, job, outcome)
                elif execution.save_model:
                    # There, if the process ended between model and result.
                    shutil.rmtree(folder / "model", ignore_errors=True)
                    with whole_folder(folder / "model") as partial:
                        _write_model(partial, job, outcome)
                write_json(folder / RESULT, data)
                delete_checkpoints(folder)
                if measured is not None:
                    measured(data["measurements"])
            parallel.barrier()
            return Result(folder, planned.run, outcome.status, read_json(folder / RESULT))
    finally:
        parallel.close()


def _same_run(folder: Path, planned: Plan) -> None:
    path = folder / CONFIG
    if path.exists():
        found = read_json(path).get("run")
        if found != planned.run:
            raise ProbeError(
                f"{folder}: holds another run ({found}, this is {planned.run}); choose another"
                " folder, or give the settings that it was begun with"
            )


@contextmanager
def _alone(folder: Path, is_main: bool) -> Iterator[None]:
    """Keep a second process of the same run out."""
    if not is_main:
        yield
        return
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ProbeError(f"{folder}: another process is making this run; wait for it") from None
        yield


def _report(planned: Plan, job: Job, outcome: Outcome, where: Parallel) -> dict[str, Any]:
    config, progress = planned.config, outcome.progress
    training, model = config.training, job.model
    tokens = progress.step * training.tokens_per_step
    uses = [
        {**asdict(use), "repetitions": use.repetitions}
        for use in job.mixture.account(progress.step)
    ]
    per_token = model.flops_per_token(training.context)
    evaluations = len({row["tokens"] for row in progress.measurements})
    evaluated = sum(one.tokens[:, 1:].size for one in job.sets)
    speed = tokens / progress.training_seconds if progress.training_seconds else None
    return {
        "schema": SCHEMA,
        "run": planned.run,
        "status": outcome.status,
        "config": to_dict(config),
        "identity": planned.identity,
        "size": model.non_embedding,
        "base": None if planned.base is None else {
            "name": planned.base.name,
            "fingerprint": planned.base.fingerprint,
            "last_learning_rate": planned.base.last_learning_rate,
        },
        "optimizer_state": "kept" if job.state else "fresh",
        "steps": progress.step,
        "steps_planned": steps_of(config),
        "tokens": tokens,
        "measurements": progress.measurements,
        "domain_share": job.mixture.domain_share(progress.step),
        "corpora": uses,
        "notes": notes(planned, uses),
        "flops": {
            "training_per_token": per_token,
            "training": per_token * tokens,
            # A forward pass is a third of forward and backward.
            "evaluation": per_token / 3 * evaluated * evaluations,
        },
        "seconds": {
            "training": progress.training_seconds,
            "evaluation": progress.evaluation_seconds,
            "cpu": progress.cpu_seconds,
        },
        "sittings": progress.sittings,
        "processes": where.world,
        "tokens_per_second": speed,
        **_utilisation(per_token, speed, job, where),
        **outcome.surroundings,
    }  # fmt: skip


def _utilisation(per_token: float, speed: float | None, job: Job, where: Parallel) -> Any:
    from bayescmr.probes.peak import matmul_peak
    from bayescmr.probes.precision import forward_dtype

    dtype = forward_dtype(job.config.training.precision, where.device)
    peak = matmul_peak(where.device, dtype) * where.world
    return {
        "matmul_peak_flops": peak,
        "model_flop_utilisation": None if speed is None else per_token * speed / peak,
    }


def notes(planned: Plan, uses: list[dict[str, Any]]) -> list[str]:
    """Say what a reader of the result should know."""
    said = []
    for use in uses:
        if use["role"] == "domain" and use["repetitions"] > MAX_REPETITIONS:
            said.append(
                f"corpus {use['corpus']!r} was repeated {use['repetitions']:.1f} times, more than"
                f" {MAX_REPETITIONS}: its domain loss is that of scarce data"
            )
    base, training = planned.base, planned.config.training
    if base is not None and base.facts is not None:
        for source in planned.sources:
            used = base.part_used(source.corpus.fingerprint)
            # Parts are of sequences, so those of another length are other text.
            same = base.facts["context"] == training.context
            if used and (not same or max(used[0], source.part[0]) < min(used[1], source.part[1])):
                said.append(
                    f"the base was trained on text of corpus {source.corpus.name!r} that this run"
                    " sees again" + ("" if same else f": its context was {base.facts['context']}")
                )
    if base is not None and base.last_learning_rate is not None:
        ours, theirs = training.learning_rate, base.last_learning_rate
        if abs(ours / theirs - 1) > 0.01 if theirs else True:
            word = "below" if ours < theirs else "above"
            said.append(
                f"the learning rate {ours:g} is {word} {theirs:g}, at which the base ended: the"
                " change of rate moves the losses by itself, and the CMR with them"
            )
    return said


def _write_base(folder: Path, planned: Plan, job: Job, outcome: Outcome) -> None:
    from safetensors.torch import save_file

    _write_model(folder, job, outcome)
    with whole_file(folder / MOMENTS) as partial:
        moments = {n: t for n, t in outcome.tensors.items() if n.startswith("optimizer.")}
        save_file(moments, partial)
    training = planned.config.training
    write_facts(
        folder,
        {
            "schema": SCHEMA,
            "run": planned.run,
            "tokens": outcome.progress.step * training.tokens_per_step,
            "last_learning_rate": training.last_learning_rate,
            "context": training.context,
            "tokenizer": planned.sources[0].corpus.tokenizer_fingerprint,
            "corpora": [
                {
                    "name": source.corpus.name,
                    "fingerprint": source.corpus.fingerprint,
                    "part": list(source.part),
                }
                for source in planned.sources
            ],
        },
    )


def _write_model(folder: Path, job: Job, outcome: Outcome) -> None:
    prefix = "model."
    weights = {
        name.removeprefix(prefix): tensor
        for name, tensor in outcome.tensors.items()
        if name.startswith(prefix)
    }
    job.model.save(folder, weights)
