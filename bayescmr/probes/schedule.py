"""Learning rate of every step."""

from __future__ import annotations

import math

from bayescmr.probes.config import Training


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Return the learning rate of one step.

    Parameters
    ----------
    training : Training
        Schedule.
    step : int
        Step to be made, from 0.
    steps : int
        Steps of the whole run.

    Returns
    -------
    float
        Linear warm-up from 0 to the peak; then constant, a cosine to the final rate, or
        constant with a linear fall over the last ``decay_share`` of the steps (WSD: Hu et al.
        2024, arXiv 2404.06395, with a linear instead of an exponential fall).
    """
    peak, last = training.learning_rate, training.last_learning_rate
    warmup = -(-training.warmup_tokens // training.tokens_per_step)
    if step < warmup:
        return peak * (step + 1) / warmup
    if training.schedule == "constant":
        return peak
    start = warmup if training.schedule == "cosine" else steps - round(training.decay_share * steps)
    start = max(start, warmup)
    # The last step is made at the final rate.
    done = min(max((step + 1 - start) / max(steps - start, 1), 0.0), 1.0)
    if training.schedule == "cosine":
        return last + (peak - last) * 0.5 * (1 + math.cos(math.pi * done))
    return last + (peak - last) * (1 - done)


def describe(training: Training) -> str:
    """Return the schedule in words, for the run table."""
    words: list[str] = [training.schedule]
    if training.schedule != "constant":
        words.append(f"to {training.last_learning_rate:g}")
    if training.warmup_tokens:
        words.append(f"warm-up {training.warmup_tokens} tokens")
    return ", ".join(words)
