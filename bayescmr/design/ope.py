"""Off-policy evaluation: what another rule would have gained, from the log of this one.

One step at a time, on the states that were logged: the value of a whole loop under another rule
needs a product of weights whose variance grows exponentially, and simulated worlds instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError

# Fewer effective choices than this say nothing of another rule.
MIN_ESS = 10.0
_RESAMPLES = 2000


class Estimator(StrEnum):
    """How the log is re-weighted; w is the target's propensity over the logged one.

    ``IPS``: mean of w r. ``SELF_NORMALISED``: the same over the mean of w. ``DOUBLY_ROBUST``: what
    is predicted of the target, plus the mean of w times what the prediction missed.
    """

    IPS = "inverse propensity"
    SELF_NORMALISED = "self-normalised"
    DOUBLY_ROBUST = "doubly robust"


@dataclass(frozen=True)
class Log:
    """Choices that were made, and how likely each option was. Rows of unequal length: `padded`.

    Parameters
    ----------
    propensities : ndarray, shape (choices, options)
        Probability with which each option could have been chosen; each row sums to 1. For a log
        that several rules have written in turn: `balanced`.
    chosen : ndarray of int, shape (choices,)
        Index of what was chosen.
    reward : ndarray, shape (choices,)
        What came of it, in any unit; runs that failed are in it, with their cost.
    predicted : ndarray, shape (choices, options), optional
        What was expected of each option beforehand, same unit.
    """

    propensities: Float
    chosen: npt.NDArray[np.intp]
    reward: Float
    predicted: Float | None = None

    def __post_init__(self) -> None:
        require_propensities("logged", self.propensities)
        n, options = self.propensities.shape
        if self.chosen.shape != (n,) or self.reward.shape != (n,):
            raise DesignError(
                f"log: got {self.chosen.shape} choices and {self.reward.shape} rewards, expected"
                f" {n} of each, as there are rows of propensities"
            )
        if not ((self.chosen >= 0) & (self.chosen < options)).all():
            raise DesignError(f"log: chosen: expected indices of options, 0 to {options - 1}")
        if not np.isfinite(self.reward).all():
            raise DesignError(
                "log: reward: got a value that is no number; a run that failed has"
                " a reward too, minus its cost"
            )
        if self.predicted is not None and (
            self.predicted.shape != (n, options) or not np.isfinite(self.predicted).all()
        ):
            raise DesignError(f"log: predicted: expected finite numbers of shape {(n, options)}")
        impossible = np.flatnonzero(self.of_chosen(self.propensities) == 0)
        if len(impossible):
            raise DesignError(
                f"log: choice {impossible[0]}: what was chosen has propensity 0; the log and its"
                " propensities do not belong together"
            )

    def of_chosen(self, table: Float) -> Float:
        """Entries of what was chosen, from a table of shape (choices, options)."""
        entries: Float = table[np.arange(len(self.chosen)), self.chosen]
        return entries


@dataclass(frozen=True)
class Value:
    """Estimated one-step value of a rule on the logged states.

    Parameters
    ----------
    estimator : Estimator
        How.
    value, se : float
        Mean reward and its standard error.
    low, high : float
        Interval.
    probability : float
        That of the interval.
    kind : str
        "normal" (Student's t with ``ess - 1`` degrees of freedom) or "bootstrap" (percentiles).
    choices : int
        Length of the log.
    ess : float
        Effective number of choices, ``(sum w)**2 / sum w**2``.
    largest_weight : float
        Before clipping.
    """

    estimator: Estimator
    value: float
    se: float
    low: float
    high: float
    probability: float
    kind: str
    choices: int
    ess: float
    largest_weight: float


def padded(rows: Sequence[Float]) -> Float:
    """Rows of unequal length as one table; options that a row has not are 0 in it."""
    table = np.zeros((len(rows), max(map(len, rows), default=0)))
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def balanced(components: Float, shares: Float) -> Float:
    """Propensities of a log that several rules have written: those of their mixture.

    Rules that leave nothing to chance may be among them, wherever another has support. Every
    rule must be evaluated at every state, those of other rules too.

    Parameters
    ----------
    components : ndarray, shape (rules, choices, options)
        Propensities of each rule.
    shares : ndarray, shape (rules,)
        Share of the choices that each rule has made.

    References
    ----------
    Agarwal et al. 2017, KDD: balanced inverse propensity scoring.
    """
    if components.ndim != 3 or shares.shape != components.shape[:1]:
        raise DesignError(
            f"balanced: got shapes {components.shape} and {shares.shape}, expected"
            " (rules, choices, options) and (rules,)"
        )
    require_propensities("shares", shares[None])
    mixed: Float = np.einsum("k,kno->no", shares, components)
    return mixed


def evaluate(
    log: Log,
    target: Float,
    estimator: Estimator = Estimator.DOUBLY_ROBUST,
    *,
    clip: float = np.inf,
    probability: float = 0.9,
    bootstrap: np.random.Generator | None = None,
) -> Value:
    """Estimate what a rule would have gained at the logged states, one step at a time.

    Parameters
    ----------
    log : Log
        Choices made with some randomness.
    target : ndarray, shape (choices, options)
        Propensities of the rule to be evaluated.
    estimator : Estimator
        The doubly robust one needs `Log.predicted`, and is the one to use for short logs.
    clip : float
        Weights above it are lowered to it: less variance, some bias.
    probability : float
        Of the interval.
    bootstrap : Generator, optional
        Resample choices for the interval. Choices of one campaign are taken to be independent
        given their states.

    Raises
    ------
    DesignError
        Where the log holds no randomness, gives no chance to what the target may choose, or has
        fewer than `MIN_ESS` effective choices for it.

    References
    ----------
    Dudík, Langford & Li 2011, ICML; Swaminathan & Joachims 2015, NeurIPS.
    """
    require_propensities("target", target)
    if target.shape != log.propensities.shape:
        raise DesignError(
            f"target: got shape {target.shape}, expected that of the log, {log.propensities.shape}"
        )
    if not clip > 0 or not 0 < probability < 1:
        raise DesignError(
            f"evaluation: got clip {clip} and probability {probability},"
            " expected a number > 0 and one between 0 and 1"
        )
    _require_support(log, target)
    weight = log.of_chosen(target) / log.of_chosen(log.propensities)
    used = np.minimum(weight, clip)
    total, squares = float(used.sum()), float((used**2).sum())
    ess = total**2 / squares if squares > 0 else 0.0
    if ess < MIN_ESS:
        raise DesignError(
            f"off-policy evaluation: got {ess:.1f} effective choices of {len(weight)}, expected at"
            f" least {MIN_ESS:g}: the log chose too rarely what the target would choose; use a"
            " longer log, a larger exploration share, or simulated worlds"
        )
    terms, scale = _terms(log, target, used, estimator)
    value = float(terms.mean() / scale.mean())
    # Of a ratio of means, to first order; for the others the scale is 1.
    influence = (terms - value * scale) / scale.mean()
    n = len(terms)
    se = float(influence.std(ddof=1) / np.sqrt(n))
    tail = (1 - probability) / 2
    if bootstrap is None:
        # A few large weights carry the variance, so it is known no better than their number.
        half = float(student.ppf(1 - tail, ess - 1)) * se
        low, high = value - half, value + half
    else:
        again = bootstrap.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
        means = (again @ terms) / (again @ scale)
        low, high = (float(np.quantile(means, p)) for p in (tail, 1 - tail))
    kind = "normal" if bootstrap is None else "bootstrap"
    return Value(estimator, value, se, low, high, probability, kind, n, ess, float(weight.max()))


def _terms(log: Log, target: Float, weight: Float, estimator: Estimator) -> tuple[Float, Float]:
    """Terms of numerator and denominator whose means give the value, shape (choices,) each."""
    one = np.ones(len(weight))
    if estimator is Estimator.IPS:
        return weight * log.reward, one
    if estimator is Estimator.SELF_NORMALISED:
        return weight * log.reward, weight
    if log.predicted is None:
        raise DesignError(
            "off-policy evaluation: the doubly robust estimator needs what was predicted of each"
            " option, and the log has no predictions; use another estimator"
        )
    missed = log.reward - log.of_chosen(log.predicted)
    return (target * log.predicted).sum(axis=1) + weight * missed, one


def _require_support(log: Log, target: Float) -> None:
    if (log.propensities.max(axis=1) >= 1 - 1e-12).all():
        raise DesignError(
            "off-policy evaluation: every choice of the log had propensity 1: without randomness"
            " nothing is known of other choices; log a share of exploration, or compare rules in"
            " simulated worlds"
        )
    outside = np.where(log.propensities > 0, 0.0, target).sum(axis=1)
    without = int((outside > 1e-9).sum())
    if without:
        raise DesignError(
            f"off-policy evaluation: at {without} of {len(outside)} choices the target may take"
            f" what the log could not (propensity 0; {outside.mean():.1%} of the target's"
            " probability): leave these choices out, or restrict the target to what the log"
            " could take"
        )


def require_propensities(name: str, table: Float) -> None:
    """Refuse what is no table of probabilities, shape (choices, options), rows that sum to 1."""
    if table.ndim != 2 or not table.size:
        raise DesignError(f"{name}: got shape {table.shape}, expected (choices, options)")
    sums = table.sum(axis=1)
    if not (table >= 0).all() or not (np.abs(sums - 1) <= 1e-9).all():
        raise DesignError(
            f"{name}: expected probabilities >= 0 that sum to 1 in each row, got sums from"
            f" {sums.min():.6g} to {sums.max():.6g} and a least entry of {table.min():.3g}"
        )
