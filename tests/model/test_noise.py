"""The run likelihood against independent statements of it: dense, sequential, differentiated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.mode import Mode
from scipy.stats import multivariate_normal

from bayescmr.model import ops
from bayescmr.model.data import RunBlocks
from bayescmr.model.kernels import version
from bayescmr.model.noise import HELPERS, log_likelihood
from bayescmr.model.ops import run_log_likelihood

Float = npt.NDArray[np.float64]

OFFSET, SLOPE, DRIFT, LENGTH, MEASUREMENT, FACTOR = range(6)
#: Everything matters and nothing dominates.
TYPICAL = np.array([0.02, 0.01, 0.015, 0.8, 0.005, 3.0])


# -- what is expected ---------------------------------------------------------------------------


def dense(scales: Float, x: Float, variance: Float, averaged: Float, no_replay: bool) -> Float:
    """Covariance by the formula of DESIGN section 5, term by term.

    y_k = f + u + v x_k + OU(x_k) + measurement_k; at R = 1 what the run does (u, v, OU) is
    `factor` times larger, what the evaluation does is not.
    """
    u, v, d, length, m, f = scales
    n = len(x)
    z = np.column_stack([np.ones(n), x])
    effects = z @ np.diag([u**2, v**2]) @ z.T
    drift = np.array([[d**2 * np.exp(-abs(a - b) / length) for b in x] for a in x])
    run = effects + drift
    if no_replay:
        run = f**2 * run
    return run + np.diag(variance + m**2 / averaged)


def kalman(
    scales: Float, x: Float, variance: Float, averaged: Float, no_replay: bool, residual: Float
) -> float:
    """Log likelihood of one run, checkpoint after checkpoint: u, v and the drift are states."""
    u, v, d, length, m, f = scales
    if no_replay:
        u, v, d = f * u, f * v, f * d
    state, spread = np.zeros(3), np.diag([u**2, v**2, d**2])
    total, before = 0.0, x[0]
    for x_k, variance_k, n_k, y_k in zip(x, variance, averaged, residual, strict=True):
        decay = np.exp(-(x_k - before) / length)
        move = np.diag([1.0, 1.0, decay])
        state = move @ state
        spread = move @ spread @ move + np.diag([0.0, 0.0, d**2 * (1 - decay**2)])
        look = np.array([1.0, x_k, 1.0])
        innovation = y_k - look @ state
        scale = look @ spread @ look + variance_k + m**2 / n_k
        total -= 0.5 * (np.log(2 * np.pi * scale) + innovation**2 / scale)
        gain = spread @ look / scale
        state = state + gain * innovation
        spread = spread - np.outer(gain, look @ spread)
        before = x_k
    return float(total)


def runs_of(mu: Float, blocks: RunBlocks) -> list[tuple[Float, Float, Float, bool, Float]]:
    """Each run's x, variance, number averaged, regime and residual, without padding."""
    out = []
    for p, n in enumerate(blocks.count):
        for r in range(blocks.start[p], blocks.start[p + 1]):
            residual = (blocks.y - mu)[r, :n]
            out.append(
                (
                    blocks.x[p, :n],
                    blocks.variance[p, :n],
                    blocks.averaged[p, :n],
                    bool(blocks.no_replay[p]),
                    residual,
                )
            )
    return out


def expected(mu: Float, scales: Float, blocks: RunBlocks) -> float:
    return sum(
        float(multivariate_normal(np.zeros(len(x)), dense(scales, x, *rest)).logpdf(res))
        for x, *rest, res in runs_of(mu, blocks)
    )


# -- what is tested -----------------------------------------------------------------------------


def compiled(mode: Any) -> Callable[..., list[Any]]:
    """Value and gradients as a function of everything the likelihood reads."""
    mu, y, x, variance, averaged = pt.dmatrices("mu", "y", "x", "variance", "averaged")
    count, start, no_replay = pt.lvectors("count", "start", "no_replay")
    scales = pt.dvector("scales")
    blocks = RunBlocks(y, x, variance, averaged, count, start, no_replay)  # type: ignore[arg-type]
    value = run_log_likelihood(mu, scales, blocks)
    function = pytensor.function(
        [mu, y, x, variance, averaged, count, start, no_replay, scales],
        [value, *pytensor.grad(value, [mu, scales])],
        mode=mode,
    )

    def call(mu: Float, scales: Float, blocks: RunBlocks) -> list[Any]:
        return function(mu, blocks.y, blocks.x, blocks.variance, blocks.averaged, blocks.count,
                        blocks.start, blocks.no_replay, scales)  # fmt: skip

    return call


@pytest.fixture(scope="module")
def through_numba() -> Callable[..., list[Any]]:
    return compiled("NUMBA")


