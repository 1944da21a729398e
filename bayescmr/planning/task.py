"""What a plan is for: the question, the runs that could be made, and when it is enough."""

from __future__ import annotations

from dataclasses import dataclass

from bayescmr.cmr import Estimand, Target
from bayescmr.design.stop_rules import StopRules
from bayescmr.planning.space import Space
from bayescmr.posterior.intervals import PROB


@dataclass(frozen=True)
class Task:
    """A question, and what may be done about it.

    Parameters
    ----------
    target : Target
        Question.
    space : Space
        Runs that could be made.
    rules : StopRules
        When it is enough.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR.
    risk : float
        Allowed chance that the next run breaks the bound, in (0, 1).
    prob : float
        Probability of the interval whose width the rules speak of.
    """

    target: Target
    space: Space
    rules: StopRules
    estimand: Estimand = "tolerance"
    risk: float = 0.1
    prob: float = PROB
