"""One process, DDP or FSDP2: what training says to either is the same."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from bayescmr.errors import ProbeError
from bayescmr.probes.interface import LanguageModel

Strategy = Literal["none", "ddp", "fsdp"]
DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Parallel:
    """One process among those that train one model.

    Gradients are **summed** over the processes, not averaged: a loss divided by the sequences of
    the global batch gives every strategy, and accumulation, the gradient of one large batch. Each
    process must go through equally many backward passes in a step.

    Attributes
    ----------
    rank : int
        Number of this process.
    world : int
        Number of processes.
    device : torch.device
        Where this process computes.
    strategy : {"none", "ddp", "fsdp"}
        One process; a copy of the model in each; or the model in shards (FSDP2).
    """

    rank: int
    world: int
    device: torch.device
    strategy: Strategy

    @classmethod
    def from_environment(cls, device: DeviceName = "auto", strategy: Strategy = "none") -> Parallel:
        """Join the processes that ``torchrun`` has started, or stay alone; once in a process.

        Parameters
        ----------
        device : {"auto", "cpu", "cuda"}
            ``auto`` takes a GPU where there is one.
        strategy : {"none", "ddp", "fsdp"}
            How the processes share the work.

        Raises
        ------
        ProbeError
            If device and strategy do not fit the machine and the way this process was started.
        """
        if strategy not in get_args(Strategy):
            raise ProbeError(
                f"strategy: got {strategy!r}, expected one of {', '.join(get_args(Strategy))}"
            )
        kind = _device_kind(device)
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if strategy == "none":
            if world > 1:
                raise ProbeError(
                    f"strategy: none, yet torchrun started {world} processes, which would all do"
                    " the same; expected ddp or fsdp"
                )
            return cls(0, 1, torch.device(kind), strategy)
        if "RANK" not in os.environ:
            raise ProbeError(
                f"strategy: {strategy} needs processes; start them with"
                " `torchrun --nproc-per-node 2 -m bayescmr probe ...`"
            )
        own = torch.device(kind)
        if kind == "cuda":
            own = _own_gpu()
            torch.cuda.set_device(own)
            dist.init_process_group("cpu:gloo,cuda:nccl", device_id=own)
        else:
            dist.init_process_group("gloo")
        return cls(dist.get_rank(), dist.get_world_size(), own, strategy)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and messages."""
        return self.rank == 0

    def wrap(self, model: LanguageModel) -> nn.Module:
        """Model on this device and joined with the other processes; call the result to train.

        Make the optimiser afterwards: FSDP2 replaces the parameters. All weights are float32;
        bfloat16 comes from autocast, so that the strategies compute the same.

        Parameters
        ----------
        model : LanguageModel
            The same weights in every process. It stays the model to evaluate and to save.
        """
        model.to(self.device)
        if self.strategy == "ddp":
            copies = DistributedDataParallel(
                model,
                device_ids=[self.device.index] if self.device.type == "cuda" else None,
                gradient_as_bucket_view=True,
            )
            copies.broadcast_buffers = False  # they are constants
            # A lambda: torch refuses annotations that are strings, as they are in this file.
            copies.register_comm_hook(None, lambda _, bucket: _summed(bucket))
            return copies
        if self.strategy == "fsdp":
            mesh = init_device_mesh(self.device.type, (self.world,))
            for module in (*model.blocks, model):
                sharded = fully_shard(module, mesh=mesh)
                # A sum: gloo knows no average, and losses are global means already.
                sharded.set_gradient_divide_factor(1.0)
                sharded.set_force_sum_reduction_for_comms(True)
        return model

    @contextmanager
    def no_sync(self, wrapped: nn.Module, *, last: bool) -> Iterator[None]:
        """Around forward and backward pass of one micro-batch: gradients travel after the last.

        Parameters
        ----------
        wrapped : Module
            What `wrap` returned.
        last : bool
            Whether the optimiser's step follows.
        """
        if isinstance(wrapped, FSDPModule):
            wrapped.set_requires_gradient_sync(last)
            wrapped.set_is_last_backward(last)
            yield
        elif isinstance(wrapped, DistributedDataParallel) and not last:
            with wrapped.no_sync():
                yield
        else:
            yield

    def clip_gradients(self, model: LanguageModel, limit: float) -> Tensor:
        """Scale all gradients so that their common norm is at most ``limit``.

        Returns
        -------
        Tensor
            The norm before, (); the same in every process.
        """
        return _full(nn.utils.clip_grad_norm_(model.parameters(), limit))

    def sum_over_ranks(self, value: Tensor) -> Tensor:
        """Sum of each process's ``value``, the same in every process."""
        total = value.detach().clone()
        if self.strategy != "none":
            dist.all_reduce(total)
        return total

    def full_weights(self, model: LanguageModel) -> dict[str, Tensor]:
        """Whole weights on the CPU, by name; every process must ask, only rank 0 gets them."""
        return self._gathered(dict(model.named_parameters()))

    def full_state(self, model: LanguageModel, optimizer: Optimizer) -> dict[str, Tensor]:
        """Weights and optimiser state, independent of strategy and number of processes.

        Every process must ask; only rank 0 gets them, the others an empty dictionary.

        Parameters
        ----------
        model : LanguageModel
            What was given to `wrap`.
        optimizer : Optimizer
            Its state must be tensors, as AdamW's is; its settings are not part of the state.

        Returns
        -------
        dict of str to Tensor
            Copies on the CPU: ``model.NAME`` and ``optimizer.NAME.KEY``.
        """
        tensors = {}
        for name, weight in model.named_parameters():
            tensors[f"model.{name}"] = cast("Tensor", weight)
            for key, value in optimizer.state.get(weight, {}).items():
                tensors[f"optimizer.{name}.{key}"] = value
        return self._gathered(tensors)

    def load_full_state(
        self, model: LanguageModel, optimizer: Optimizer, state: dict[str, Tensor]
    ) -> None:
        """Put back what `full_state` returned, in place.

        Parameters
        ----------
        model : LanguageModel
            What was given to `wrap`.
        optimizer : Optimizer
            Made for the same model.
        state : dict of str to Tensor
            The same in every process.

        Raises
        ------
        ProbeError
            If the state is of another model.
        """
        weights = dict(model.named_parameters())
        found: dict[str, Tensor] = {}
        moments: dict[str, dict[str, Tensor]] = {}
        for name, tensor in state.items():
            kind, _, rest = name.partition(".")
            owner, _, key = rest.rpartition(".")
            if kind == "model":
                found[rest] = tensor
            else:
                moments.setdefault(owner, {})[key] = tensor
        wrong = (weights.keys() ^ found.keys()) | (moments.keys() - weights.keys())
        wrong |= {n for n in weights.keys() & found if weights[n].shape != found[n].shape}
        if wrong:
            raise ProbeError(
                f"checkpoint: of another model; {len(wrong)} weights do not fit, the first is"
                f" {min(wrong)}"
            )
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(_like(weight, found[name]))
        names = {weight: name for name, weight in weights.items()}
        trained = [weight for group in optimizer.param_groups for weight in group["params"]]
        optimizer.load_state_dict(
            {
                "state": {
                    i: {
                        key: _like(weight, value) if value.shape == weight.shape else value
                        for key, value in moments[names[weight]].items()
                    }
                    for i, weight in enumerate(trained)
                    if names[weight] in moments
                },
                "param_groups": optimizer.state_dict()["param_groups"],
            }
        )

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.strategy != "none":
            dist.barrier()

    def close(self) -> None:
        """Leave the other processes."""
        if self.strategy != "none":
            # Sharded models are cycles that hold their group. One that is left to the end of the
            # interpreter takes the process with it, now and then, when all work is done.
            gc.collect()
            dist.destroy_process_group()
            gc.collect()

    def _gathered(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        whole = {}
        for name, tensor in tensors.items():  # one by one: rank 0 alone holds more than one
            full = _full(tensor.detach())
            if self.is_main:
                whole[name] = full.to("cpu", copy=True)
        return whole


def _device_kind(device: str) -> str:
    if device not in get_args(DeviceName):
        raise ProbeError(
            f"device: got {device!r}, expected one of {', '.join(get_args(DeviceName))}"
        )
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ProbeError(
            "device: cuda asked for, and torch sees none; `bayescmr probe doctor` says what it sees"
        )
    return "cuda" if has_gpu and device != "cpu" else "cpu"


def _own_gpu() -> torch.device:
    local, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= count:
        raise ProbeError(
            f"device: process {local} of this machine has no GPU of its own, torch sees {count};"
            " start at most that many with `torchrun --nproc-per-node`"
        )
    return torch.device("cuda", local)


def _summed(bucket: GradBucket) -> torch.futures.Future[Tensor]:
    future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    return future.then(lambda done: done.value()[0])


def _full(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _like(weight: Tensor, whole: Tensor) -> Tensor:
    """Part that this process holds of a whole tensor, laid out as ``weight``."""
    whole = whole.to(weight.device)
    if not isinstance(weight, DTensor):
        return whole
    # Every process holds the whole: nothing needs to travel.
    return distribute_tensor(whole, weight.device_mesh, weight.placements, src_data_rank=None)
