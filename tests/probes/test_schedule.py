"""Learning rates of every step, against what each schedule promises."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from bayescmr.probes import Training
from bayescmr.probes.schedule import describe, learning_rate

STEPS = 200
CONSTANT = Training(learning_rate=1e-3, warmup_tokens=10 * 2048)
COSINE = replace(CONSTANT, schedule="cosine", final_learning_rate=1e-4)
WSD = replace(COSINE, schedule="wsd", decay_share=0.3)


def rates(training):
    return [learning_rate(training, step, STEPS) for step in range(STEPS)]


@pytest.mark.parametrize("training", [CONSTANT, COSINE, WSD], ids=["constant", "cosine", "wsd"])
def test_warm_up_rises_evenly_to_the_peak(training):
    assert rates(training)[:10] == pytest.approx([1e-4 * k for k in range(1, 11)])
    assert max(rates(training)) == pytest.approx(1e-3)


def test_constant_stays():
    assert set(rates(CONSTANT)[10:]) == {1e-3}


def test_cosine_is_half_way_half_way():
    assert rates(COSINE)[-1] == pytest.approx(1e-4)
    assert rates(COSINE)[10 + 95 - 1] == pytest.approx((1e-3 + 1e-4) / 2)
    third = 10 + 19 - 1
    expected = 1e-4 + 9e-4 * (1 + math.cos(math.pi / 10)) / 2
    assert rates(COSINE)[third] == pytest.approx(expected)


def test_wsd_is_constant_and_then_a_straight_line():
    assert set(rates(WSD)[10:140]) == {1e-3}
    falling = rates(WSD)[139:]
    steps = [a - b for a, b in pairwise(falling)]
    assert steps == pytest.approx([9e-4 / 60] * 60)
    assert falling[-1] == pytest.approx(1e-4)


def test_a_constant_rate_does_not_know_how_long_the_run_is():
    assert [learning_rate(CONSTANT, k, 40) for k in range(40)] == rates(CONSTANT)[:40]


def test_in_words():
    assert describe(WSD) == "wsd, to 0.0001, warm-up 20480 tokens"
    assert describe(Training(learning_rate=1.0)) == "constant"
