"""A policy in a world: what it pays, what it is told, and that the play is paired."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.design.active import Active
from bayescmr.design.baselines import Sobol
from bayescmr.design.stop_rules import StopRules
from bayescmr.errors import DesignError
from bayescmr.worlds import Rules, Trace, opening, play

SEED = 3


@pytest.fixture(scope="module")
def rules(space):
    full = space.full_cost(space.sizes[-1])
    first = ((1e8, 0.25, 1, 4e9), (1e8, 0.75, 1, 4e9), (1e8, 0.75, 2, 4e9), (4e8, 0.5, 1, 1e9))
    return Rules(
        first, 2.5 * full, (1.3 * full, 2.5 * full), draws=100, tune=100, stop=StopRules(width=0.9)
    )


@pytest.fixture(scope="module")
def opened(inside, rules):
    return opening(inside, rules, SEED)


@pytest.fixture(scope="module")
def traces(inside, rules, opened):
    return {p.name: play(inside, p, rules, SEED, opened) for p in (Active(name="a"), Sobol())}


def test_all_start_alike(traces, rules):
    first, other = traces.values()
    assert replace(first.rounds[0], seconds=0.0) == replace(other.rounds[0], seconds=0.0)
    assert [run[:3] for run in first.bought[:4]] == [run[:3] for run in rules.first]


def test_spends_what_it_says_and_no_more(traces, rules, inside):
    for trace in traces.values():
        spends = [r.spent for r in trace.rounds]
        assert spends == sorted(set(spends))
        assert 2 <= len(spends) <= 4
        assert spends[-1] <= rules.budget
        # What was trained costs at least its training and one set-up a run.
        cost = inside.space.cost
        least = sum(6 * size * tokens + cost.setup for size, _, _, tokens in trace.bought)
        assert spends[-1] >= least
        assert trace.rounds[-1].runs == len(trace.bought) == len({b[:3] for b in trace.bought})


def test_rounds_are_answers_about_the_truth(traces, inside):
    for trace in traces.values():
        assert trace.truth == inside.truth
        for one in trace.rounds:
            assert 0 <= one.lower <= one.median <= one.upper <= 1
            assert 0 <= one.rank <= 1
            assert (one.rank > 0.05) == (one.lower < trace.truth) or one.rank == 0.05
            assert one.ess <= 400
        assert not trace.rounds[0].pit
        assert all(0 <= u <= 1 for one in trace.rounds for u in one.pit)
        assert any(one.pit for one in trace.rounds)


def test_a_fit_that_did_not_converge_says_so(traces):
    """A hundred draws a chain never pass the gates: they are in the trace, with their reasons."""
    for trace in traces.values():
        assert all(any("ESS" in p for p in one.problems) for one in trace.rounds)


def test_the_stop_rules_are_heard(traces, inside):
    """A width of 0.9 is soon reached: what follows is a certificate, or a reason against it."""
    for trace in traces.values():
        ending = trace.ending
        assert ending is not None
        assert ending.round < len(trace.rounds)
        if ending.certified:
            last = trace.rounds[ending.round]
            assert ending.lower <= last.lower <= last.upper <= ending.upper
            assert ending.upper - ending.lower <= 0.9
        else:
            assert ending.reason in ("model check", "budget", "infeasible")
            assert ending.sentence.startswith("Not certified")


def test_same_seed_same_trace(inside, rules, opened, traces):
    again = play(inside, Sobol(), rules, SEED, opened)
    for one, other in zip(again.rounds, traces["sobol"].rounds, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)
    assert len(opened[0].runs) == 4  # playing leaves what was opened as it is


def test_traces_survive_json(traces):
    for trace in traces.values():
        text = json.dumps(trace.to_dict(), allow_nan=False)
        assert Trace.of(json.loads(text)) == trace


def test_impossible_beginnings_are_refused(inside, rules):
    with pytest.raises(DesignError, match=r"no checkpoint at 3e\+09 tokens"):
        opening(inside, replace(rules, first=((1e8, 0.25, 1, 3e9),)), SEED)
    with pytest.raises(DesignError, match="budget: got 1 FLOPs, expected at least"):
        opening(inside, replace(rules, budget=1.0), SEED)


def test_far_ratios_are_those_of_whole_runs(opened):
    from bayescmr.planning.model_checks import without_far_ratios

    frame = opened[0].table()
    left = without_far_ratios(frame, 0.25)
    assert set(left["ratio"]) == {0.25, 0.5}
    assert np.isin(left["run"], frame["run"]).all()


@given(
    ratios=st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0]), min_size=2, max_size=30),
    answer=st.floats(0, 1),
)
def test_far_ratios_are_a_quarter_of_the_runs_where_ties_allow(ratios, answer):
    from bayescmr.planning.model_checks import without_far_ratios

    frame = pd.DataFrame({"run": [f"r{i}" for i in range(len(ratios))], "ratio": ratios})
    left = without_far_ratios(frame, answer)
    away = (frame["ratio"] - answer).abs()
    out = ~frame["run"].isin(left["run"])
    assert out.any()
    assert left.empty or away[~out].max() < away[out].min()
    # More than a quarter only where the farthest alone are more.
    assert out.sum() <= math.ceil(0.25 * (len(frame) - 1)) or (away[out] == away.max()).all()
