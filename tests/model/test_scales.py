"""Noise scales and the covariance they imply, against entries, simulation and definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.model.scales import SCALES, covariance, natural_scales

Float = npt.NDArray[np.float64]

#: Everything matters and nothing dominates.
TYPICAL = np.array([0.02, 0.01, 0.015, 0.8, 0.005, 3.0])

log_scales = st.tuples(
    st.floats(-9, 0), st.floats(-9, 0), st.floats(-9, 0),
    st.floats(-3, 3), st.floats(-5, 0), st.floats(-1, 3),
)  # fmt: skip


def dense(scales: Float, x: Float, variance: Float, no_replay: bool) -> Float:
    """Entry by entry; at R = 1 what the run does is `factor` times larger, no more than that."""
    u, v, d, length, m, f = scales
    out = np.empty((len(x), len(x)))
    for i, j in np.ndindex(out.shape):
        run = u**2 + v**2 * x[i] * x[j] + d**2 * np.exp(-abs(x[i] - x[j]) / length)
        evaluation = m**2 + variance[i] if i == j else 0.0
        out[i, j] = (f**2 if no_replay else 1.0) * run + evaluation
    return out


def checkpoints(n: int, seed: int) -> tuple[Float, Float]:
    """Increasing log tokens, and squared standard errors."""
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(-2.5, 2.5, n)), rng.uniform(0.0, 0.01, n) ** 2


@given(logs=log_scales, n=st.integers(1, 8), no_replay=st.booleans(),
       seed=st.integers(0, 2**32 - 1))  # fmt: skip
def test_covariance_is_the_dense_one(logs: Any, n: int, no_replay: bool, seed: int) -> None:
    x, variance = checkpoints(n, seed)
    scales = np.exp(np.array(logs))
    got = covariance(scales, x, variance, no_replay)
    np.testing.assert_allclose(got, dense(scales, x, variance, no_replay), rtol=1e-12)


def test_covariance_of_many_draws() -> None:
    x, variance = checkpoints(7, seed=7)
    draws = np.exp(np.random.default_rng(2).normal(-3.0, 1.0, size=(3, 4, 6)))
    got = covariance(draws, x, variance, 1)
    assert got.shape == (3, 4, 7, 7)
    for i in np.ndindex(3, 4):
        np.testing.assert_allclose(got[i], dense(draws[i], x, variance, True), rtol=1e-12)


def test_covariance_is_that_of_simulated_runs() -> None:
    """Draw u, v, the drift step by step and the measurement; count."""
    rng = np.random.default_rng(11)
    x = np.array([-1.5, -0.2, 0.4, 2.0])
    variance = np.array([0.0, 0.003, 0.01, 0.0]) ** 2
    n, (u, v, d, length, m, _) = 200_000, TYPICAL
    drift = np.zeros((n, 4))
    drift[:, 0] = rng.normal(0, d, n)
    for k in range(1, 4):
        decay = np.exp(-(x[k] - x[k - 1]) / length)
        drift[:, k] = decay * drift[:, k - 1] + rng.normal(0, d * np.sqrt(1 - decay**2), n)
    y = rng.normal(0, u, (n, 1)) + rng.normal(0, v, (n, 1)) * x + drift
    y += rng.normal(0, 1, (n, 4)) * np.sqrt(variance + m**2)
    want = covariance(TYPICAL, x, variance)
    # Sampling sd of a covariance: sqrt((S_ii S_jj + S_ij^2) / n).
    sd = np.sqrt((np.outer(np.diag(want), np.diag(want)) + want**2) / n)
    assert np.all(np.abs(y.T @ y / n - want) < 4 * sd)


@given(st.lists(st.floats(-8, 4), min_size=6, max_size=6))
def test_natural_scales(values: list[float]) -> None:
    logs = np.array(values)
    got = dict(zip(SCALES, natural_scales(logs), strict=True))
    share = 1 / (1 + np.exp(-logs[3]))
    residual = np.exp(logs[2])
    want = {
        "run_offset": np.exp(logs[0]),
        "run_slope": np.exp(logs[1]),
        "drift": residual * np.sqrt(1 - share),
        "drift_length": np.exp(logs[4]),
        "measurement": residual * np.sqrt(share),
        "no_replay_factor": np.exp(logs[5]),
    }
    assert got == pytest.approx(want, rel=1e-9)
    assert got["drift"] ** 2 + got["measurement"] ** 2 == pytest.approx(residual**2, rel=1e-12)


def test_natural_scales_of_many_draws_and_of_tensors() -> None:
    sampled = np.random.default_rng(4).normal(size=(2, 3, 6))
    got = natural_scales(sampled)
    assert got.shape == sampled.shape
    one = pt.dvector("one")
    tensor = pytensor.function([one], natural_scales(one, pt), mode="FAST_COMPILE")
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(got[i], natural_scales(sampled[i]), rtol=1e-14)
        np.testing.assert_allclose(tensor(sampled[i]), got[i], rtol=1e-12)
