"""Metrics of plays whose numbers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bayescmr.worlds.metrics import (
    at,
    covers,
    narrowed,
    ratio_interval,
    regret,
    restricted,
    settled,
)
from bayescmr.worlds.trace import Round, Trace


def _round(spent, median, half, decision=0.4):
    return Round(
        spent, 3, median, median - half, median + half, half / 1.6, 0.0, 0.0, 0.5, decision, 1.0,
        400.0, 1.0, 400.0, 0, (), (), 0.0,
    )  # fmt: skip


def _trace(*rounds):
    return Trace("a", 0.5, 100.0, rounds, ())


def test_settled_is_for_good():
    there = _trace(_round(1, 0.51, 0.1), _round(2, 0.6, 0.1), _round(4, 0.49, 0.1))
    assert settled(there) == 4
    assert settled(_trace(_round(1, 0.51, 0.1), _round(2, 0.49, 0.1))) == 1
    assert settled(_trace(_round(1, 0.51, 0.1), _round(2, 0.6, 0.1))) == math.inf


def test_narrowed_is_the_first():
    trace = _trace(_round(1, 0.5, 0.1), _round(2, 0.5, 0.03), _round(4, 0.5, 0.06))
    assert narrowed(trace) == 2
    assert narrowed(trace, 0.01) == math.inf


def test_at_is_the_last_fit_paid_for():
    trace = _trace(_round(1, 0.1, 0.1), _round(2, 0.2, 0.1), _round(4, 0.3, 0.1))
    assert [at(trace, s).median for s in (0.5, 1, 3.9, 4, 9)] == [0.1, 0.1, 0.2, 0.3, 0.3]


def test_covers_with_atoms():
    assert covers(_round(1, 0.5, 0.5), 1.0)
    assert covers(_round(1, 0.5, 0.5), 0.0)
    assert not covers(_round(1, 0.5, 0.1), 0.61)


def test_regret_is_least_at_the_quantile():
    """On draws of the truth the decision with the least mean loss is the quantile of the risk."""
    truths = np.random.default_rng(1).beta(8, 8, 500)
    decisions = np.linspace(0.2, 0.8, 61)
    losses = [
        np.mean([regret(_round(1, 0.5, 0.1, d), float(t), 0.2) for t in truths]) for d in decisions
    ]
    assert decisions[int(np.argmin(losses))] == pytest.approx(np.quantile(truths, 0.2), abs=0.02)


def test_ratios_of_restricted_means():
    costs = restricted([1.0, 2.0, math.inf], 4.0)
    np.testing.assert_array_equal(costs, [1, 2, 4])
    same = ratio_interval(costs, 3 * costs, seed=1)
    assert same == pytest.approx((3.0, 3.0, 3.0))  # paired: no scatter where all have one ratio
    found = ratio_interval(costs, np.array([4.0, 4.0, 4.0]), seed=1)
    assert found[0] == pytest.approx(12 / 7)
    assert found[1] <= found[0] <= found[2]
