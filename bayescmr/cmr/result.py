"""The answer: posterior of the critical mixture ratio, and the decision it supports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bayescmr.cmr.estimands import ESTIMANDS, Estimand
from bayescmr.cmr.extrapolation import Extrapolation, extrapolation_of
from bayescmr.cmr.target import Target
from bayescmr.errors import TargetError
from bayescmr.posterior.diagnostics import Verdict
from bayescmr.posterior.intervals import KIND, PROB, check_prob, interval
from bayescmr.values import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayescmr.posterior.answers import Answers

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Numbers of one estimand.

    Parameters
    ----------
    median, lower, upper : float
        Ratios; the interval has probability ``prob`` and kind ``kind``.
    prob : float
        Probability of the interval.
    kind : str
        ``eti``: equal-tailed.
    p_none : float
        Probability that no ratio is feasible (CMR = 0).
    p_all : float
        Probability that every ratio is feasible (CMR = 1).
    """

    median: float
    lower: float
    upper: float
    prob: float
    kind: str
    p_none: float
    p_all: float


@dataclass(frozen=True)
class CMR:
    """Posterior of the critical mixture ratio at one target.

    Methods without an ``estimand`` argument speak of the tolerance CMR.

    Parameters
    ----------
    posterior : Answers
        Where the draws come from: one model, or several stacked.
    target : Target
        The question.
    lam : float
        Weight of the general loss in the Lagrangian of Gu et al.
    by_set : mapping from estimand to ndarray, shape (sets, draws)
        CMR of every general set, draw by draw.
    """

    posterior: Answers
    target: Target
    lam: float
    by_set: Mapping[Estimand, Float]

    @property
    def eval_sets(self) -> tuple[str, ...]:
        """General sets that were looked at."""
        return self.target.sets_of(self.posterior.eval_sets("general"))

    @cached_property
    def draws(self) -> dict[Estimand, Float]:
        """CMR of each draw, the smallest over the sets, shape (chains, draws)."""
        shape = self.posterior.shape
        return {name: values.min(axis=0).reshape(shape) for name, values in self.by_set.items()}

    @property
    def median(self) -> float:
        """Median of the tolerance CMR."""
        return float(np.median(self.draws["tolerance"]))

    @property
    def p_none(self) -> float:
        """Probability that no ratio keeps the tolerance."""
        return self.summary().p_none

    @property
    def p_all(self) -> float:
        """Probability that every ratio keeps the tolerance."""
        return self.summary().p_all

    def interval(self, prob: float = PROB, estimand: Estimand = "tolerance") -> tuple[float, float]:
        """Equal-tailed interval of probability ``prob``."""
        return interval(self._of(estimand), prob)

    def summary(self, estimand: Estimand = "tolerance", prob: float = PROB) -> Summary:
        """Median, interval and atoms of one estimand."""
        draws = self._of(estimand)
        lower, upper = interval(draws, prob)
        return Summary(
            median=float(np.median(draws)),
            lower=lower,
            upper=upper,
            prob=prob,
            kind=KIND,
            p_none=float((draws == 0.0).mean()),
            p_all=float((draws == 1.0).mean()),
        )

    def binding(self, estimand: Estimand = "tolerance") -> dict[str, float]:
        """How often each general set is the one that binds; sums to 1."""
        self._of(estimand)
        first = self.by_set[estimand].argmin(axis=0)
        return {s: float((first == i).mean()) for i, s in enumerate(self.eval_sets)}

    @property
    def p_tolerance_binds(self) -> float:
        """Probability that Gu's CMR is set by the tolerance and not by the turning point."""
        return float((self.draws["tolerance"] < self.draws["turning_point"]).mean())

    @cached_property
    def next_run(self) -> CMR:
        """CMR of a run not yet made: with what runs miss their law by, growing away from them.

        Wider than that of the mean of all such runs, and what decides; see
        :mod:`bayescmr.cmr.discrepancy`.
        """
        by_set = self.posterior.ratios(self.target, lam=self.lam, new_run=True)
        return replace(self, by_set=by_set)

    @property
    def predictive(self) -> dict[Estimand, Float]:
        """Draws of the CMR of the next run, shape (draws,)."""
        return {name: values.ravel() for name, values in self.next_run.draws.items()}

    def decide(self, risk: float, estimand: Estimand = "tolerance") -> float:
        """Largest ratio that breaks the bound with probability at most ``risk``.

        Parameters
        ----------
        risk : float
            Allowed probability, in (0, 1). Costs of too much (c_over) and too
            little domain data (c_under) give ``c_under / (c_over + c_under)``.
        estimand : {"tolerance", "turning_point", "gu"}
            Which bound.

        Returns
        -------
        float
            max{R : P(bound holds for all R' <= R) >= 1 - risk}, where the
            probability is over parameters and over the effect of a new run; 0
            if there is none.
        """
        risk = check_prob(risk, "risk", "0.1")
        self._of(estimand)
        ordered = np.sort(self.predictive[estimand])
        # At most floor(risk n) draws may lie strictly below the answer.
        return float(ordered[int(np.floor(risk * len(ordered)))])

    def risk_at(self, ratio: float, estimand: Estimand = "tolerance") -> float:
        """Probability that a new run breaks the bound at ``ratio`` or below."""
        if not (is_number(ratio) and 0 <= ratio <= 1):
            raise TargetError(f"ratio: got {ratio!r}, expected a share in [0, 1]")
        self._of(estimand)
        predictive = self.predictive[estimand]
        # A draw with CMR 0 breaks the bound at every ratio, 0 included.
        return float(((predictive < ratio) | (predictive == 0.0)).mean())

    @cached_property
    def verdict(self) -> Verdict:
        """Convergence of these CMRs; the parameters' is ``posterior.verdict``."""
        return self.posterior.diagnose(self)

    @property
    def converged(self) -> bool:
        """True if the parameters and these CMRs have converged."""
        return self.verdict.converged and self.posterior.converged

    @cached_property
    def extrapolation(self) -> Extrapolation:
        """How far the target, and the answer, lie from the runs."""
        inside = self.draws["tolerance"][self.draws["tolerance"] < 1]
        highest = float(np.median(inside)) if inside.size else 0.0
        return extrapolation_of(self.posterior.frame, self.target, highest)

    def to_dict(
        self, risk: float, prob: float = PROB, estimand: Estimand = "tolerance"
    ) -> dict[str, Any]:
        """Everything as plain data: the stable format of ``bayescmr cmr --json``."""
        return {
            "converged": self.converged,
            "problems": [*self.posterior.verdict.problems, *self.verdict.problems],
            "target": self.target.to_dict(),
            "estimands": {name: vars(self.summary(name, prob)) for name in ESTIMANDS},
            "next_run": {name: vars(self.next_run.summary(name, prob)) for name in ESTIMANDS},
            "p_tolerance_binds": self.p_tolerance_binds,
            "binding_sets": {name: self.binding(name) for name in ESTIMANDS},
            "decision": {
                "risk": risk,
                "ratio": self.decide(risk, estimand),
                "estimand": estimand,
            },
            "extrapolation": self.extrapolation.to_dict(),
            "kind": self.posterior.kind,
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the posterior of the three CMRs; see :mod:`bayescmr.report.figures`."""
        from bayescmr.report.figures import plot_cmr

        return plot_cmr(self, ax=ax)

    def _of(self, estimand: Estimand) -> Float:
        if estimand not in ESTIMANDS:
            raise TargetError(f"estimand: got {estimand!r}, expected one of {', '.join(ESTIMANDS)}")
        return self.draws[estimand]


def critical_mixture_ratio(posterior: Answers, target: Target, *, lam: float = np.inf) -> CMR:
    """Posterior of the critical mixture ratio; see :meth:`Answers.cmr`."""
    return CMR(posterior, target, lam, posterior.ratios(target, lam=lam, new_run=False))
