"""Picks of real policies as a log: one policy writes it, others are evaluated on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from bayescmr.design.baselines import Bisection, Grid, Random
from bayescmr.design.ope import Estimator, evaluate
from bayescmr.design.outlook import Candidate, Outlook, Trajectory
from bayescmr.design.pick_log import log_of, propensities_on
from bayescmr.design.policy import Pick
from bayescmr.errors import DesignError

RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)


def state(rng: np.random.Generator, candidates: int) -> Outlook:
    """Some runs of one size, in random order; a CMR somewhere."""
    ratios = rng.permutation(RATIOS)[:candidates]
    cmr = np.clip(rng.uniform(0.2, 0.8) + 0.05 * rng.standard_normal(50), 0, 1)
    trajectories = tuple(
        Trajectory(
            Candidate(1e6, "law", float(r), 0, (1e6, 2e6)),
            np.zeros((50, 2)), np.eye(2), np.array([1e12, 2e12]),
        )
        for r in ratios
    )  # fmt: skip
    return Outlook(trajectories, cmr, cmr, np.array([0.0, 1.0]), np.zeros((50, 2)))


def gain(at: Outlook, pick: Pick) -> float:
    """Benefit of a run: more where its ratio is nearer to the CMR."""
    ((index, _),) = pick.chosen.parts
    return 1 - abs(at.trajectories[index].candidate.ratio - float(np.median(at.cmr)))


@dataclass(frozen=True)
class Logged:
    states: list[Outlook]
    picks: list[Pick]
    reward: np.ndarray


@pytest.fixture(scope="module")
def logged() -> Logged:
    rng = np.random.default_rng(0)
    states = [state(rng, int(rng.integers(2, 6))) for _ in range(400)]
    picks = [Random().propose(s, budget=1e15, batch=1, rng=rng)[0] for s in states]
    reward = np.array([gain(s, p) for s, p in zip(states, picks, strict=True)])
    return Logged(states, picks, reward + 0.05 * rng.standard_normal(400))


def picks_of(policy, states: list[Outlook]) -> list[Pick]:
    rng = np.random.default_rng(1)
    return [policy.propose(s, budget=1e15, batch=1, rng=rng)[0] for s in states]


@pytest.mark.parametrize("policy", [Grid(), Bisection()], ids=lambda p: p.name)
def test_policies_are_evaluated_on_the_log_of_another(logged: Logged, policy) -> None:
    log = log_of(logged.picks, logged.reward)
    would = picks_of(policy, logged.states)
    truth = np.mean([gain(s, p) for s, p in zip(logged.states, would, strict=True)])
    for estimator in (Estimator.IPS, Estimator.SELF_NORMALISED, Estimator.DOUBLY_ROBUST):
        found = evaluate(log, propensities_on(logged.picks, would), estimator)
        assert abs(found.value - truth) < 4 * found.se, estimator


def test_bisection_is_found_better_than_the_grid(logged: Logged) -> None:
    log = log_of(logged.picks, logged.reward)
    grid, bisection = (
        evaluate(log, propensities_on(logged.picks, picks_of(p, logged.states)), e)
        for p, e in ((Grid(), Estimator.SELF_NORMALISED), (Bisection(), Estimator.SELF_NORMALISED))
    )
    assert bisection.low > grid.high


def test_a_deterministic_policy_leaves_no_log_to_evaluate_on(logged: Logged) -> None:
    picks = picks_of(Grid(), logged.states)
    log = log_of(picks, logged.reward)
    with pytest.raises(DesignError, match="without randomness"):
        evaluate(log, propensities_on(picks, picks), Estimator.IPS)


def test_options_in_another_order_are_the_same_options(logged: Logged) -> None:
    def turned(pick: Pick) -> Pick:
        back = slice(None, None, -1)
        scores = replace(pick.scores, options=pick.scores.options[back])
        return Pick(len(scores.options) - 1 - pick.option, scores, pick.propensities[back])

    would = picks_of(Bisection(), logged.states)
    np.testing.assert_array_equal(
        propensities_on(logged.picks, would),
        propensities_on(logged.picks, [turned(p) for p in would]),
    )


def test_what_was_no_option_is_refused(logged: Logged) -> None:
    would = picks_of(Bisection(), logged.states)
    shorter = tuple(type(o)(((o.parts[0][0], 0),)) for o in would[3].scores.options)
    other = replace(would[3], scores=replace(would[3].scores, options=shorter))
    with pytest.raises(DesignError, match=r"choice 3: 100\.0% of its probability"):
        propensities_on(logged.picks, [*would[:3], other, *would[4:]])
    with pytest.raises(DesignError, match="399 states, expected 400"):
        propensities_on(logged.picks, would[1:])
    with pytest.raises(DesignError, match="no pick"):
        log_of([], np.empty(0))
    with pytest.raises(DesignError, match="no pick"):
        propensities_on([], [])
