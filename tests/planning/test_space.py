"""Runs that could be made: what they cost, which there are, and what contradicts itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import DesignError
from bayescmr.planning.cost import Cost

MARKS = tuple(float(2048 * 2**k) for k in range(3, 9))


def test_flops_by_hand():
    """Size 1e5 to 16,384 and 32,768 tokens, with 1,000 evaluation tokens and a set-up of 7e8.

    6 N T = 6e5 * 16384 = 9.8304e9, and twice that; an evaluation is 2 N * 1000 = 2e8, one at the
    base and one at each checkpoint.
    """
    cost = Cost(evaluation_tokens=1000, setup=7e8)
    assert cost.flops(1e5, 0.0, [16384.0, 32768.0]).tolist() == [
        7e8 + 9.8304e9 + 2 * 2e8,
        7e8 + 19.6608e9 + 3 * 2e8,
    ]
    # Going on measures no base, and is set up anew.
    assert cost.flops(1e5, 16384.0, [32768.0]).tolist() == [7e8 + 9.8304e9 + 2e8]


@given(
    st.lists(st.sampled_from(MARKS), unique=True, min_size=1),
    st.floats(0, 1e6),
    st.floats(0, 1e12),
    st.sampled_from([2e4, 3e5]),
)
def test_cuts_add_up_but_for_set_ups(make_space, cuts, tokens, setup, size):
    """However a run is cut into attempts, they cost what it costs, and one set-up each."""
    space = make_space(cost=Cost(evaluation_tokens=tokens, setup=setup))
    stops = sorted({*cuts, MARKS[-1]})
    pieces = [
        float(space.flops(size, start, [stop])[0])
        for start, stop in zip([0.0, *stops], stops, strict=False)
    ]
    whole = space.full_cost(size)
    assert sum(pieces) - (len(pieces) - 1) * setup == pytest.approx(whole, rel=1e-12)


def test_flops_count_measurements_between(make_space):
    """An attempt that runs past checkpoints measures at each of them."""
    space = make_space(cost=Cost(evaluation_tokens=3000))
    got = float(space.flops(1e5, MARKS[0], [MARKS[3]])[0])
    assert got == 6e5 * (MARKS[3] - MARKS[0]) + 3 * 2e5 * 3000


def test_a_new_space_offers_every_setting_once(space):
    found = space.candidates([])
    assert [(c.size, c.ratio) for c in found] == [(n, r) for n in space.sizes for r in space.ratios]
    assert {(c.seed, c.reached, c.checkpoints) for c in found} == {(1, 0.0, MARKS)}


def test_replicates_take_the_next_free_seed_up_to_the_most(make_space, make_made):
    space = make_space(seeds=3)
    made = [make_made(seed=1, open=False), make_made(seed=3, open=False)]

    def new(runs):
        return [c.seed for c in space.candidates(runs) if (c.size, c.ratio) == (2e4, 0.25)]

    assert new(made) == [2]
    # A run of others counts, and takes no seed of ours.
    assert new([make_made(seed=None, open=False)]) == [1]
    assert new([*made, make_made(seed=2, open=False)]) == []


def test_extensions(space, make_made):
    """A run at rest goes on; one under way, one that is closed and one of others do not."""

    def going(**changes):
        candidates = space.candidates([make_made(**changes)])
        return [
            (c.seed, c.reached, c.checkpoints)
            for c in candidates
            if (c.size, c.ratio) == (2e4, 0.25) and c.seed != 2 and changes.get("seed", 1)
        ]

    assert going() == [(1, MARKS[2], MARKS[3:])]
    assert going(until=MARKS[4]) == []
    assert going(open=False) == []
    assert going(seed=None) == []
    assert going(reached=MARKS[-1]) == []
    # One that came to nothing may be tried again from the start.
    assert going(reached=0.0) == [(1, 0.0, MARKS)]


def test_runs_of_another_domain_are_others(space, make_made):
    from dataclasses import replace

    other = replace(make_made(), domain="code")
    assert space.candidates([other]) == space.candidates([])


def test_no_run_ends_in_the_warm_up(make_space, make_made):
    space = make_space(min_tokens=MARKS[2])
    assert {c.checkpoints for c in space.candidates([])} == {MARKS[2:]}
    going = [c for c in space.candidates([make_made(reached=MARKS[0])]) if c.reached]
    assert [c.checkpoints for c in going] == [MARKS[2:]]
    # What it costs counts the measurements before, which are made all the same.
    one = make_space(min_tokens=MARKS[2], cost=Cost(evaluation_tokens=3000))
    assert float(one.flops(1e5, 0.0, [MARKS[2]])[0]) == 6e5 * MARKS[2] + 4 * 2e5 * 3000


def test_the_cap_is_on_a_run_however_it_is_cut(make_space, make_made):
    """A cap of what 131,072 tokens cost, with no set-up: no candidate goes farther."""
    cap = float(make_space(cost=Cost()).flops(1e5, 0.0, [MARKS[3]])[0])
    space = make_space(cost=Cost(), run_flops=cap)
    ends = {c.size: c.checkpoints[-1] for c in space.candidates([])}
    # A fifth of the parameters, five times the tokens; three times, a third: 43,690.
    assert ends == {2e4: MARKS[-1], 1e5: MARKS[3], 3e5: MARKS[1]}
    going = [c for c in space.candidates([make_made(size=1e5, reached=MARKS[2])]) if c.reached]
    assert [c.checkpoints for c in going] == [(MARKS[3],)]
    assert not any(c.reached for c in space.candidates([make_made(size=1e5, reached=MARKS[3])]))


def test_run_of_takes_sizes_that_are_written_another_way(space, make_made):
    made = [make_made(seed=2), make_made(size=2e4 * (1 + 1e-12))]
    going = next(c for c in space.candidates(made) if c.reached and c.seed == 1)
    assert space.run_of(going, made) is made[1]


CONTRADICTIONS = [
    ({"domain": " "}, "domain"),
    ({"domain": 3}, "domain"),
    ({"sizes": ()}, "sizes"),
    ({"sizes": (1e5, 2e4)}, "ascending"),
    ({"sizes": (0.0, 1e5)}, "sizes"),
    ({"ratios": (0.5, 0.5)}, "ascending"),
    ({"ratios": (0.0, 1.5)}, "shares"),
    ({"ratios": (float("nan"),)}, "ratios"),
    ({"seeds": 0}, "seeds"),
    ({"seeds": True}, "seeds"),
    ({"seeds": 2.0}, "seeds"),
    ({"min_tokens": -1.0}, "min_tokens"),
    ({"min_tokens": 2 * MARKS[-1]}, "no run would tell anything"),
    ({"min_tokens": float("inf")}, "min_tokens"),
    ({"run_flops": float("nan")}, "run_flops"),
    ({"run_flops": 1.0}, "FLOPs of the cheapest run"),
    ({"checkpoints": {2e4: MARKS}}, "none for size 100000"),
    ({"checkpoints": dict.fromkeys((2e4, 1e5, 3e5), ())}, "checkpoints"),
    ({"checkpoints": dict.fromkeys((2e4, 1e5, 3e5), (0.0, 10.0))}, "tokens > 0"),
    ({"checkpoints": dict.fromkeys((2e4, 1e5, 3e5), (20.0, 10.0))}, "ascending"),
]


@pytest.mark.parametrize(
    ("changes", "said"),
    CONTRADICTIONS,
    ids=[f"{next(iter(changes))}-{i}" for i, (changes, _) in enumerate(CONTRADICTIONS)],
)
def test_contradictions_are_refused(make_space, changes, said):
    with pytest.raises(DesignError, match=said):
        make_space(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": 0.0},
        {"training": True},
        {"evaluation_tokens": -1.0},
        {"setup": float("nan")},
        {"setup": "1e9"},
    ],
    ids=["no-training", "bool", "negative", "nan", "text"],
)
def test_costs_out_of_range_are_refused(changes):
    with pytest.raises(DesignError, match=next(iter(changes))):
        Cost(**changes)


def test_costs_grow_along_a_run(space):
    for size in space.sizes:
        assert (np.diff(space.flops(size, 0.0, MARKS)) > 0).all()
