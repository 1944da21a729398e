"""Ranks, bands and p-values against exact binomials and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from bayescmr.checks.uniformity import Null, rank


def test_rank_counts_draws_below():
    rng = np.random.default_rng(1)
    assert rank(np.array([1.0, 2.0, 3.0]), 2.5, rng) == 2
    assert rank(np.array([1.0, 2.0, 3.0]), 0.0, rng) == 0
    assert rank(np.array([1.0, 2.0, 3.0]), 9.0, rng) == 3


def test_ties_at_an_atom_are_broken_uniformly():
    """Half of the mass at 1: 20,000 ranks of exact draws; each count is within 5 sds of its mean.

    Of 20 counts, one beyond 5 sds has probability 1e-5.
    """
    rng = np.random.default_rng(2)
    values = np.minimum(rng.uniform(0, 2, size=(20_000, 20)), 1.0)
    ranks = np.array([rank(row[1:], row[0], rng) for row in values])
    counts = np.bincount(ranks, minlength=20)
    assert len(counts) == 20
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000 * 0.95)


def test_departure_is_the_smallest_binomial_tail():
    null = Null(simulations=7, draws=4)
    ranks = np.array([0, 0, 0, 1, 4, 4, 2])
    tails = []
    for point in (1, 2, 3, 4):
        count = int((ranks < point).sum())
        p = point / 5
        tails += [binom.cdf(count, 7, p), binom.sf(count - 1, 7, p)]
    assert null.departure(null.counts(ranks)) == pytest.approx(min(tails), rel=1e-12)


@pytest.mark.parametrize("simulations", [20, 150])
def test_p_values_of_uniform_ranks(simulations):
    """4,000 studies: P(p <= a) <= a (ranks are discrete); and near a, within 4 Monte Carlo sds."""
    rng = np.random.default_rng(3)
    null = Null(simulations, draws=99)
    p = np.array([null.p_value(rng.integers(0, 100, simulations)) for _ in range(4000)])
    for a in (0.01, 0.05, 0.3):
        error = np.sqrt(a * (1 - a) / 4000)
        assert 0.5 * a < (p <= a).mean() < a + 4 * error


def test_band_holds_uniform_ranks_as_often_as_it_says():
    """4,000 studies of 150: the coverage of 0.95 is met to 4 Monte Carlo sds (0.014), or exceeded.

    Steps of 1/150 make it up to 0.01 larger.
    """
    rng = np.random.default_rng(4)
    null = Null(150, draws=99)
    lower, upper = null.band(0.95)
    ecdf = null.counts(rng.integers(0, 100, size=(4000, 150)).astype(np.int64)) / 150
    held = ((lower <= ecdf) & (ecdf <= upper)).all(axis=1).mean()
    assert 0.936 < held < 0.974


def test_wrong_ranks_are_seen():
    rng = np.random.default_rng(5)
    null = Null(150, draws=99)
    narrow = np.clip(np.round(50 + 50 * rng.normal(0, 0.9, 150)), 0, 99).astype(int)
    assert null.p_value(narrow) < 1e-4
