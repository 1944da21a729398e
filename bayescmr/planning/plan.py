"""From a posterior to a plan in one call, for people who make their runs themselves."""

from __future__ import annotations

import math

import numpy as np

from bayescmr.cmr import Estimand, Target
from bayescmr.design.active import Active
from bayescmr.design.exploration import Exploration
from bayescmr.design.stop_rules import StopRules
from bayescmr.errors import DesignError
from bayescmr.planning.advice import Advice, advise
from bayescmr.planning.space import Made, Space
from bayescmr.planning.task import Task
from bayescmr.posterior import Posterior
from bayescmr.posterior.intervals import PROB, check_prob
from bayescmr.values import is_number


def plan(
    posterior: Posterior,
    target: Target,
    space: Space,
    *,
    estimand: Estimand = "tolerance",
    risk: float = 0.1,
    prob: float = PROB,
    width: float | None = None,
    budget: float = math.inf,
    batch: int = 1,
    exploration: float = 0.0,
    may_extend: bool = False,
    seed: int = 1,
) -> Advice:
    """Say which runs to make next, and whether they are still worth making.

    Runs of the fitted table count as made. Nothing is fitted and nothing certified: the checks of
    the model, which need refits, are made by campaigns.

    Parameters
    ----------
    posterior : Posterior
        Of one model.
    target : Target
        Question.
    space : Space
        Runs that could be made.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR is to be learnt.
    risk, prob : float
        Allowed chance of breaking the bound; probability of the interval; in (0, 1).
    width : float, optional
        Width of the interval that would be enough, in units of the ratio; with it the runs up to
        there are planned, too.
    budget : float
        FLOPs that are left, > 0; infinite by default.
    batch : int
        Runs to propose, each given those before it; a pair counts as one.
    exploration : float
        Probability of not simply taking the best, in [0, 1).
    may_extend : bool
        Whether runs of the table may be gone on with. They must still be at hand, with their
        optimiser's state, and have noted their seed.
    seed : int
        Of the exploration, and of the second look at the best options.

    Returns
    -------
    Advice
        Its picks are the runs; :func:`bayescmr.explain` says why.

    Raises
    ------
    DesignError, TargetError
        No posterior of a single model, no candidate, a value out of range, or a target that
        cannot be asked.

    Examples
    --------
    >>> advice = bayescmr.plan(posterior, target, space, width=0.05)  # doctest: +SKIP
    >>> for pick in advice.picks:  # doctest: +SKIP
    ...     print(bayescmr.explain(advice, pick).sentence)
    """
    check_prob(risk, "risk", "0.1")
    check_prob(prob)
    if not (is_number(budget, infinite=True) and budget > 0):
        raise DesignError(f"budget: got {budget!r}, expected FLOPs > 0, for example 1e18")
    if batch < 1:
        raise DesignError(f"batch: got {batch!r}, expected a whole number >= 1")
    if width is not None and not 0 < width < 1:
        raise DesignError(f"width: got {width!r}, expected a width in (0, 1), for example 0.05")
    made = made_of(posterior, may_extend=may_extend)
    domains = sorted({run.domain for run in made})
    if target.domain not in domains:
        raise DesignError(
            f"domain: got {target.domain!r}, of which the table has no run, expected one of"
            f" {', '.join(domains)}; make first runs of it, two sizes at two ratios, say"
        )
    advice = advise(
        posterior,
        Task(target, space, StopRules(width=width), estimand, risk, prob),
        made,
        Active(exploration=Exploration(exploration)),
        budget=budget,
        batch=batch,
        rng=np.random.default_rng(seed),
    )
    if not advice.outlook.trajectories:
        raise DesignError(
            f"space: no candidate is left: every run of it is among the {len(made)} of the table,"
            f" {space.seeds} of each size and ratio at most; offer more ratios, sizes or seeds"
        )
    return advice


def made_of(posterior: Posterior, *, may_extend: bool = False) -> list[Made]:
    """Tell the runs that a posterior was fitted to.

    Parameters
    ----------
    posterior : Posterior
        Of any table.
    may_extend : bool
        Whether they can be gone on with.

    Raises
    ------
    DesignError
        No posterior of a single model.
    """
    if not isinstance(posterior, Posterior):
        raise DesignError(
            f"posterior: got a {type(posterior).__name__}, expected the posterior of one model:"
            " the next run is designed with the law of one model"
        )
    found = []
    for run, rows in posterior.frame.groupby("run", sort=False):
        first = rows.iloc[0]
        noted = "seed" in rows and first["seed"] == first["seed"]
        found.append(
            Made(
                run=str(run),
                size=float(first["size"]),
                domain=str(first["domain"]),
                ratio=float(first["ratio"]),
                seed=int(first["seed"]) if noted else None,
                reached=float(rows["tokens"].max()),
                open=may_extend,
            )
        )
    return found
