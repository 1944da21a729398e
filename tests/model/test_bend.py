"""Bends: the way there and back, and what is learned from draws."""

from __future__ import annotations

import numpy as np
from scipy.stats import skew

from bayescmr.model import bend


def test_there_and_back_and_the_slope() -> None:
    x = np.linspace(-30.0, 30.0, 601)[:, None] * np.ones(4)
    bends = np.array([[0.0, 1.0, 0.0], [-1.0, 0.3, 1.0], [2.0, 2.0, 8.0], [0.5, 0.01, 4.0]])
    z = bend.outward(x, bends)
    np.testing.assert_allclose(bend.inward(z, bends), x, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(z[:, 0], x[:, 0])
    h = 1e-5
    slope = (bend.outward(x + h, bends) - bend.outward(x - h, bends)) / (2 * h)
    np.testing.assert_allclose(np.exp(bend.log_slope(x, bends)), slope, rtol=1e-4)
    np.testing.assert_allclose(slope[-1], 1.0, atol=0.02)
    np.testing.assert_allclose(slope[0], 1.0 + bends[:, 2], rtol=0.02)


def test_a_long_left_tail_is_taken_in_and_a_normal_is_left_alone() -> None:
    """The log sd of a scatter that is all but hidden; with 4,000 draws skewness errs by 0.04."""
    rng = np.random.default_rng(1)
    normal = rng.standard_normal(4000)
    # The likelihood ends it on the right, the prior of sd 1.5 goes on to the left.
    tail = -np.abs(rng.normal(0.0, 1.5, 4000)) + 0.1 * rng.standard_normal(4000)
    constant = np.zeros(4000)
    z = np.column_stack([normal, tail, constant])
    learned = bend.learn(z)
    np.testing.assert_array_equal(learned[2], [0.0, 1.0, 0.0])
    x = bend.inward(z, learned)
    assert skew(tail) < -0.9
    assert abs(skew(x[:, 1])) < 0.3
    assert abs(skew(x[:, 0])) < 0.3
