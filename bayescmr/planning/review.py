"""Which of the runs under way is better paused, now that others have told something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayescmr.design.acquisition import Acquisition
from bayescmr.design.outlook import Option, Outlook, Trajectory
from bayescmr.planning.explanation import Leg, leg_of
from bayescmr.planning.outlook import outlook as outlook_of
from bayescmr.planning.space import Made
from bayescmr.planning.task import Task
from bayescmr.posterior import Posterior

#: By how much an alternative must be worth more than going on: to stop and start costs time that
#: no cost model has, and scores have a Monte Carlo error.
HYSTERESIS = 1.2


@dataclass(frozen=True)
class Pause:
    """A run that is worth less than something else.

    Parameters
    ----------
    run : str
        Its name.
    score : float
        Of going on with it, at the best of its checkpoints still to come.
    alternative : tuple of Leg
        What is worth most instead.
    alternative_score : float
        Of that.
    """

    run: str
    score: float
    alternative: tuple[Leg, ...]
    alternative_score: float

    @property
    def share(self) -> float:
        """Score of going on, as a share of the alternative's."""
        return self.score / self.alternative_score

    @property
    def sentence(self) -> str:
        """The reason in words."""
        instead = " and ".join(leg.words for leg in self.alternative)
        return (
            f"run {self.run} is paused: going on with it is worth {self.share:.0%} of the best"
            f" alternative ({instead})"
        )


def to_pause(
    posterior: Posterior,
    task: Task,
    made: Sequence[Made],
    rule: Acquisition,
    *,
    budget: float,
    asked: Collection[str] = (),
) -> tuple[Pause, ...]:
    """Choose the run under way that had best be paused at its last measured checkpoint.

    Each is weighed from where it stands, its set-up being paid already, against all that could be
    begun instead; the other runs under way are taken as known. One run at most: once it is paused
    and the alternative begun, the others are weighed anew.

    Parameters
    ----------
    posterior : Posterior
        Of all losses that are in, those of runs under way among them.
    task : Task
        Question and space.
    made : sequence of Made
        Runs begun.
    rule : Acquisition
        What a run is worth: the rule that picks.
    budget : float
        FLOPs neither spent nor reserved; what a pause would give back comes on top.
    asked : collection of str
        Runs that were asked to pause already, and have not ended yet.

    Returns
    -------
    tuple of Pause
        None or one.
    """
    found = [
        pause
        for run in made
        if run.until is not None
        and run.run not in asked
        and (pause := _weighed(posterior, task, made, run, rule, budget)) is not None
    ]
    return tuple(sorted(found, key=lambda pause: pause.share)[:1])


def _weighed(
    posterior: Posterior,
    task: Task,
    made: Sequence[Made],
    run: Made,
    rule: Acquisition,
    budget: float,
) -> Pause | None:
    # As if it were at rest: then it is a candidate, and the others alone are pending.
    others = [replace(one, until=None) if one is run else one for one in made]
    look = outlook_of(posterior, task.target, task.space, others, estimand=task.estimand)
    found = _going_on(look, task, run)
    if found is None:
        return None
    look, own = found
    freed = float(look.trajectories[own].cost[-1])
    scores = rule.score(rule.moments(look), budget=budget + freed)
    going_on = float(scores.score[own])
    instead = np.where([_has(option, own) for option in scores.options], -np.inf, scores.score)
    best = int(np.argmax(instead))
    if not HYSTERESIS * going_on < instead[best]:
        return None
    parts = scores.options[best].parts
    legs = tuple(leg_of(look.trajectories[i].candidate, k) for i, k in parts)
    return Pause(run.run, going_on, legs, float(instead[best]))


def _going_on(look: Outlook, task: Task, run: Made) -> tuple[Outlook, int] | None:
    """The outlook with the run as it is being trained, and its index.

    None where nothing of it was measured, or no checkpoint is still to come.
    """
    assert run.until is not None
    space = task.space
    for i, one in enumerate(look.trajectories):
        candidate = one.candidate
        if candidate.is_new or space.run_of(candidate, [run]) is None:
            continue
        marks = tuple(mark for mark in candidate.checkpoints if mark <= run.until)
        if not marks:
            return None
        n = len(marks)
        own = Trajectory(
            replace(candidate, checkpoints=marks),
            one.mean[:, :n],
            one.noise[:n, :n],
            # Its set-up is paid already.
            one.cost[:n] - space.cost.setup,
        )
        trajectories = (*look.trajectories[:i], own, *look.trajectories[i + 1 :])
        return replace(look, trajectories=trajectories), i
    return None


def _has(option: Option, trajectory: int) -> bool:
    return any(i == trajectory for i, _ in option.parts)
