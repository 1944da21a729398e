"""Does one run decide? The CMR and the decision without each run in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.about import About, Shifts, read_study, rows_of, study_dict, write_study
from bayescmr.cmr import Estimand, Target
from bayescmr.comparison.loo import LeaveOneOut, leave_one_run_out
from bayescmr.comparison.steps import Progress
from bayescmr.errors import CheckError
from bayescmr.model.settings import Effort
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import KIND, PROB
from bayescmr.posterior.subject import one_posterior

Float = npt.NDArray[np.float64]


#: Posterior sds by which a single run may move the answer. For DFBETAS, of which this is the
#: analogue, Kutner et al. 2005 (Applied Linear Statistical Models, section 10.4) call more
#: influential where data are few.
MAX_SHIFT = 1.0

_ROWS: Mapping[str, type] = {
    "run": str,
    "size": float,
    "domain": str,
    "ratio": float,
    "median": float,
    "lower": float,
    "upper": float,
    "decision": float,
    "median_shift": float,
    "decision_shift": float,
    "risk_at_decision": float,
    "khat": float,
    "exact": bool,
    "converged": bool,
}


@dataclass(frozen=True)
class Influence(Shifts):
    """What the answer at one target would be without each run.

    Parameters
    ----------
    about : About
        Question, and the answer of all runs.
    table : DataFrame
        One row per run, the one that moves the answer most first: run, size, domain,
        ratio; median, lower, upper (of the CMR without the run), decision; median_shift,
        decision_shift (without minus with); risk_at_decision (the risk, without this run,
        of the ratio that all runs call safe); khat, exact (whether refitted), converged (of
        the refit; True where there was none).
    """

    limit: ClassVar[float] = MAX_SHIFT

    @property
    def median(self) -> float:
        """Median of the CMR given all runs."""
        return self.about.median

    @property
    def decision(self) -> float:
        """Ratio that is safe given all runs."""
        return self.about.decision

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the stable format of ``bayescmr check influence --json``."""
        result = {
            "kind": KIND,
            "passed": self.passed,
            "threshold": self.limit,
            "largest_shift": self.largest_shift,
            "runs": self.table.to_dict(orient="records"),
        }
        return study_dict("influence", self.about, result)

    def write(self, path: str | Path) -> None:
        """Write to a JSON file that ``bayescmr report --influence`` takes; whole or not at all.

        Raises
        ------
        CheckError
            It cannot be written.
        """
        write_study(Path(path), self.to_dict())

    @classmethod
    def read(cls, path: str | Path) -> Influence:
        """Read what :meth:`write` wrote.

        Raises
        ------
        CheckError
            The file cannot be read, is damaged, or another one.
        """
        about, records = read_study(Path(path), "influence", "runs")
        if not records:
            raise CheckError(f"{path}: got no run, expected at least two; run the check again")
        return cls(about, rows_of(Path(path), records, _ROWS))


def influence(
    posterior: Answers,
    target: Target,
    *,
    risk: float = 0.1,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
    loo: LeaveOneOut | None = None,
    effort: Effort | None = None,
    progress: Progress | None = None,
) -> Influence:
    """Answer the target without each run in turn.

    The draws are re-weighted (:func:`bayescmr.comparison.leave_one_run_out`); where the
    weights are unreliable, the model is fitted again without the run.

    Parameters
    ----------
    posterior : Posterior
        Fit of one model.
    target : Target
        The question.
    risk : float
        Allowed probability that the bound breaks.
    estimand : {"tolerance", "turning_point", "gu"}
        Which CMR.
    prob : float
        Probability of the equal-tailed intervals.
    loo : LeaveOneOut, optional
        Of this posterior, where it is known already; saves its refits.
    effort : Effort, optional
        Draws of the refits.
    progress : callable, optional
        Told one line before each refit.

    Raises
    ------
    TargetError
        Draws from the prior, a stacked posterior, or a target that cannot be asked.
    RunTableError
        The table has a general set of one run only.
    """
    fit = one_posterior(posterior)
    about = About.of(fit, target, risk, estimand, prob)
    whole, median, decision = fit.cmr(target), about.median, about.decision
    if loo is None:
        loo = leave_one_run_out(fit, effort=effort, progress=progress)
    rows = []
    for run, log_weights in zip(loo.table["run"], loo.log_weights, strict=True):
        cmr, weights = whole, np.exp(log_weights)
        if run in loo.refits:
            cmr = loo.refits[run].cmr(target)
            weights = np.full(cmr.predictive[estimand].size, 1.0)
        weights = weights / weights.sum()
        draws = cmr.draws[estimand].ravel()
        lower, middle, upper = weighted_quantiles(
            draws, weights, np.array([0.5 - prob / 2, 0.5, 0.5 + prob / 2])
        )
        new_run = cmr.predictive[estimand]
        breaks = (new_run < decision) | (new_run == 0.0)
        rows.append(
            {
                "median": middle,
                "lower": lower,
                "upper": upper,
                "decision": weighted_decision(new_run, weights, risk),
                "risk_at_decision": float(weights[breaks].sum()),
            }
        )
    table = pd.concat(
        [loo.table[["run", "size", "domain", "ratio"]], pd.DataFrame(rows)], axis=1
    ).assign(
        khat=loo.table["khat"], exact=loo.table["exact"], converged=loo.table["refit_converged"]
    )
    table.insert(8, "median_shift", table["median"] - median)
    table.insert(9, "decision_shift", table["decision"] - decision)
    moved = table[["median_shift", "decision_shift"]].abs().max(axis=1)
    table = table.loc[moved.sort_values(ascending=False, kind="stable").index]
    return Influence(about, table.reset_index(drop=True))


def weighted_quantiles(draws: Float, weights: Float, probs: Float) -> Float:
    """Quantiles of weighted draws; numpy's default ones where all weights are equal.

    Parameters
    ----------
    draws, weights : ndarray, shape (draws,)
        The weights sum to 1.
    probs : ndarray
        In (0, 1).
    """
    order = np.argsort(draws, kind="stable")
    mass = weights[order]
    # The i-th of n equal weights stands at i / (n - 1).
    place = np.cumsum(mass) - mass
    place = place / place[-1] if place[-1] > 0 else place
    return np.asarray(np.interp(probs, place, draws[order]))


def weighted_decision(new_run: Float, weights: Float, risk: float) -> float:
    """``CMR.decide`` of weighted draws: at most ``risk`` of their mass lies below the answer."""
    order = np.argsort(new_run, kind="stable")
    below = np.cumsum(weights[order]) - weights[order]
    # The first draw has nothing below it; a hair of slack for sums of rounded weights.
    return float(new_run[order][np.flatnonzero(below <= risk + 1e-12)[-1]])
