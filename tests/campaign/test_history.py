"""States of the stop rules survive the store."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from bayescmr.campaign.history import state_from, state_to
from bayescmr.design.floor import Floor
from bayescmr.design.model_check import ModelCheck
from bayescmr.design.precision import Estimate
from bayescmr.design.stopping import State

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0, allow_nan=False, allow_infinity=False)
unbounded = st.floats(0, allow_nan=False, allow_infinity=True)
estimates = st.builds(Estimate, value=finite, mcse=positive)
counts = st.integers(0, 50)
floors = st.builds(
    Floor, sizes=counts, sizes_offered=counts, seeds=counts, seeds_offered=counts,
    below=st.booleans(), above=st.booleans(), largest=positive, target=positive,
)  # fmt: skip
checks = st.builds(
    ModelCheck,
    name=st.text(),
    passed=st.sampled_from([True, False, None]),
    value=st.floats(allow_nan=True, allow_infinity=True),
    span=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
    # Words that stand for numbers which JSON does not have, and must stay words here.
    sentence=st.text() | st.sampled_from(["nan", "infinite", "-infinite"]),
)
states = st.builds(
    State, round=st.integers(1, 999), width=estimates, regret=estimates, evpi=estimates,
    decision=st.floats(0, 1), forecast=st.none() | unbounded, reachable=st.none() | positive,
    budget_left=unbounded, cheapest=unbounded, floor=floors,
    checks=st.none() | st.lists(checks, max_size=3).map(tuple),
)  # fmt: skip


def same(one, other):
    return repr(one) == repr(other)  # NaN is not equal to itself


@given(states)
def test_round_trip_through_json(state):
    text = json.dumps(state_to(state), allow_nan=False)
    assert same(state_from(json.loads(text)), state)


def test_no_number_is_rounded():
    third = Estimate(1 / 3, math.nextafter(0.1, 1))
    floor = Floor(1, 1, 1, 1, True, False, 1e5, 3e5)
    state = State(1, third, third, third, 0.29, math.inf, None, 1e18 / 3, math.inf, floor)
    assert state_from(json.loads(json.dumps(state_to(state)))) == state
