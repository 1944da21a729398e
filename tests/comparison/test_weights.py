"""Stacking weights against a plain fixed point of the same optimum."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.comparison.weights import difference, stacking_weights


def _fixed_point(elpd):
    """Expectation-maximisation of mixture weights, which has the same optimum."""
    density = np.exp(elpd - elpd.max(axis=0))
    weights = np.full(len(elpd), 1 / len(elpd))
    for _ in range(20_000):
        share = weights[:, None] * density
        weights = (share / share.sum(axis=0)).mean(axis=1)
    return weights


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_optimum(seed, scale):
    rng = np.random.default_rng(seed)
    elpd = 100 + scale * rng.standard_normal((3, 12))
    weights, errors = stacking_weights(elpd)
    np.testing.assert_allclose(weights, _fixed_point(elpd), atol=2e-3)
    assert weights.sum() == pytest.approx(1)
    assert np.all(errors >= 0)


def test_a_clear_winner_and_one_model():
    elpd = np.array([np.full(10, 120.0), np.full(10, 80.0)])
    weights, errors = stacking_weights(elpd)
    np.testing.assert_allclose(weights, [1, 0], atol=1e-6)
    np.testing.assert_allclose(errors, 0, atol=1e-6)
    assert stacking_weights(elpd[:1])[0] == 1


def test_models_that_take_turns_share_the_weight():
    turns = np.tile([5.0, -5.0], 8)
    weights, errors = stacking_weights(np.array([turns, -turns]))
    np.testing.assert_allclose(weights, 0.5, atol=1e-3)
    # Jackknife of the mean of 16 coins: sqrt(0.25 / 15).
    np.testing.assert_allclose(errors, np.sqrt(0.25 / 15), rtol=0.05)


def test_difference_and_its_error():
    best, other = np.array([3.0, 1.0, 2.0, 6.0]), np.array([1.0, 1.5, 2.0, 1.0])
    value, error = difference(other, best)
    assert value == -6.5
    assert error == pytest.approx(np.sqrt(4 * np.var(other - best)))