@pytest.fixture(scope="module")
def through_python() -> Callable[..., list[Any]]:
    return compiled(Mode(linker="py", optimizer=None))


def example(
    counts: list[int], runs: list[int], ones: list[bool], seed: int
) -> tuple[Float, RunBlocks]:
    """Mean curves and blocks of ragged runs; padding as `block_data` makes it."""
    rng = np.random.default_rng(seed)
    patterns, width, total = len(counts), max(counts), sum(runs)
    x, variance = np.zeros((patterns, width)), np.zeros((patterns, width))
    averaged = np.ones((patterns, width))
    for p, n in enumerate(counts):
        x[p, :n] = np.sort(rng.uniform(-2.5, 2.5, n))
        x[p, n:] = x[p, n - 1]
        variance[p, :n] = rng.uniform(0.0, 0.01, n) ** 2
        averaged[p, :n] = rng.integers(1, 6, n)
    start = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
    y = np.zeros((total, width))
    for p, n in enumerate(counts):
        y[start[p] : start[p + 1], :n] = rng.normal(0.0, 0.03, (runs[p], n))
    mu = rng.normal(0.0, 0.01, (total, width))
    blocks = RunBlocks(
        y,
        x,
        variance,
        averaged,
        np.array(counts, dtype=np.int64),
        start,
        np.array(ones, dtype=np.int64),
    )
    return mu, blocks


RAGGED = example([4, 7, 1, 5, 3], [3, 2, 1, 2, 4], [False, False, True, True, False], seed=7)

shapes = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 8), min_size=n, max_size=n),
        st.lists(st.integers(1, 4), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
    )
)
log_scales = st.tuples(
    st.floats(-9, 0), st.floats(-9, 0), st.floats(-9, 0),
    st.floats(-3, 3), st.floats(-5, 0), st.floats(-1, 3),
)  # fmt: skip


# -- value --------------------------------------------------------------------------------------


@given(shape=shapes, logs=log_scales, seed=st.integers(0, 2**32 - 1))
def test_value_is_the_dense_normal(
    through_numba: Callable[..., list[Any]], shape: Any, logs: Any, seed: int
) -> None:
    mu, blocks = example(*shape, seed=seed)
    scales = np.exp(np.array(logs))
    value = through_numba(mu, scales, blocks)[0]
    assert value == pytest.approx(expected(mu, scales, blocks), rel=1e-8, abs=1e-8)


@given(shape=shapes, logs=log_scales, seed=st.integers(0, 2**32 - 1))
def test_value_is_the_sequential_one(
    through_numba: Callable[..., list[Any]], shape: Any, logs: Any, seed: int
) -> None:
    """u, v and the drift as states of a Kalman filter: no covariance is ever formed."""
    mu, blocks = example(*shape, seed=seed)
    scales = np.exp(np.array(logs))
    want = sum(kalman(scales, *run) for run in runs_of(mu, blocks))
    assert through_numba(mu, scales, blocks)[0] == pytest.approx(want, rel=1e-7, abs=1e-7)


def test_run_effects_are_integrated_out(through_numba: Callable[..., list[Any]]) -> None:
    """Averaging the density over u and v, by the trapezium rule, gives the same number."""
    mu, blocks = example([5], [1], [True], seed=3)
    ((x, variance, averaged, one, residual),) = runs_of(mu, blocks)
    u, v, f = TYPICAL[OFFSET], TYPICAL[SLOPE], TYPICAL[FACTOR]
    rest = TYPICAL.copy()
    rest[[OFFSET, SLOPE]] = 0.0
    given_effects = multivariate_normal(np.zeros(len(x)), dense(rest, x, variance, averaged, one))
    # In units of the sd of each; the integrand is Gaussian, for which the rule is exact.
    grid = np.linspace(-9, 9, 181)
    a, b = (g.ravel() for g in np.meshgrid(grid, grid))
    effects = f * (u * a[:, None] + v * b[:, None] * x)
    log_density = given_effects.logpdf(residual - effects) - 0.5 * (a**2 + b**2) - np.log(2 * np.pi)
    integral = np.log(np.exp(log_density).sum() * (grid[1] - grid[0]) ** 2)
    assert through_numba(mu, TYPICAL, blocks)[0] == pytest.approx(integral, rel=1e-9)


def test_value_is_the_sum_over_runs(through_numba: Callable[..., list[Any]]) -> None:
    mu, blocks = RAGGED
    alone = []
    for p in range(len(blocks.count)):
        for r in range(blocks.start[p], blocks.start[p + 1]):
            n = blocks.count[p]
            one = RunBlocks(
                blocks.y[[r], :n], blocks.x[[p], :n], blocks.variance[[p], :n],
                blocks.averaged[[p], :n], blocks.count[[p]],
                np.array([0, 1]), blocks.no_replay[[p]],
            )  # fmt: skip
            alone.append(float(through_numba(mu[[r], :n], TYPICAL, one)[0]))
    assert through_numba(mu, TYPICAL, blocks)[0] == pytest.approx(sum(alone), rel=1e-12)


