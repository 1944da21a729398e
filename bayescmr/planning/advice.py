"""What to do after a fit: stop, for a stated reason, or make the runs that are worth most."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bayescmr.cmr import CMR
from bayescmr.design.floor import Floor, floor
from bayescmr.design.model_check import ModelCheck
from bayescmr.design.outlook import Outlook
from bayescmr.design.planner import Plan, plan_to
from bayescmr.design.policy import Pick, Policy
from bayescmr.design.precision import probe_value, regret, width
from bayescmr.design.projection import linear_part
from bayescmr.design.stop_rules import StopRules
from bayescmr.design.stopping import Assessment, State, StopReason
from bayescmr.planning.outlook import outlook as outlook_of
from bayescmr.planning.space import Made
from bayescmr.planning.task import Task
from bayescmr.posterior import Posterior
from bayescmr.posterior.diagnostics import measure

Float = npt.NDArray[np.float64]

#: Steps of the ratio in which a decision is said to be the same as before.
DECISION_STEP = 0.01
#: Share of the variance of the CMR that must be linear in losses before a plan is trusted.
LINEAR = 0.8
#: After an alarm of a model check: ratios as near to the decision as this are probed.
NEAR = 0.1


@dataclass(frozen=True)
class Advice:
    """What a fit says about what to do.

    Parameters
    ----------
    task : Task
        Question.
    cmr : CMR
        Answer of the fit.
    outlook : Outlook
        Candidates and target, draw by draw.
    state : State
        What the stop rules look at.
    assessment : Assessment
        What they say.
    plan : Plan or None
        Cheapest runs found that reach the width asked for; None where none was asked for, or
        where the CMR is not yet nearly linear in losses.
    picks : tuple of Pick
        Runs to make now; none where the campaign stops.
    escalated : bool
        A model check raised an alarm, and the picks are the runs that answer it.
    """

    task: Task
    cmr: CMR
    outlook: Outlook
    state: State
    assessment: Assessment
    plan: Plan | None
    picks: tuple[Pick, ...]
    escalated: bool = False


def advise(
    posterior: Posterior,
    task: Task,
    made: Sequence[Made],
    policy: Policy,
    *,
    budget: float,
    batch: int,
    rng: np.random.Generator,
    history: Sequence[State] = (),
    number: int = 1,
    checks: Callable[[], tuple[ModelCheck, ...]] | None = None,
    may_escalate: bool = True,
) -> Advice:
    """Stop or go on, and with which runs.

    Parameters
    ----------
    posterior : Posterior
        Of all losses that are in.
    task : Task
        Question, space, rules.
    made : sequence of Made
        Runs begun, those under way among them.
    policy : Policy
        Picks the next runs.
    budget : float
        FLOPs neither spent nor reserved.
    batch : int
        Runs to pick at most; 0 to be told only whether to stop. A model check that failed is then
        no reason to stop while runs may answer it.
    rng : Generator
        Of the policy.
    history : sequence of State
        Of earlier fits.
    number : int
        Of this fit.
    checks : callable, optional
        Makes the model checks, which need refits; called only where a rule that certifies is
        met. Without it nothing is certified.
    may_escalate : bool
        Answer a failed model check with runs at the largest size and near the decision, before
        giving up.

    Returns
    -------
    Advice
        A fit that has not converged neither certifies nor counts; it stops for want of budget
        only. Nothing but a certificate stops while runs are under way: they are waited for.
    """
    look = outlook_of(posterior, task.target, task.space, made, estimand=task.estimand)
    cmr = posterior.cmr(task.target)
    plan, reachable = _plans(look, task, budget)
    state = _state(posterior, cmr, look, task, made, plan, reachable, budget, number)
    if not (posterior.converged and cmr.converged):
        assessment = StopRules().assess([state])
    else:
        assessment = task.rules.assess([*history, state])
        if assessment.wants_checks and checks is not None:
            state = replace(state, checks=checks())
            assessment = task.rules.assess([*history, state])
    stop, goes_on = assessment.stop, replace(assessment, stop=None)
    if stop is None:
        picks = policy.propose(look, budget=budget, batch=batch, rng=rng) if batch else ()
        return Advice(task, cmr, look, state, assessment, plan, picks)
    if stop.reason is StopReason.MODEL_CHECK and may_escalate and look.trajectories:
        answers = _that_answer(look, state.decision)
        picks = policy.propose(answers, budget=budget, batch=batch, rng=rng) if batch else ()
        if picks or not batch:
            # The picks speak of the outlook that they were chosen from.
            return Advice(task, cmr, answers, state, goes_on, plan, picks, bool(picks))
    if look.pending and not stop.certified:
        # What is paid for may still bring it about; nothing more is bought until it is in.
        return Advice(task, cmr, look, state, goes_on, plan, ())
    return Advice(task, cmr, look, state, assessment, plan, ())


def decision_of(cmr: CMR, task: Task) -> float:
    """Ratio that would be launched: that of the stated risk, on a grid, rounded down."""
    exact = cmr.decide(task.risk, task.estimand)
    return math.floor(exact / DECISION_STEP + 1e-9) * DECISION_STEP


def _plans(look: Outlook, task: Task, budget: float) -> tuple[Plan | None, float | None]:
    """Cheapest plan to the width asked for, and the width that the budget reaches.

    None where covariances do not tell: a forecast that is no more than a bound would stop
    campaigns that could have ended well.
    """
    if task.rules.width is None:
        return None, None
    look, linear = linear_part(look)
    if linear < LINEAR:
        return None, None
    sds = 2.0 * NormalDist().inv_cdf(0.5 + task.prob / 2.0)
    plan = plan_to(look, (task.rules.width / sds) ** 2, math.inf)
    if plan.reached and plan.cost[-1] <= budget:
        return plan, sds * math.sqrt(max(float(plan.variance[-1]), 0.0))
    most = plan_to(look, 0.0, budget)
    return plan, sds * math.sqrt(max(float(most.variance[-1]), 0.0))


def _state(
    posterior: Posterior,
    cmr: CMR,
    look: Outlook,
    task: Task,
    made: Sequence[Made],
    plan: Plan | None,
    reachable: float | None,
    budget: float,
    number: int,
) -> State:
    draws, own = cmr.draws[task.estimand], cmr.next_run.draws[task.estimand]
    tail = _ess(draws)
    decision = decision_of(cmr, task)
    return State(
        round=number,
        width=width(draws.ravel(), task.prob, tail),
        regret=regret(own.ravel(), task.risk, _ess(own)),
        evpi=probe_value(draws.ravel(), own.ravel(), task.risk, tail),
        decision=decision,
        forecast=None if plan is None else float(plan.cost[-1]) if plan.reached else math.inf,
        reachable=reachable,
        budget_left=budget,
        cheapest=min((float(t.cost[0]) for t in look.trajectories), default=math.inf),
        floor=_floor(posterior, task, made, decision),
    )


def _ess(draws: Float) -> float:
    """Effective draws in the tails; all of them where every draw is the same."""
    found = measure({"CMR": draws}).min_ess_tail
    return float(np.clip(found, 1.0, draws.size)) if np.isfinite(found) else float(draws.size)


def _floor(posterior: Posterior, task: Task, made: Sequence[Made], decision: float) -> Floor:
    rows = posterior.frame
    rows = rows[(rows["role"] == "general") & (rows["domain"] == task.target.domain)]
    seeds = {run.run: run.seed for run in made if run.seed is not None}
    # A run whose seed nobody noted is a run of its own.
    others = {run: -1 - i for i, run in enumerate(rows["run"].unique())}
    return floor(
        {
            (float(size), float(ratio), seeds.get(str(run), others[run]))
            for run, size, ratio in zip(rows["run"], rows["size"], rows["ratio"], strict=True)
        },
        decision=decision,
        target=float(task.target.size),
        sizes_offered=len({*task.space.sizes, *rows["size"].astype(float)}),
        seeds_offered=task.space.seeds,
    )


def _that_answer(look: Outlook, decision: float) -> Outlook:
    """The candidates that tell whether the law holds where it matters.

    Those of the largest size at hand, and those near the decision at any size.
    """
    largest = max(t.candidate.size for t in look.trajectories)
    kept = tuple(
        t for t in look.trajectories
        if t.candidate.size == largest or abs(t.candidate.ratio - decision) <= NEAR
    )  # fmt: skip
    return replace(look, trajectories=kept, pairs=())
