"""Checks of the model: refits, and prediction of probes with its betting test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm

from bayescmr.design.model_check import FAR_RATIOS_OUT, SMALLEST_SIZE_OUT
from bayescmr.design.prequential import evidence_against, predict, prequential_check
from bayescmr.design.refits import hausman, refit_check
from bayescmr.errors import DesignError


def normal_draws(mean: float, sd: float, n: int = 4000) -> np.ndarray:
    z = np.random.default_rng(0).standard_normal(n)
    z = (z - z.mean()) / z.std(ddof=1)
    return mean + sd * z


def test_hausman_by_hand() -> None:
    assert hausman(normal_draws(0.40, 0.03), normal_draws(0.30, 0.05)) == pytest.approx(2.5)
    # Hardly wider: the floor of 0.3 sd counts.
    assert hausman(normal_draws(0.40, 0.03), normal_draws(0.39, 0.0301)) == pytest.approx(
        0.01 / 0.009
    )
    # And so does that of an answer as precise as was asked for, if its sd is larger.
    hardly = normal_draws(0.39, 0.0301)
    assert hausman(normal_draws(0.40, 0.03), hardly, 0.02) == pytest.approx(0.01 / 0.009)
    assert hausman(normal_draws(0.40, 0.03), hardly, 0.05) == pytest.approx(0.01 / 0.015)
    assert hausman(np.full(5, 0.4), np.full(5, 0.4)) == 0.0
    assert hausman(np.full(5, 0.4), np.full(5, 0.3)) == np.inf


def test_hausman_is_standard_normal_where_the_model_is_right() -> None:
    """A mean of 20 measurements, and of 8 of them: |z| > 2 in 4.6 % of 4,000 worlds."""
    rng = np.random.default_rng(1)
    y = rng.standard_normal((4000, 20))
    z = [
        hausman(normal_draws(a, 20**-0.5, 400), normal_draws(b, 8**-0.5, 400))
        for a, b in zip(y.mean(axis=1), y[:, :8].mean(axis=1), strict=True)
    ]
    alarms = np.mean(np.abs(z) > 2)
    assert abs(alarms - 0.0455) < 3 * np.sqrt(0.0455 * 0.9545 / 4000)


def test_refit_check_says_what_moved() -> None:
    good = refit_check(SMALLEST_SIZE_OUT, normal_draws(0.4, 0.03), normal_draws(0.42, 0.05))
    assert good.passed and "at most 2" in good.sentence
    bad = refit_check(FAR_RATIOS_OUT, normal_draws(0.4, 0.03), normal_draws(0.3, 0.05))
    assert bad.passed is False and "0.4 to 0.3, 2.5 standard errors" in bad.sentence
    # The same shift and widths, where an interval six times as wide would do.
    wide = refit_check(
        FAR_RATIOS_OUT, normal_draws(0.4, 0.03), normal_draws(0.3, 0.05), width=6 * 0.0987
    )
    assert wide.passed
    assert wide.value == pytest.approx(0.1 / (0.3 * 6 * 0.03), rel=1e-3)
    none = refit_check(FAR_RATIOS_OUT, normal_draws(0.4, 0.03), None)
    assert none.passed is None and np.isnan(none.value) and none.span is None
    with pytest.raises(DesignError, match="sub"):
        refit_check(FAR_RATIOS_OUT, normal_draws(0.4, 0.03), np.array([np.nan, 1.0]))


@pytest.mark.parametrize(("prob", "z"), [(0.9, 1.6449), (0.5, 0.6745)])
def test_a_refit_spans_both_intervals(prob: float, z: float) -> None:
    """By hand: of a normal, mean - z sd to mean + z sd; the refit's is the wider on one side."""
    even = norm.ppf((np.arange(20_001) + 0.5) / 20_001)
    full, sub = 0.40 + 0.03 * even, 0.43 + 0.05 * even
    check = refit_check(SMALLEST_SIZE_OUT, full, sub, prob=prob)
    low = min(0.40 - z * 0.03, 0.43 - z * 0.05)
    assert check.span == pytest.approx((low, 0.43 + z * 0.05), abs=1e-4)
    assert f"{prob:.0%} intervals (eti)" in check.sentence
    inner = refit_check(SMALLEST_SIZE_OUT, full, 0.40 + 0.01 * even, prob=prob)
    assert inner.span == pytest.approx((0.40 - z * 0.03, 0.40 + z * 0.03), abs=1e-4)


TIMES = np.arange(1.0, 6.0)
NOISE = 0.04 * np.minimum.outer(TIMES, TIMES) + 0.02 * np.eye(5)


def law(theta: np.ndarray) -> np.ndarray:
    """Two coefficients to a trajectory of five checkpoints, shape (draws, 5)."""
    return theta[:, :1] + theta[:, 1:] * np.log(TIMES)


def test_pit_is_that_of_the_mixture() -> None:
    """One checkpoint, then the log score of all against the density of the whole mixture."""
    rng = np.random.default_rng(2)
    mean = law(rng.standard_normal((50, 2)))
    y = law(np.array([[0.5, -0.3]]))[0]
    found = predict(mean, NOISE, y)
    density = np.mean([multivariate_normal(m, NOISE).pdf(y) for m in mean])
    assert found.log_score == pytest.approx(np.log(density), rel=1e-10)
    draws = mean[rng.integers(50, size=200_000), 0] + NOISE[0, 0] ** 0.5 * rng.standard_normal(
        200_000
    )
    assert found.pit[0] == pytest.approx((draws <= y[0]).mean(), abs=0.005)
    assert np.exp(found.log_weights).sum() == pytest.approx(1)