def test_replicated_runs_are_independent_given_their_curve(
    through_numba: Callable[..., list[Any]],
) -> None:
    """Two runs of the same checkpoints have effects of their own: the density is squared."""
    mu, blocks = example([6], [1], [False], seed=5)
    twice = replace(blocks, y=np.repeat(blocks.y, 2, axis=0), start=np.array([0, 2]))
    once = through_numba(mu, TYPICAL, blocks)[0]
    assert through_numba(np.repeat(mu, 2, axis=0), TYPICAL, twice)[0] == pytest.approx(2 * once)


def test_padding_is_never_read(through_numba: Callable[..., list[Any]]) -> None:
    mu, blocks = RAGGED
    want = through_numba(mu, TYPICAL, blocks)
    padded = {name: getattr(blocks, name).copy() for name in ("y", "x", "variance", "averaged")}
    dirty = mu.copy()
    for p, n in enumerate(blocks.count):
        rows = slice(blocks.start[p], blocks.start[p + 1])
        padded["x"][p, n:] = padded["variance"][p, n:] = padded["averaged"][p, n:] = np.nan
        padded["y"][rows, n:] = dirty[rows, n:] = np.nan
    got = through_numba(dirty, TYPICAL, replace(blocks, **padded))
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g, w)


def test_a_pattern_without_runs_counts_nothing(through_numba: Callable[..., list[Any]]) -> None:
    mu, blocks = RAGGED
    more = RunBlocks(
        blocks.y,
        np.vstack([blocks.x, np.zeros_like(blocks.x[:1])]),
        np.vstack([blocks.variance, np.zeros_like(blocks.variance[:1])]),
        np.vstack([blocks.averaged, np.ones_like(blocks.averaged[:1])]),
        np.append(blocks.count, 3),
        np.append(blocks.start, blocks.start[-1]),
        np.append(blocks.no_replay, 0),
    )
    for got, want in zip(
        through_numba(mu, TYPICAL, more), through_numba(mu, TYPICAL, blocks), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_order_of_runs_and_patterns_does_not_matter(
    through_numba: Callable[..., list[Any]],
) -> None:
    mu, blocks = RAGGED
    patterns = np.array([3, 0, 4, 2, 1])
    runs = np.concatenate([np.arange(blocks.start[p], blocks.start[p + 1])[::-1] for p in patterns])
    sizes = np.diff(blocks.start)[patterns]
    other = RunBlocks(
        blocks.y[runs], blocks.x[patterns], blocks.variance[patterns],
        blocks.averaged[patterns], blocks.count[patterns],
        np.concatenate([[0], np.cumsum(sizes)]), blocks.no_replay[patterns],
    )  # fmt: skip
    want, got = through_numba(mu, TYPICAL, blocks), through_numba(mu[runs], TYPICAL, other)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-12)
    np.testing.assert_allclose(got[2], want[2], rtol=1e-9)
    used = np.zeros(mu.shape, dtype=bool)
    for p, n in enumerate(blocks.count):
        used[blocks.start[p] : blocks.start[p + 1], :n] = True
    np.testing.assert_allclose(got[1][used[runs]], want[1][runs][used[runs]], rtol=1e-12)


# -- gradients ----------------------------------------------------------------------------------


def central(function: Callable[[Float], float], point: Float, step: Float) -> Float:
    """Central differences with Richardson's correction: error of fourth order in the step."""
    out = np.zeros_like(point)
    for i in np.ndindex(point.shape):
        h = np.zeros_like(point)
        h[i] = step[i]
        wide = (function(point + h) - function(point - h)) / (2 * step[i])
        narrow = (function(point + h / 2) - function(point - h / 2)) / step[i]
        out[i] = (4 * narrow - wide) / 3
    return out


