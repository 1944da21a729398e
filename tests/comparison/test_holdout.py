"""Scores of predictions against their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayescmr as bc
from bayescmr.comparison.holdout import crps, run_scores
from bayescmr.model.scales import covariance


def test_crps_against_its_closed_form():
    """Of a normal forecast (Gneiting, Raftery 2007): 1e5 draws, error below 1 %."""
    errors = np.random.default_rng(1).normal([0.5, -2.0], [1.0, 0.3], size=(100_000, 2))
    sd, z = np.array([1.0, 0.3]), np.array([-0.5, 2.0 / 0.3])
    exact = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(crps(errors), exact, rtol=0.01)


def test_crps_agrees_with_arviz():
    from arviz_stats.base.array import array_stats

    draws = np.random.default_rng(2).gamma(2.0, size=501)
    arviz = array_stats._loo_score(draws, 0.0, np.zeros(501), "crps")
    np.testing.assert_allclose(crps(draws[:, None])[0], -arviz, rtol=1e-9)


def test_a_point_forecast_is_scored_by_its_absolute_error():
    np.testing.assert_allclose(crps(np.full((10, 1), -0.3)), 0.3)


@pytest.fixture(scope="module")
def prior():
    rows = [
        {"run": "a", "size": 1e8, "domain": "law", "ratio": 0.3, "tokens": t, "change_general": y}
        for t, y in zip((1e9, 2e9, 4e9, 8e9), (0.01, 0.02, 0.015, 0.03), strict=True)
    ]
    runs = bc.RunTable.from_frame(pd.DataFrame(rows))
    return bc.prior_predictive(runs, seed=1, draws=1000)


def test_forward_prediction_is_conditional_on_what_the_run_has_shown(prior):
    """Mean and variance given the first two checkpoints, against the formula of the normal."""
    block, frame = prior.general, prior.frame
    seen = pd.Series({"a": 2e9})
    score = run_scores(block, frame, seen)[0]
    tokens, y = frame["tokens"].to_numpy(), frame["change"].to_numpy()
    mean = block.change(1e8, "law", "general", tokens, 0.3)
    x = np.log(tokens / block.hierarchy.reference.tokens)
    cov = covariance(block.scales, x, np.zeros(4))
    gain = cov[:, 2:, :2] @ np.linalg.inv(cov[:, :2, :2])
    later = mean[:, 2:] + np.einsum("dij,dj->di", gain, y[:2] - mean[:, :2])
    left = cov[:, 2:, 2:] - gain @ cov[:, :2, 2:]
    sd = np.sqrt(np.diagonal(left, axis1=1, axis2=2))
    draws = later + sd * np.random.default_rng(5).standard_normal(later.shape)
    # Monte Carlo error of a CRPS of 4000 draws: about its sd over draws / sqrt(4000).
    error = np.abs(draws - y[2:]).std() / np.sqrt(4000)
    assert abs(score - crps(draws - y[2:]).mean()) < 5 * error
    assert score < run_scores(block, frame, None)[0]
