"""Outlooks whose truth is known: linear-Gaussian worlds with exactly standard draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from bayescmr.design.outlook import Candidate, Outlook, Trajectory

GRID = np.linspace(0.0, 1.0, 41)


def standard(draws: int, parameters: int, seed: int = 0) -> np.ndarray:
    """Draws whose sample mean is 0 and sample covariance the identity, to rounding.

    Sample moments are then those of the population, so that formulas can be compared exactly.
    """
    raw = np.random.default_rng(seed).normal(size=(draws, parameters))
    q, _ = np.linalg.qr(raw - raw.mean(0))
    return q * np.sqrt(draws - 1)


def run_noise(k: int, run: float = 0.3, error: float = 0.4) -> np.ndarray:
    """Covariance of a run effect that all checkpoints share, and errors of their own."""
    return run**2 * np.ones((k, k)) + error**2 * np.eye(k)


def trajectory(
    mean: np.ndarray,
    noise: np.ndarray | None = None,
    cost: Sequence[float] | None = None,
    *,
    ratio: float = 0.5,
    seed: int = 0,
) -> Trajectory:
    """A trajectory with checkpoints at 1, 2, ... tokens."""
    k = mean.shape[1]
    checkpoints = tuple(float(t) for t in range(1, k + 1))
    candidate = Candidate(1e8, "law", ratio, seed, checkpoints)
    noise = run_noise(k) if noise is None else noise
    cost = 1e15 * np.arange(1.0, k + 1) if cost is None else np.asarray(cost, dtype=float)
    return Trajectory(candidate, mean, noise, cost)


def outlook_of(
    trajectories: Sequence[Trajectory], cmr: np.ndarray, *, pairs=(), pending=(), **more
) -> Outlook:
    """An outlook whose excess crosses zero at the CMR."""
    return Outlook(
        tuple(trajectories),
        cmr,
        cmr,
        GRID,
        GRID[None, :] - cmr[:, None],
        tuple(pairs),
        tuple(pending),
        **more,
    )


@pytest.fixture
def make() -> SimpleNamespace:
    """The parts of which tests build outlooks."""
    return SimpleNamespace(
        standard=standard, noise=run_noise, trajectory=trajectory, outlook=outlook_of
    )


@pytest.fixture
def linear() -> Callable[..., Outlook]:
    """Make a linear-Gaussian world: losses and CMR are linear in standard normal parameters."""

    def make(
        n: int = 6, k: int = 5, draws: int = 1500, parameters: int = 4, seed: int = 0, **more
    ) -> Outlook:
        rng = np.random.default_rng(seed + 1)
        theta = standard(draws, parameters, seed)
        runs = []
        for i in range(n):
            length = k if i % 3 else max(k - 2, 1)
            level, slope = rng.normal(size=(2, parameters, 1))
            design = level + slope * np.linspace(0, 1, length)
            cost = np.cumsum(rng.uniform(0.5, 2.0, length)) * 1e15
            runs.append(trajectory(theta @ design, None, cost, seed=i, ratio=rng.uniform()))
        cmr = 0.5 + theta @ rng.normal(size=parameters) * 0.05
        return outlook_of(runs, cmr, **more)

    return make
