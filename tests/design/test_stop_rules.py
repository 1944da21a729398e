"""When a campaign ends, on what ground, and whether that certifies anything."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from types import MappingProxyType

import pytest

from bayescmr.design.floor import Floor, floor
from bayescmr.design.model_check import (
    FAR_RATIOS_OUT,
    PREQUENTIAL,
    SMALLEST_SIZE_OUT,
    ModelCheck,
)
from bayescmr.design.precision import Estimate
from bayescmr.design.stop_rules import StopRules
from bayescmr.design.stopping import Assessment, State, Stop, StopReason
from bayescmr.errors import DesignError

NAMES = (SMALLEST_SIZE_OUT, FAR_RATIOS_OUT, PREQUENTIAL)
GOOD = tuple(ModelCheck(name, True, 0.5, f"{name}: as it should be") for name in NAMES)
REACHED = Floor(3, 4, 2, 3, True, True, largest=1e8, target=4e8)
UNSURE = State(
    round=1,
    width=Estimate(0.3, 0.001),
    regret=Estimate(0.1, 0.001),
    evpi=Estimate(0.1, 0.001),
    decision=0.3,
    forecast=1e15,
    reachable=0.1,
    budget_left=1e16,
    cheapest=1e12,
    floor=REACHED,
    checks=GOOD,
)
RULES = StopRules(width=0.08, regret=0.02, price=1e-15)
PRECISE = replace(UNSURE, width=Estimate(0.07, 0.001))


def history(*states: State) -> list[State]:
    """States as those of rounds 1, 2, ..., each with a decision of its own unless sure."""
    return [replace(s, round=i + 1) for i, s in enumerate(states)]


def wandering(*states: State) -> list[State]:
    """The same, with decisions that change, so that nothing is stable."""
    return [replace(s, decision=0.3 + 0.01 * s.round) for s in history(*states)]


def stop(rules: StopRules, *states: State) -> Stop | None:
    return rules.assess(wandering(*states)).stop


@pytest.mark.parametrize(
    ("sure", "reason"),
    [
        (PRECISE, StopReason.PRECISION),
        (replace(UNSURE, regret=Estimate(0.015, 0.001)), StopReason.REGRET),
        (replace(UNSURE, evpi=Estimate(0.0008, 0.00005)), StopReason.VALUE),
    ],
    ids=lambda x: x.value if isinstance(x, StopReason) else "",
)
def test_two_fits_in_a_row_certify(sure: State, reason: StopReason) -> None:
    assert stop(RULES, UNSURE, UNSURE) is None
    assert stop(RULES, UNSURE, sure) is None
    assert stop(RULES, sure, UNSURE, sure) is None
    found = stop(RULES, UNSURE, sure, sure)
    assert found is not None
    assert (found.reason, found.certified, found.round) == (reason, True, 3)
    assert "wanted" in found.sentence
    assert found.numbers["wanted"] > 0


def test_a_threshold_is_missed_within_two_monte_carlo_errors() -> None:
    close = replace(UNSURE, width=Estimate(0.079, 0.001))
    assert stop(RULES, close, close) is None
    assert stop(replace(RULES, margin=0.5), close, close) is not None


def test_a_stable_decision_certifies_only_near_what_was_asked() -> None:
    near = replace(UNSURE, width=Estimate(0.11, 0.001))
    found = RULES.assess(history(near, near, near)).stop
    assert found is None, "three fits are one hit"
    found = RULES.assess(history(near, near, near, near)).stop
    assert found is not None
    assert (found.reason, found.certified) == (StopReason.DECISION_STABLE, True)
    assert RULES.assess(wandering(near, near, near, near)).stop is None
    far = replace(UNSURE, width=Estimate(0.13, 0.001))
    assert RULES.assess(history(far, far, far, far)).stop is None
    assert StopRules(price=1e-15).assess(history(near, near, near, near)).stop is None


@pytest.mark.parametrize("passed", [False, None])
@pytest.mark.parametrize("which", range(3))
def test_a_check_that_did_not_pass_ends_without_a_certificate(which, passed) -> None:
    checks = list(GOOD)
    checks[which] = ModelCheck(NAMES[which], passed, 3.1, "the CMR moves by 3.1 standard errors")
    state = replace(PRECISE, checks=tuple(checks))
    found = stop(RULES, PRECISE, state)
    assert found is not None
    assert (found.reason, found.certified) == (StopReason.MODEL_CHECK, False)
    assert "3.1 standard errors" in found.sentence
    assert "interval width" in found.sentence
    assert found.numbers == {NAMES[which]: 3.1}
    assert stop(RULES, UNSURE, replace(UNSURE, checks=tuple(checks))) is None


def spanned(*spans: tuple[float, float] | None) -> tuple[ModelCheck, ...]:
    """Checks that passed, with these spans."""
    return tuple(replace(check, span=span) for check, span in zip(GOOD, spans, strict=True))


def test_the_certified_range_is_what_all_fits_leave_open() -> None:
    near = replace(PRECISE, checks=spanned((0.27, 0.34), (0.28, 0.345), None))
    found = stop(RULES, PRECISE, near)
    assert found is not None
    assert (found.certified, found.span) == (True, (0.27, 0.345))
    assert "within 0.27 to 0.345" in found.sentence
    without = stop(RULES, PRECISE, PRECISE)
    assert without is not None
    assert (without.certified, without.span) == (True, None)


def test_refits_that_leave_more_open_than_was_asked_for_hold_a_certificate_back() -> None:
    wide = replace(PRECISE, checks=spanned((0.27, 0.34), (0.28, 0.351), None))
    found = RULES.assess(wandering(PRECISE, wide))
    assert found.stop is None
    assert not found.wants_checks
    (phrase,) = found.held_back
    assert "0.081 wide, wanted 0.08" in phrase
    # It ends where the money does, and is not certified then.
    ended = RULES.assess(wandering(PRECISE, replace(wide, budget_left=1e11)))
    assert ended.stop is not None
    assert (ended.stop.reason, ended.stop.certified) == (StopReason.BUDGET, False)
    assert "0.081 wide, wanted 0.08" in ended.stop.caveats[0]
    # Where a decision is stable as well, which allows for more, the words are those of the width.
    wider = replace(wide, checks=spanned((0.2, 0.35), None, None))
    (phrase,) = RULES.assess(history(wider, wider, wider, wider)).held_back
    assert "0.15 wide, wanted 0.08" in phrase


def test_a_width_keeps_back_only_who_promised_one() -> None:
    """Who was asked for a small loss as well, and has it, is certified on that ground."""
    wide = spanned((0.2, 0.5), None, None)
    sure = replace(PRECISE, regret=Estimate(0.015, 0.001), checks=wide)
    found = stop(RULES, sure, sure)
    assert found is not None
    assert (found.reason, found.certified) == (StopReason.REGRET, True)
    assert stop(StopRules(width=0.08), sure, sure) is None


@pytest.mark.parametrize(("upper", "certified"), [(0.319, True), (0.321, False)])
def test_a_stable_decision_may_leave_open_what_its_slack_allows(
    upper: float, certified: bool
) -> None:
    near = replace(UNSURE, width=Estimate(0.11, 0.001), checks=spanned((0.2, upper), None, None))
    found = RULES.assess(history(near, near, near, near))
    assert (found.stop is not None) == certified
    # Stable, and near in its loss: the width that was asked for as well is no less a bound.
    lossy = replace(UNSURE, regret=Estimate(0.025, 0.001), checks=near.checks)
    found = RULES.assess(history(lossy, lossy, lossy, lossy))
    assert (found.stop is not None) == certified


def test_only_who_asks_for_a_width_alone_says_which_shift_is_none() -> None:
    assert StopRules(width=0.08).shift == 0.08
    assert RULES.shift is None
    assert StopRules(regret=0.02).shift is None


def test_a_check_that_is_missing_is_not_a_check_that_passed() -> None:
    for kept in ((), GOOD[:2], GOOD[1:]):
        found = stop(RULES, PRECISE, replace(PRECISE, checks=kept))
        assert found is not None
        assert (found.reason, found.certified) == (StopReason.MODEL_CHECK, False)
        assert "was not made" in found.sentence


def test_a_check_of_the_callers_own_is_heard() -> None:
    own = ModelCheck("convergence", False, 1.2, "R-hat is 1.2")
    found = stop(RULES, PRECISE, replace(PRECISE, checks=(*GOOD, own)))
    assert found is not None
    assert found.reason is StopReason.MODEL_CHECK
    assert "R-hat is 1.2" in found.sentence


def test_checks_are_asked_for_when_a_rule_is_met_and_not_before() -> None:
    unchecked = replace(PRECISE, checks=None)
    assert not RULES.assess(wandering(unchecked)).wants_checks
    assert not RULES.assess(wandering(unchecked, replace(UNSURE, checks=None))).wants_checks
    asked = RULES.assess(wandering(unchecked, unchecked))
    assert asked.wants_checks
    assert asked.stop is None
    answered = wandering(unchecked, PRECISE)
    assert RULES.assess(answered).stop is not None


@pytest.mark.parametrize(
    ("lacking", "says"),
    [
        (replace(REACHED, sizes=2), "3 sizes"),
        (replace(REACHED, seeds=1), "2 seeds"),
        (replace(REACHED, below=False), "a ratio below"),
        (replace(REACHED, above=False), "a ratio above"),
    ],
    ids=["sizes", "seeds", "below", "above"],
)
def test_nothing_is_certified_before_the_floor_design(lacking: Floor, says: str) -> None:
    thin = replace(PRECISE, floor=lacking)
    found = RULES.assess(wandering(thin, thin))
    assert found.stop is None
    assert not found.wants_checks
    assert any(says in phrase for phrase in found.held_back)
    poor = replace(thin, budget_left=1e11)
    ended = RULES.assess(wandering(thin, poor)).stop
    assert ended is not None
    assert (ended.reason, ended.certified) == (StopReason.BUDGET, False)


def test_the_floor_is_no_more_than_the_space_offers() -> None:
    assert not Floor(2, 2, 1, 1, True, True, 1e8, 1e8).lacks
    assert len(Floor(1, 2, 1, 2, False, False, 1e8, 1e8).lacks) == 4


def test_a_far_target_is_stated() -> None:
    far = replace(REACHED, largest=1e8, target=1e9)
    state = replace(PRECISE, floor=far)
    found = stop(RULES, state, state)
    assert found is not None and found.certified
    assert "10 times larger" in found.caveats[0]
    near = stop(RULES, PRECISE, PRECISE)
    assert near is not None and near.caveats == ()


def test_floor_from_runs() -> None:
    runs = [(1e6, 0.2, 0), (1e6, 0.2, 1), (4e6, 0.6, 0), (16e6, 0.6, 2)]
    found = floor(runs, decision=0.4, target=1e8, sizes_offered=5, seeds_offered=3)
    assert found == Floor(3, 5, 2, 3, True, True, 16e6, 1e8)
    assert not found.lacks
    high = floor(runs, decision=0.6, target=1e8, sizes_offered=5, seeds_offered=3)
    assert high.lacks == ("a ratio above the decision",)
    low = floor(runs, decision=0.0, target=1e8, sizes_offered=5, seeds_offered=3)
    assert (low.below, low.above) == (True, True)
    with pytest.raises(DesignError, match="no run"):
        floor([], decision=0.4, target=1e8, sizes_offered=5, seeds_offered=3)


def test_what_cannot_be_reached_is_not_certified() -> None:
    short = replace(UNSURE, forecast=2e16)
    assert stop(RULES, short) is None
    found = stop(RULES, short, short)
    assert found is not None
    assert (found.reason, found.certified) == (StopReason.INFEASIBLE, False)
    assert "2e+16" in found.sentence and "width 0.1 can be reached" in found.sentence
    never = replace(UNSURE, forecast=math.inf)
    found = stop(RULES, never, never)
    assert found is not None and "no plan reaches" in found.sentence
    unplanned = replace(UNSURE, forecast=None)
    assert stop(RULES, unplanned, unplanned) is None


def test_an_empty_purse_ends_at_once() -> None:
    for state in (replace(UNSURE, budget_left=1e11), replace(UNSURE, cheapest=math.inf)):
        found = stop(RULES, state)
        assert found is not None
        assert (found.reason, found.certified) == (StopReason.BUDGET, False)
    assert "no candidate is left" in found.sentence


def test_without_thresholds_only_the_budget_ends_a_campaign() -> None:
    rules = StopRules()
    assert {f.reason for f in rules.assess([UNSURE]).findings} == {
        StopReason.INFEASIBLE,
        StopReason.BUDGET,
    }
    assert rules.assess(history(*[PRECISE] * 9)).stop is None


def test_every_rule_says_its_numbers_each_round() -> None:
    found = RULES.assess(wandering(UNSURE, PRECISE))
    assert [f.reason for f in found.findings] == [
        StopReason.PRECISION,
        StopReason.REGRET,
        StopReason.VALUE,
        StopReason.DECISION_STABLE,
        StopReason.INFEASIBLE,
        StopReason.BUDGET,
    ]
    assert [f.hits for f in found.findings] == [1, 0, 0, 0, 0, 0]
    assert all(f.sentence and f.holds == (f.hits > 0) for f in found.findings)


def test_never_certified_but_by_a_rule_that_certifies() -> None:
    """Every combination of what may be true at two fits: certified only where all of it is."""
    for width, lacks, checks, left, forecast in itertools.product(
        (0.07, 0.3), (False, True), (None, GOOD, GOOD[:1]), (1e11, 1e16), (1e15, 1e17)
    ):
        state = replace(
            UNSURE,
            width=Estimate(width, 0.001),
            floor=replace(REACHED, below=not lacks),
            checks=checks,
            budget_left=left,
            forecast=forecast,
        )
        found: Assessment = RULES.assess(wandering(state, state))
        certified = found.stop is not None and found.stop.certified
        assert certified == (width == 0.07 and not lacks and checks == GOOD)
        if found.stop is not None:
            assert found.stop.certified <= found.stop.reason.certifies
            assert found.stop.sentence.endswith(".")


def test_a_stop_cannot_be_made_to_lie() -> None:
    for reason in (StopReason.BUDGET, StopReason.INFEASIBLE, StopReason.MODEL_CHECK):
        with pytest.raises(DesignError, match="never certifies"):
            Stop(reason, True, 1, MappingProxyType({}), "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0.0},
        {"regret": -1.0},
        {"price": math.inf},
        {"width": math.nan},
        {"hits": 0},
        {"stable": 1},
        {"slack": 0.5},
        {"margin": -1.0},
        {"margin": math.nan},
    ],
    ids=str,
)
def test_senseless_thresholds_are_refused(wrong) -> None:
    with pytest.raises(DesignError, match="expected"):
        StopRules(**wrong)


def test_a_history_is_in_order() -> None:
    for bad in ([], [UNSURE, UNSURE], list(reversed(history(UNSURE, UNSURE)))):
        with pytest.raises(DesignError, match="ascending"):
            RULES.assess(bad)


@pytest.mark.parametrize("name", ["decision", "forecast", "budget_left", "cheapest", "reachable"])
def test_a_state_without_a_number_is_refused(name: str) -> None:
    with pytest.raises(DesignError, match=name):
        replace(UNSURE, **{name: math.nan})
