"""How fast each named size trains on a device: a few steps measured, the rest extrapolated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bayescmr.probes.config import Training
from bayescmr.probes.language_model import new_model
from bayescmr.probes.losses import sequence_losses
from bayescmr.probes.optimizer import new_optimizer
from bayescmr.probes.precision import autocast, forward_dtype
from bayescmr.probes.sizes import SIZES, Architecture, architecture

#: Tokens of a probe that is small, yet beyond the first transient of the loss.
PROBE_TOKENS = 524_288

_TRAINING = Training(learning_rate=1e-3)
# float32 weights, gradients and two moments of AdamW.
_BYTES_PER_PARAMETER = 16
_VOCAB_SIZE = 1024


@dataclass(frozen=True)
class Speed:
    """Training speed of a named size.

    Attributes
    ----------
    size : str
        Its name.
    non_embedding : int
        Parameters without embedding and output matrix.
    fits : bool
        Whether weights, gradients and optimiser state fit into the memory of the device.
    tokens_per_second : float or None
        None where it does not fit.
    probe_seconds : float or None
        Time of a probe of `PROBE_TOKENS` tokens, without its evaluations.
    measured : bool
        Whether steps were timed, or the speed of the largest size timed was carried over at equal
        operations per second. Larger sizes use a device better: a carried-over speed is a lower
        estimate.
    """

    size: str
    non_embedding: int
    fits: bool
    tokens_per_second: float | None
    probe_seconds: float | None
    measured: bool


def training_speeds(
    device: torch.device,
    memory_bytes: int | None,
    seconds: float = 8.0,
    sizes: Sequence[str] = SIZES,
) -> tuple[Speed, ...]:
    """Speeds of the named sizes with the default batch, 1,024 token ids and torch's threads.

    Parameters
    ----------
    device : torch.device
        Where.
    memory_bytes : int or None
        Memory of the device; None takes it as enough.
    seconds : float
        Sizes are timed from the smallest on, until this time is used up; at least one is.
    sizes : sequence of str
        Names, smallest first.
    """
    began: float | None = None  # after the first size, with which torch loads a good deal
    found: list[Speed] = []
    rate = 0.0  # operations per second of the largest size timed
    timing = True
    for size in sizes:
        shape = architecture(size, _VOCAB_SIZE)
        if memory_bytes is not None and _BYTES_PER_PARAMETER * shape.parameters > memory_bytes:
            found.append(Speed(size, shape.non_embedding, False, None, None, False))
            continue
        with torch.device("meta"):
            operations = new_model(shape, seed=0).flops_per_token(_TRAINING.context)
        tokens = _TRAINING.context * _TRAINING.sequences
        if began is not None:
            left = seconds - (time.monotonic() - began)
            # Two steps at least, and making the model takes about as long as one.
            timing = timing and 3 * operations * tokens / rate < left
        if timing:
            speed = _timed(shape, device, seconds / 16)
            rate = operations * speed
            began = time.monotonic() if began is None else began
        else:
            speed = rate / operations
        found.append(Speed(size, shape.non_embedding, True, speed, PROBE_TOKENS / speed, timing))
    return tuple(found)


def _timed(shape: Architecture, device: torch.device, seconds: float) -> float:
    """Tokens per second of the fastest step; the first step is not counted."""
    model = new_model(shape, seed=0).to(device)
    optimizer = new_optimizer(model, _TRAINING)
    dtype = forward_dtype(_TRAINING.precision, device)
    batch = (_TRAINING.sequences, _TRAINING.context + 1)
    tokens = torch.randint(shape.vocab_size, batch, device=device)

    def step() -> float:
        started = time.perf_counter()
        with autocast(dtype, device):
            logits = model(tokens[:, :-1])
        loss = sequence_losses(logits, tokens[:, 1:]).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), _TRAINING.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()  # waits for a GPU
        return time.perf_counter() - started

    step()
    times = [step()]
    while sum(times) < seconds:
        times.append(step())
    # The fastest: whatever else runs on the machine only adds.
    return _TRAINING.sequences * _TRAINING.context / min(times)
