"""Stop or go on, and with which runs; explanations, and checks, whose numbers are looked up."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bayescmr.design.acquisition import PosteriorVariance
from bayescmr.design.active import Active
from bayescmr.design.exploration import Exploration
from bayescmr.design.model_check import FAR_RATIOS_OUT, PREQUENTIAL, SMALLEST_SIZE_OUT, ModelCheck
from bayescmr.design.policy import Pick, Scores
from bayescmr.design.projection import linear_part
from bayescmr.design.stop_rules import StopRules
from bayescmr.design.stopping import StopReason
from bayescmr.planning import advice as module
from bayescmr.planning import review
from bayescmr.planning.advice import advise, decision_of
from bayescmr.planning.explanation import Leg, explain
from bayescmr.planning.review import HYSTERESIS, to_pause
from bayescmr.words import short

POLICY = Active(exploration=Exploration(0.0), refinement=None)
PASSED = tuple(
    ModelCheck(name, True, 0.1, f"{name}: fine")
    for name in (SMALLEST_SIZE_OUT, FAR_RATIOS_OUT, PREQUENTIAL)
)
FAILED = (replace(PASSED[0], passed=False, sentence="moved"), *PASSED[1:])


@pytest.fixture
def settled(prior, monkeypatch):
    """The prior's draws as those of a fit that has converged.

    Prior draws are independent, but have no chains to compare; whether a fit has converged is
    another part's to say.
    """

    def make(converged=True):
        monkeypatch.setattr(type(prior), "converged", converged)
        monkeypatch.setattr(type(prior.cmr(TARGET)), "converged", converged)
        return prior

    return make


TARGET = None


@pytest.fixture(autouse=True)
def _target(target):
    global TARGET
    TARGET = target


@pytest.fixture
def ask(settled, task, begun):
    """Ask for advice; the floor is reached and every width is enough unless said otherwise."""

    def ask(rules=None, converged=True, made=begun, **changes):
        posterior = settled(converged)
        given = {
            "budget": 1e14, "batch": 1, "rng": np.random.default_rng(1), "number": 2,
        }  # fmt: skip
        question = task if rules is None else replace(task, rules=rules)
        return advise(posterior, question, made, POLICY, **{**given, **changes})

    return ask


def enough(**changes):
    """Rules that any fit meets at once."""
    return StopRules(**{"width": 1e3, "hits": 1, "required": (SMALLEST_SIZE_OUT,), **changes})


@pytest.fixture
def floor_reached(monkeypatch):
    real = module._floor

    def reached(*words):
        found = real(*words)
        return replace(found, sizes=3, seeds=3, below=True, above=True)

    monkeypatch.setattr(module, "_floor", reached)


def test_goes_on_with_the_best_run_for_its_cost(ask):
    advice = ask()
    assert advice.assessment.stop is None
    (pick,) = advice.picks
    scores = POLICY.acquisition.score(POLICY.acquisition.moments(advice.outlook))
    assert scores.score[pick.option] == scores.score.max()


def test_certified(ask, floor_reached):
    advice = ask(enough(), checks=lambda: PASSED)
    assert advice.assessment.stop.reason is StopReason.PRECISION
    assert advice.assessment.stop.certified and advice.picks == ()


def test_nothing_is_certified_below_the_floor(ask):
    """Two sizes of three: a certifying rule is met, and held back."""
    advice = ask(enough(), checks=lambda: PASSED)
    assert advice.assessment.stop is None and advice.picks
    assert any("3 sizes" in phrase for phrase in advice.assessment.held_back)


def test_nothing_is_certified_without_checks(ask, floor_reached):
    advice = ask(enough())
    assert advice.assessment.stop is None and advice.assessment.wants_checks


def test_checks_are_made_only_where_they_are_wanted(ask):
    def costly():
        raise AssertionError("refits for nothing")

    assert ask(StopRules(width=1e-6), checks=costly).assessment.stop is None


def test_a_fit_that_has_not_converged_certifies_nothing(ask, floor_reached):
    advice = ask(enough(), converged=False, checks=lambda: PASSED)
    assert advice.assessment.stop is None and advice.picks


def test_without_convergence_an_empty_budget_still_stops(ask):
    stop = ask(converged=False, budget=1.0).assessment.stop
    assert stop.reason is StopReason.BUDGET and not stop.certified


def test_a_failed_check_is_answered_once(ask, floor_reached, target):
    advice = ask(enough(), checks=lambda: FAILED)
    assert advice.escalated and advice.assessment.stop is None and advice.picks
    # All that is on offer is of the largest size at hand or near the decision.
    for t in advice.outlook.trajectories:
        near = abs(t.candidate.ratio - advice.state.decision) <= module.NEAR
        assert t.candidate.size == 3e5 or near
    # Indices of the picks are those of the outlook that comes with them.
    sentence = explain(advice, advice.picks[0]).sentence
    i, k = advice.picks[0].chosen.parts[0]
    candidate = advice.outlook.trajectories[i].candidate
    assert f"{short(candidate.checkpoints[k])} tokens" in sentence
    stop = ask(enough(), checks=lambda: FAILED, may_escalate=False).assessment.stop
    assert stop.reason is StopReason.MODEL_CHECK and not stop.certified
    assert "moved" in stop.sentence


def test_a_failed_check_does_not_stop_a_look(ask, floor_reached):
    """With nothing to pick, the answer to a check is left to the next round that picks."""
    advice = ask(enough(), checks=lambda: FAILED, batch=0)
    assert advice.assessment.stop is None and not advice.escalated and advice.picks == ()
    assert ask(enough(), checks=lambda: FAILED, batch=0, may_escalate=False).assessment.stop


def under_way(begun, space):
    return [replace(begun[1], until=space.checkpoints[2e4][-1]), begun[0], *begun[2:]]


def test_an_empty_budget_waits_for_what_is_under_way(ask, begun, space):
    assert ask(budget=1.0).assessment.stop.reason is StopReason.BUDGET
    advice = ask(budget=1.0, made=under_way(begun, space))
    assert advice.assessment.stop is None and advice.picks == ()


def test_a_certificate_does_not_wait(ask, floor_reached, begun, space):
    advice = ask(enough(), checks=lambda: PASSED, made=under_way(begun, space))
    assert advice.assessment.stop.certified


def test_out_of_reach_at_two_fits_in_a_row(ask, monkeypatch):
    """A width that no plan reaches: at the first fit it goes on, at the second it says so."""
    # These draws are not linear enough for a plan to be trusted; here it is all the same.
    monkeypatch.setattr(module, "LINEAR", 0.0)
    first = ask(StopRules(width=1e-4), budget=1e11, number=1)
    assert first.plan is not None and not first.plan.reached
    assert first.assessment.stop is None
    second = ask(StopRules(width=1e-4), budget=1e11, number=2, history=[first.state])
    assert second.assessment.stop.reason is StopReason.INFEASIBLE


def test_the_state_is_what_the_draws_say(ask, target):
    advice = ask()
    draws = advice.cmr.draws["tolerance"].ravel()
    low, high = np.quantile(draws, [0.05, 0.95])
    assert advice.state.width.value == pytest.approx(high - low, abs=1e-12)
    assert advice.state.budget_left == 1e14
    assert advice.state.cheapest == min(t.cost[0] for t in advice.outlook.trajectories)
    decision = advice.state.decision
    assert decision <= advice.cmr.decide(0.1) < decision + module.DECISION_STEP
    assert decision == decision_of(advice.cmr, advice.task)
    assert (advice.state.floor.sizes, advice.state.floor.seeds) == (2, 2)


def test_the_forecast_is_the_cost_of_the_plan(ask, monkeypatch):
    assert ask(StopRules(width=0.5)).state.forecast is None
    monkeypatch.setattr(module, "LINEAR", 0.0)
    advice = ask(StopRules(width=0.5))
    plan = advice.plan
    look, _ = linear_part(advice.outlook)
    assert plan.cost[-1] == pytest.approx(sum(look.cost(option) for option in plan.options))
    # Of a normal, 90 % lie within 1.645 sds on either side.
    wanted = (0.5 / (2 * 1.6448536)) ** 2
    assert plan.reached is bool(plan.variance[-1] <= wanted * (1 + 1e-6))
    assert advice.state.forecast == (plan.cost[-1] if plan.reached else math.inf)


# --- explanations -----------------------------------------------------------------------------


def test_numbers_of_an_explanation(ask):
    advice = ask()
    (pick,) = advice.picks
    found = explain(advice, pick)
    scores = pick.scores
    assert found.width == advice.state.width.value and found.prob == 0.9
    assert found.pick.cost == scores.cost[pick.option]
    assert found.pick.rank == 1 and not found.explored
    reduction = scores.diagnostics["reduction"][pick.option]
    expected = found.width * math.sqrt(1 - reduction / advice.outlook.variance)
    assert found.pick.width == pytest.approx(expected, rel=1e-12)
    order = np.argsort(-scores.score, kind="stable")
    assert [w.score for w in found.rivals] == [scores.score[n] for n in order[1:4]]
    assert [w.rank for w in found.rivals] == [2, 3, 4]
    assert found.rivals[0].relative == pytest.approx(
        found.rivals[0].score / found.pick.score, rel=1e-12
    )
    i, k = pick.chosen.parts[0]
    candidate = advice.outlook.trajectories[i].candidate
    leg = found.pick.legs[0]
    assert (leg.size, leg.ratio, leg.seed) == (candidate.size, candidate.ratio, candidate.seed)
    assert (leg.start, leg.until) == (candidate.reached, candidate.checkpoints[k])
    assert f"{found.rivals[0].relative:.0%}" in found.sentence
    assert found.to_dict()["sentence"] == found.sentence


def test_a_run_reads_as_sizes_are_written_elsewhere():
    new = Leg(460e6, "law", 0.25, 1, 0.0, 524288)
    assert new.words == "460M parameters, ratio 0.25, 524K tokens, seed 1"
    more = Leg(25248, "law", 0.5, 2, 2e9, 20e9)
    assert more.words == "go on with 25.2K parameters, ratio 0.5, 2B to 20B tokens, seed 2"


def test_widths_are_told_in_points_as_everywhere(ask):
    advice = ask()
    found = explain(advice, advice.picks[0])
    words = f"from {100 * found.width:.3g} to {100 * found.pick.width:.3g} points wide"
    assert words in found.sentence


def test_a_pick_at_random_says_so(ask):
    advice = ask()
    scores: Scores = advice.picks[0].scores
    worst = int(np.argmin(np.where(np.isfinite(scores.score), scores.score, np.inf)))
    chance = np.full(len(scores.score), 1 / len(scores.score))
    found = explain(advice, Pick(worst, scores, chance))
    assert found.explored and found.pick.rank == found.options
    assert "picked at random" in found.sentence


# --- which run to pause -----------------------------------------------------------------------


class OfTheCMR(PosteriorVariance):
    """The drop of the variance of the CMR, also where many draws put it at 0 or 1."""

    def weights(self, outlook):
        return None


def by_hand(posterior, task, made, run, budget):
    """Best scores of going on and of all else: dense conditioning, length by length."""
    from bayescmr.planning.outlook import outlook

    rest = [replace(m, until=None) if m is run else m for m in made]
    look = outlook(posterior, task.target, task.space, rest)
    draws = np.column_stack([look.cmr, *(t.mean for t in look.pending)])
    centred = draws - draws.mean(axis=0)
    m = sum(len(t.cost) for t in look.pending)
    noise = np.zeros((m, m))
    at = 0
    for t in look.pending:
        k = len(t.cost)
        noise[at : at + k, at : at + k] = t.noise
        at += k

    def variance(columns, extra):
        """Variance of the CMR given pending losses and these."""
        y = np.column_stack([centred[:, 1:], columns - columns.mean(axis=0)])
        total = np.zeros((m + len(extra), m + len(extra)))
        total[:m, :m], total[m:, m:] = noise, extra
        n = len(y) - 1
        cov = y.T @ y / n + total
        cross = y.T @ centred[:, 0] / n
        return centred[:, 0] @ centred[:, 0] / n - cross @ np.linalg.solve(cov, cross)

    before = variance(np.empty((len(draws), 0)), np.empty((0, 0)))
    own, others = -math.inf, -math.inf
    freed = None
    for t in look.trajectories:
        c = t.candidate
        mine = (c.size, c.ratio, c.seed, c.reached) == (run.size, run.ratio, run.seed, run.reached)
        for k, mark in enumerate(c.checkpoints):
            if mine and mark > run.until:
                continue
            cost = t.cost[k] - (task.space.cost.setup if mine else 0.0)
            freed = cost if mine else freed
            value = before - variance(t.mean[:, : k + 1], t.noise[: k + 1, : k + 1])
            score = value / cost**0.7
            if mine:
                own = max(own, score)
            elif cost <= budget:
                others = max(others, score)
    return own, others


def test_pause_by_dense_conditioning(settled, task, begun, space):
    """Every run that could be under way, alone: paused where the alternative is worth more."""
    posterior = settled()
    rule = OfTheCMR()
    seen = set()
    for i, run in enumerate(begun[1:], start=1):
        flying = replace(run, until=space.checkpoints[run.size][-1])
        made = [*begun[:i], flying, *begun[i + 1 :]]
        found = to_pause(posterior, task, made, rule, budget=1e15)
        own, others = by_hand(posterior, task, made, flying, 1e15)
        seen.add(bool(found))
        # Pairs may be worth more than any single run, never less.
        if HYSTERESIS * own < others:
            assert found
        if found:
            (pause,) = found
            assert pause.run == run.run
            assert pause.score == pytest.approx(own, rel=1e-6)
            assert pause.alternative_score >= others * (1 - 1e-6)
            assert pause.score * HYSTERESIS < pause.alternative_score
            assert f"{pause.share:.0%}" in pause.sentence
    # Else nothing of what a pause says was looked at.
    assert any(seen)


def test_only_what_was_measured_and_is_under_way_is_weighed(settled, task, begun, space):
    posterior, rule = settled(), POLICY.acquisition
    assert to_pause(posterior, task, begun, rule, budget=1e15) == ()
    new = replace(begun[0], run="new", ratio=1.0, reached=0.0, until=space.checkpoints[2e4][-1])
    assert to_pause(posterior, task, [*begun, new], rule, budget=1e15) == ()


def test_one_at_a_time_the_least_worth_first(settled, task, begun, space):
    posterior, rule = settled(), POLICY.acquisition
    last = space.checkpoints[2e4][-1]
    flying = [begun[0], *(replace(run, until=last) for run in begun[1:])]
    each = [review._weighed(posterior, task, flying, run, rule, 1e15) for run in flying[1:]]
    shares = [pause.share for pause in each if pause is not None]
    assert len(shares) > 1
    (pause,) = to_pause(posterior, task, flying, rule, budget=1e15)
    assert pause.share == min(shares)
    # The next one, while that one has not ended yet.
    (other,) = to_pause(posterior, task, flying, rule, budget=1e15, asked=[pause.run])
    assert other.run != pause.run and other.share == sorted(shares)[1]
