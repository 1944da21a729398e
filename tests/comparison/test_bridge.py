"""The bridge against an integral that is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from bayescmr.comparison.bridge import log_density


@pytest.mark.parametrize("noise", [1.0, 0.1, 0.01])
def test_normal_mean_with_a_known_answer(noise):
    """One observation of a standard normal mean: p(y) = N(y; 0, 1 + noise^2).

    The error is what it says: 50 replicates, mean square of error / stated error within
    its 99.9 % band of a chi-square of 50 degrees, 0.49 to 1.73; the stated error is itself
    an estimate, so the band is widened by a fifth.
    """
    y = 2.0
    exact = norm.logpdf(y, 0, np.hypot(1, noise))
    shrink = 1 / (1 + noise**2)
    scores = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        without = rng.standard_normal((4, 500))
        posterior = shrink * y + np.sqrt(1 - shrink) * rng.standard_normal((4, 1000))
        value, error = log_density(norm.logpdf(y, without, noise), norm.logpdf(y, posterior, noise))
        scores.append((value - exact) / error)
    assert 0.49 / 1.2 < np.mean(np.square(scores)) < 1.73 * 1.2


def _draws(parameters, noise, seed=1):
    """Log likelihoods of one observation of each of several standard normal parameters."""
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(parameters)
    shrink = 1 / (1 + noise**2)

    def likelihood(theta):
        return norm.logpdf(y, theta, noise).sum(axis=-1)

    without = likelihood(rng.standard_normal((4, 500, parameters)))
    posterior = shrink * y + np.sqrt(1 - shrink) * rng.standard_normal((4, 1000, parameters))
    return without, likelihood(posterior), norm.logpdf(y, 0, np.hypot(1, noise)).sum()


def test_needles_that_an_average_misses():
    """Two parameters known thirty times better with the run: root mean square of 30 replicates."""
    bridge, average = [], []
    for seed in range(30):
        without, with_run, exact = _draws(2, 0.03, seed)
        bridge.append(log_density(without, with_run)[0] - exact)
        average.append(logsumexp(without) - np.log(without.size) - exact)
    assert np.sqrt(np.mean(np.square(bridge))) < 0.5 * np.sqrt(np.mean(np.square(average)))


def test_posteriors_that_do_not_overlap_are_told():
    without, with_run, _ = _draws(8, 0.01)
    assert log_density(without, with_run)[1] == np.inf