def test_weights_go_on_to_the_next_probe() -> None:
    rng = np.random.default_rng(3)
    mean = law(rng.standard_normal((40, 2)))
    y = law(np.array([[0.2, 0.1]]))[0]
    first = predict(mean[:, :2], NOISE[:2, :2], y[:2])
    second = predict(mean[:, 2:], NOISE[2:, 2:], y[2:], first.log_weights)
    block = NOISE.copy()
    block[:2, 2:] = block[2:, :2] = 0
    both = predict(mean, block, y)
    np.testing.assert_allclose(np.r_[first.pit, second.pit], both.pit)
    assert first.log_score + second.log_score == pytest.approx(both.log_score)
    np.testing.assert_allclose(second.log_weights, both.log_weights)


def world(rng: np.random.Generator, probes: int, scale: float = 1.0, jump: float = 0.0):
    """PIT values of probes from a truth drawn as the draws are, each predicted given the last.

    A probe's design depends on what came before: its sign is that of the last loss.
    """
    theta = rng.standard_normal((1500, 2))
    truth = rng.standard_normal((1, 2))
    root = np.linalg.cholesky(NOISE)
    weights, sign, pits = None, 1.0, []
    for _ in range(probes):
        y = sign * law(truth)[0] + scale * root @ rng.standard_normal(5) + jump * (TIMES >= 3)
        found = predict(sign * law(theta), NOISE, y, weights)
        weights, sign = found.log_weights, np.sign(y[-1])
        pits.append(found.pit)
    return np.concatenate(pits)


def test_pit_is_uniform_under_an_adaptive_design() -> None:
    """300 worlds of two probes that depend on the past, 3,000 values."""
    rng = np.random.default_rng(4)
    pit = np.array([world(rng, 2) for _ in range(300)])
    assert kstest(pit.ravel(), "uniform").pvalue > 0.01
    lagged = np.corrcoef(pit[:, :-1].ravel(), pit[:, 1:].ravel())[0, 1]
    assert abs(lagged) < 3 / np.sqrt(2700)


def test_the_bet_is_fair_at_any_time() -> None:
    """4,000 campaigns of 200 values: at most 5 % may ever win twentyfold; wealth averages 1."""
    rng = np.random.default_rng(5)
    most, at_ten = [], []
    for _ in range(4000):
        wealth = np.exp(evidence_against(rng.random(200)))
        most.append(wealth.max())
        at_ten.append(wealth[9])
    for alpha in (0.2, 0.05):
        rate = np.mean(np.array(most) >= 1 / alpha)
        assert rate <= alpha + 2 * np.sqrt(alpha * (1 - alpha) / 4000)
    assert np.mean(at_ten) == pytest.approx(1, abs=4 * np.std(at_ten) / np.sqrt(4000))


@pytest.mark.parametrize(
    ("scale", "jump"), [(2.0, 0.0), (0.4, 0.0), (1.0, 1.0)], ids=["wide", "narrow", "kink"]
)
def test_the_bet_finds_a_model_that_is_wrong(scale: float, jump: float) -> None:
    rng = np.random.default_rng(6)
    found = [prequential_check(world(rng, 25, scale, jump)).passed for _ in range(20)]
    assert sum(p is False for p in found) >= 18


def test_the_check_passes_where_the_model_is_right() -> None:
    rng = np.random.default_rng(7)
    found = [prequential_check(world(rng, 10)) for _ in range(60)]
    # At most 5 % may fail: of 60, more than 7 has probability 0.4 %.
    assert sum(c.passed is False for c in found) <= 7
    assert "times its stake" in found[0].sentence


def test_an_alarm_is_for_good() -> None:
    bad, good = np.full(20, 0.999), np.random.default_rng(8).random(2000)
    check = prequential_check(np.r_[bad, good])
    assert check.passed is False
    assert evidence_against(np.r_[bad, good])[-1] < np.log(check.value)


def test_nothing_predicted_is_nothing_passed() -> None:
    assert prequential_check(np.empty(0)).passed is None
    assert evidence_against(np.empty(0)).shape == (0,)
    assert np.isfinite(evidence_against(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: predict(np.zeros((3, 2)), np.eye(3), np.zeros(2)),
        lambda: predict(np.zeros((3, 2)), np.eye(2), np.zeros(3)),
        lambda: predict(np.zeros(3), np.eye(2), np.zeros(2)),
        lambda: predict(np.zeros((0, 2)), np.eye(2), np.zeros(2)),
        lambda: predict(np.zeros((3, 2)), np.eye(2), np.zeros(2), np.zeros(2)),
        lambda: predict(np.zeros((3, 2)), -np.eye(2), np.zeros(2)),
        lambda: predict(np.zeros((3, 2)), np.eye(2), np.array([0.0, np.nan])),
        lambda: evidence_against(np.array([1.1])),
        lambda: evidence_against(np.array([np.nan])),
        lambda: prequential_check(np.array([0.5]), alpha=0.0),
    ],
    ids=range(10),
)
def test_bad_input_is_refused(call) -> None:
    with pytest.raises(DesignError, match="expected"):
        call()