@settings(max_examples=25)
@given(shape=shapes, logs=log_scales, seed=st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_the_dense_normal(
    through_numba: Callable[..., list[Any]], shape: Any, logs: Any, seed: int
) -> None:
    """Differences are taken of the independent value, and compared on the log of the scales."""
    mu, blocks = example(*shape, seed=seed)
    scales = np.exp(np.array(logs))
    _, d_mu, d_scales = through_numba(mu, scales, blocks)
    want = central(lambda v: expected(mu, np.exp(v), blocks), np.log(scales), np.full(6, 1e-2))
    size = 1.0 + abs(expected(mu, scales, blocks))
    np.testing.assert_allclose(d_scales * scales, want, rtol=1e-5, atol=1e-6 * size)
    want = central(lambda v: expected(v, scales, blocks), mu, np.full(mu.shape, 1e-3))
    np.testing.assert_allclose(d_mu, want, rtol=1e-5, atol=1e-6 * np.abs(want).max(initial=1.0))


def test_gradients_agree_with_pytensor() -> None:
    """The op's own gradient graph, by PyTensor's checker, with a factor on top of the value."""
    mu, blocks = RAGGED
    scale = 0.01
    pytensor.gradient.verify_grad(
        lambda m, s: 0.3 * run_log_likelihood(scale * m, pt.exp(s), blocks),
        [mu / scale, np.log(TYPICAL)],
        rng=np.random.default_rng(1),
        mode=Mode(linker="py", optimizer=None),
    )


def test_gradient_of_padding_is_zero(through_numba: Callable[..., list[Any]]) -> None:
    mu, blocks = RAGGED
    d_mu = through_numba(mu, TYPICAL, blocks)[1]
    for p, n in enumerate(blocks.count):
        assert np.all(d_mu[blocks.start[p] : blocks.start[p + 1], n:] == 0.0)


# -- two ways to run it -------------------------------------------------------------------------


@settings(max_examples=10)
@given(shape=shapes, logs=log_scales, seed=st.integers(0, 2**32 - 1))
def test_python_equals_numba(
    through_numba: Callable[..., list[Any]],
    through_python: Callable[..., list[Any]],
    shape: Any,
    logs: Any,
    seed: int,
) -> None:
    mu, blocks = example(*shape, seed=seed)
    scales = np.exp(np.array(logs))
    for got, want in zip(
        through_python(mu, scales, blocks), through_numba(mu, scales, blocks), strict=True
    ):
        size = np.abs(want).max(initial=1e-300)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize("way", ["through_numba", "through_python"])
@pytest.mark.parametrize(
    "scales",
    [
        np.zeros(6),
        np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
        np.array([0.01, 0.01, 0.0, 1.0, 0.0, 1.0]),
        np.array([0.01, 0.01, 0.01, 0.0, 0.01, 1.0]),
        np.array([0.01, 0.01, 0.01, 1e-170, 0.01, 1.0]),
        np.array([0.01, 0.01, 0.01, np.nan, 0.01, 1.0]),
        np.array([np.nan, 0.01, 0.01, 1.0, 0.01, 1.0]),
        np.array([0.01, 0.01, 0.01, 1.0, np.nan, 1.0]),
        np.array([1e200, 0.01, 0.01, 1.0, 0.01, 1.0]),
    ],
    ids=["all 0", "no noise", "two effects, many checkpoints", "no length", "hardly any length",
         "nan length", "nan offset", "nan measurement", "overflow"],
)  # fmt: skip
def test_impossible_scales_have_no_density(
    way: str, scales: Float, request: pytest.FixtureRequest
) -> None:
    """A sampler that strays there is told minus infinity, and finite gradients."""
    mu, blocks = RAGGED
    blocks = replace(blocks, variance=np.zeros_like(blocks.variance))
    value, d_mu, d_scales = request.getfixturevalue(way)(mu, scales, blocks)
    assert value == -np.inf
    assert np.all(np.isfinite(d_mu)) and np.all(np.isfinite(d_scales))


def test_stated_errors_alone_are_enough(through_numba: Callable[..., list[Any]]) -> None:
    mu, blocks = RAGGED
    blocks = replace(blocks, variance=np.full_like(blocks.variance, 1e-4))
    scales = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    value = through_numba(mu, scales, blocks)[0]
    assert value == pytest.approx(expected(mu, scales, blocks), rel=1e-10)


@pytest.mark.parametrize("length", [1e-3, 1e-99, 1e6])
def test_drift_of_extreme_length(through_numba: Callable[..., list[Any]], length: float) -> None:
    """Too short to correlate checkpoints, or too long to tell them apart: still a number."""
    mu, blocks = RAGGED
    scales = TYPICAL.copy()
    scales[LENGTH] = length
    value, d_mu, d_scales = through_numba(mu, scales, blocks)
    assert value == pytest.approx(expected(mu, scales, blocks), rel=1e-9)
    assert np.all(np.isfinite(d_mu)) and np.all(np.isfinite(d_scales))


def test_a_changed_kernel_is_compiled_anew() -> None:
    """PyTensor caches kernels on disk by op and version number, and never looks at the code."""
    assert ops._funcify_likelihood(ops.RunLikelihood())[1] == version(log_likelihood, *HELPERS)
    versions = [version(f) for f in (lambda x: 2.0 * x, lambda x: 3.0 * x, lambda x: x)]
    assert len(set(versions)) == 3
    assert version(lambda x: 2.0 * x) == versions[0]
