"""From here to certainty: the cheapest runs found that bring the variance of the CMR to a target.

The plan is a forecast (FLOPs still needed, whether the budget can do it at all). A policy takes its
next run from it at most; the rest is planned anew once losses are in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.design.acquisition import PosteriorVariance
from bayescmr.design.moments import Gain, Moments
from bayescmr.design.outlook import Option, Outlook
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]

#: How much cost counts while a plan is built; the best of the plans is kept.
EXPONENTS = (0.3, 0.6, 1.0)
#: Trajectories that are looked at for each exponent.
MAX_TRAJECTORIES = 64
MAX_STEPS = 200
#: Share of the variance that a step takes away at least; less is dust, of which no plan is made.
_LEAST = 1e-3


@dataclass(frozen=True)
class Plan:
    """Runs in the order in which they are best made.

    Parameters
    ----------
    options : tuple of Option
        Indices are those of the outlook.
    variance : ndarray, shape (options + 1,)
        Expected variance of the CMR before the first and after each.
    cost : ndarray, shape (options + 1,)
        FLOPs spent until then.
    reached : bool
        True if the last variance is no more than the target.
    """

    options: tuple[Option, ...]
    variance: Float
    cost: Float
    reached: bool


@dataclass(frozen=True)
class _Needed(PosteriorVariance):
    """Drop of the variance of the CMR, as far as it is needed: more is not paid for."""

    target: float = 0.0

    def weights(self, outlook: Outlook) -> None:
        return None

    def value(self, gain: Gain) -> Float:
        return np.minimum(gain.cmr, float(gain.variance[0]) - self.target)


def plan_to(outlook: Outlook, variance_target: float, budget: float) -> Plan:
    """Find runs that bring the expected variance of the CMR to a target.

    Parameters
    ----------
    outlook : Outlook
        Draws, candidates, pending runs (which are taken as known).
    variance_target : float
        Of the CMR, at least 0.
    budget : float
        FLOPs that may be spent; infinity to ask what would be needed.

    Returns
    -------
    Plan
        The cheapest found that reaches the target, or the one that gets nearest.

    Raises
    ------
    DesignError
        The target is negative or the budget is not a number.
    """
    if not variance_target >= 0.0 or math.isnan(budget):
        raise DesignError(
            f"variance target and budget: got {variance_target} and {budget}, expected a variance"
            " >= 0 and FLOPs"
        )
    among = _worth_a_look(outlook, variance_target, budget)
    start = Moments.of(outlook, among=among)
    plans = [
        _pruned(start, _greedy(start, _Needed(exponent, variance_target), budget), variance_target)
        for exponent in EXPONENTS
    ]
    costs = [sum(outlook.cost(option) for option in plan) for plan in plans]
    ends = [start.variance_given(plan) for plan in plans]
    best = min(
        range(len(plans)),
        key=lambda n: (0, costs[n]) if _reached(ends[n], variance_target) else (1, ends[n]),
    )
    return _plan(start, plans[best], variance_target)


def _worth_a_look(outlook: Outlook, target: float, budget: float) -> set[int]:
    """Trajectories among the best for any exponent, with their partners."""
    moments = Moments.of(outlook)
    among: set[int] = set()
    for exponent in EXPONENTS:
        scores = _Needed(exponent, target).score(moments, budget=budget)
        for n in np.argsort(-scores.score, kind="stable")[:MAX_TRAJECTORIES]:
            if np.isfinite(scores.score[n]):
                among.update(i for i, _ in scores.options[n].parts)
    return among


def _greedy(moments: Moments, rule: _Needed, budget: float) -> list[Option]:
    plan: list[Option] = []
    taken: set[int] = set()
    while len(plan) < MAX_STEPS and not _reached(float(moments.variance[0]), rule.target):
        scores = rule.score(moments, budget=budget, taken=taken)
        counts = scores.diagnostics["reduction"] >= _LEAST * moments.variance[0]
        counts &= np.isfinite(scores.score)
        if not counts.any():
            break
        best = int(np.argmax(np.where(counts, scores.score, -np.inf)))
        plan.append(scores.options[best])
        taken.update(i for i, _ in plan[-1].parts)
        budget -= float(scores.cost[best])
        moments = moments.given_option(plan[-1])
    return plan


def _pruned(moments: Moments, plan: list[Option], target: float) -> list[Option]:
    """The plan without what it can do without, dearest first."""
    if not _reached(moments.variance_given(plan), target):
        return plan
    for option in sorted(plan, key=moments.outlook.cost, reverse=True):
        rest = [other for other in plan if other is not option]
        if _reached(moments.variance_given(rest), target):
            plan = rest
    return plan


def _plan(moments: Moments, plan: list[Option], target: float) -> Plan:
    variance, cost = [float(moments.variance[0])], [0.0]
    for option in plan:
        moments = moments.given_option(option)
        variance.append(float(moments.variance[0]))
        cost.append(cost[-1] + moments.outlook.cost(option))
    reached = _reached(variance[-1], target)
    return Plan(tuple(plan), np.array(variance), np.array(cost), reached)


def _reached(variance: float, target: float) -> bool:
    # Sums in another order differ in the last digits.
    return variance <= target * (1.0 + 1e-9)
