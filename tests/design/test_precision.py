"""Widths and losses from draws: against closed forms, and their Monte Carlo errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from bayescmr.design.precision import Estimate, probe_value, quantile, regret, width
from bayescmr.errors import DesignError

RISK = 0.1


def test_width_of_a_normal() -> None:
    found = width(0.4 + 0.02 * np.random.default_rng(0).standard_normal(40_000), 0.9, 40_000)
    assert found.value == pytest.approx(0.02 * 2 * norm.ppf(0.95), abs=4 * found.mcse)


def test_monte_carlo_error_of_a_quantile_is_that_of_repetition() -> None:
    rng = np.random.default_rng(1)
    found = [quantile(rng.standard_normal(1000), 0.05, 1000) for _ in range(400)]
    spread = np.std([f.value for f in found])
    # The sd of 400 values is known to 3.5 %.
    assert np.mean([f.mcse for f in found]) == pytest.approx(spread, rel=0.12)


def test_monte_carlo_error_of_a_width_is_not_too_small() -> None:
    rng = np.random.default_rng(2)
    found = [width(rng.standard_normal(1000), 0.9, 1000) for _ in range(400)]
    spread = np.std([f.value for f in found])
    assert 0.9 * spread < np.mean([f.mcse for f in found]) < 1.3 * spread


def test_regret_of_a_normal_is_the_closed_form() -> None:
    """(c_over + c_under) phi(z) sd, with c_under = 1 and c_over = (1 - risk) / risk."""
    draws = 0.4 + 0.03 * np.random.default_rng(3).standard_normal(100_000)
    found = regret(draws, RISK, 100_000)
    exact = (1 + (1 - RISK) / RISK) * norm.pdf(norm.ppf(RISK)) * 0.03
    assert found.value == pytest.approx(exact, abs=4 * found.mcse)
    assert found.mcse < 0.01 * exact


def test_the_decision_of_least_loss_is_the_quantile_at_the_risk() -> None:
    draws = np.random.default_rng(4).beta(2, 5, 5000)
    at_quantile = regret(draws, RISK, 5000).value
    for other in np.linspace(0.01, 0.9, 50):
        short = draws - other
        assert at_quantile <= np.maximum(short, -short * (1 - RISK) / RISK).mean() + 1e-12


def test_probes_save_nothing_of_what_the_run_effect_costs() -> None:
    rng = np.random.default_rng(5)
    known = np.full(20_000, 0.4)
    effect = 0.02 * rng.standard_normal(20_000)
    assert probe_value(known, known + effect, RISK, 20_000).value == 0.0
    unsure = 0.4 + 0.05 * rng.standard_normal(20_000)
    alone = probe_value(unsure, unsure, RISK, 20_000)
    assert alone == regret(unsure, RISK, 20_000)
    both = probe_value(unsure, unsure + effect, RISK, 20_000)
    rate = (1 + (1 - RISK) / RISK) * norm.pdf(norm.ppf(RISK))
    exact = rate * (np.hypot(0.05, 0.02) - 0.02)
    assert both.value == pytest.approx(exact, abs=4 * both.mcse)


def test_a_margin_of_monte_carlo_errors_is_kept() -> None:
    assert Estimate(0.08, 0.0).below(0.08)
    assert Estimate(0.06, 0.01).below(0.08)
    assert not Estimate(0.061, 0.01).below(0.08)


@pytest.mark.parametrize(
    ("draws", "p", "ess"),
    [
        (np.array([0.1, np.nan]), 0.5, 2),
        (np.array([0.1]), 0.5, 1),
        (np.zeros((2, 2)), 0.5, 2),
        (np.zeros(5), 0.0, 5),
        (np.zeros(5), 0.5, 0),
        (np.zeros(5), 0.5, 11),
        (np.zeros(5), 0.5, float("nan")),
    ],
)
def test_bad_draws_are_refused(draws, p, ess) -> None:
    with pytest.raises(DesignError, match="expected"):
        quantile(draws, p, ess)


def test_an_estimate_is_a_number() -> None:
    for value, mcse in ((float("nan"), 0.1), (0.1, float("nan")), (0.1, -1.0)):
        with pytest.raises(DesignError, match="Monte Carlo"):
            Estimate(value, mcse)
