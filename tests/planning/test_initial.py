"""The first runs: two cheap sizes, two ratios, one replicate, within the budget."""

from __future__ import annotations

import pytest

from bayescmr.design.outlook import Candidate
from bayescmr.errors import DesignError
from bayescmr.planning.initial import ENOUGH, SHARE, initial_design


def settings(found):
    return [(f.candidate.size, f.candidate.ratio, f.candidate.seed) for f in found]


def test_two_cheap_sizes_at_two_ratios_and_a_replicate(space):
    found = initial_design(space, [], 1e14)
    assert settings(found) == [
        (2e4, 0.25, 1), (2e4, 0.25, 2), (2e4, 0.75, 1), (1e5, 0.25, 1), (1e5, 0.75, 1),
    ]  # fmt: skip
    assert all(isinstance(f.candidate, Candidate) and f.candidate.is_new for f in found)


def test_none_costs_more_than_its_share(space):
    budget = 2e12
    for first in initial_design(space, [], budget):
        marks = first.candidate.checkpoints
        assert first.cost == space.flops(first.candidate.size, 0.0, marks)[first.checkpoint]
        assert first.cost <= SHARE * budget or first.checkpoint == 0
        if first.checkpoint + 1 < len(marks):
            longer = space.flops(first.candidate.size, 0.0, marks)[first.checkpoint + 1]
            assert longer > SHARE * budget


def test_what_is_there_is_not_made_again(space, make_made):
    made = [make_made(2e4, 0.25, 1), make_made(1e5, 0.75, 1)]
    assert settings(initial_design(space, made, 1e14)) == [
        (2e4, 0.25, 2), (2e4, 0.75, 1), (1e5, 0.25, 1),
    ]  # fmt: skip
    enough = [make_made(3e5, 0.0, seed) for seed in range(ENOUGH)]
    assert initial_design(space, enough, 1e14) == ()


def test_one_seed_means_no_replicate(make_space):
    assert len(initial_design(make_space(seeds=1), [], 1e14)) == 4


@pytest.mark.parametrize("ratios", [(0.0, 1.0), (0.5,)], ids=["ends-alone", "one"])
def test_few_ratios(make_space, ratios):
    found = initial_design(make_space(ratios=ratios, seeds=1), [], 1e14)
    assert {f.candidate.ratio for f in found} == set(ratios)


def test_sizes_beyond_the_cap_are_left_out(make_space):
    """A cap below the first checkpoint of the middle size: the smallest is all that there is."""
    free = make_space()
    cap = float(free.flops(2e4, 0.0, free.checkpoints[2e4])[0]) * 1.01
    found = initial_design(make_space(run_flops=cap), [], 1e14)
    assert {f.candidate.size for f in found} == {2e4}


def test_a_budget_that_does_not_reach(space):
    with pytest.raises(DesignError, match="raise the budget, or offer smaller sizes"):
        initial_design(space, [], 1e10)


def test_a_failed_first_run_is_no_reason_to_stumble(space, make_made):
    failed = [make_made(2e4, 0.25, 1, reached=0.0), make_made(2e4, 0.25, 2, reached=0.0)]
    found = initial_design(space, failed, 1e14)
    assert settings(found) == [(2e4, 0.75, 1), (1e5, 0.25, 1), (1e5, 0.75, 1)]
