"""How large a share of chance is worth its cost: one-step value against later evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayescmr.design.ope import require_propensities
from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError

SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class ShareChoice:
    """Shares of exploration, what each is expected to gain, and how well it would evaluate.

    Parameters
    ----------
    shares : ndarray, shape (shares,)
        Ascending.
    value : ndarray, shape (shares,)
        Expected one-step value of the mixture of rule and exploration.
    variance : ndarray, shape (shares,)
        Expected variance of the doubly robust value of a later rule, mean over these rules;
        infinite where a rule may take what the mixture cannot.
    pareto : ndarray of bool, shape (shares,)
        Whether no other share has both more value and less variance.
    knee : int
        Index of the share on the Pareto set where more exploration begins to pay less.
    """

    shares: Float
    value: Float
    variance: Float
    pareto: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    knee: int


def choose_share(
    rule: Float,
    explore: Float,
    predicted: Float,
    missed: Float,
    targets: Sequence[Float],
    *,
    choices: int,
    shares: Sequence[float] = SHARES,
) -> ShareChoice:
    """Weigh shares of exploration against each other, before any is spent.

    Parameters
    ----------
    rule, explore : ndarray, shape (states, options)
        Propensities of the rule that is to be run and of pure exploration, at simulated states.
    predicted : ndarray, shape (states, options)
        Expected reward of each option.
    missed : ndarray, shape (states, options)
        Expected square of reward minus prediction.
    targets : sequence of ndarray, shape (states, options)
        Propensities of rules that are to be evaluated later.
    choices : int
        Length of the log that will be written.
    shares : sequence of float
        Shares to weigh, in [0, 1].

    Returns
    -------
    ShareChoice
        The knee is the share farthest from the straight line between the ends of the Pareto set,
        on axes scaled to [0, 1], the variance on a log scale: it spans orders of magnitude.

    Raises
    ------
    DesignError
        Where shapes do not fit, or no share can evaluate every target.
    """
    for name, table in (("rule", rule), ("explore", explore), *(("target", t) for t in targets)):
        require_propensities(name, table)
        if table.shape != predicted.shape or table.shape != missed.shape:
            raise DesignError(
                f"{name}: got shape {table.shape}, predictions of {predicted.shape} and their"
                f" errors of {missed.shape}: expected the same"
            )
    alpha = np.unique(np.asarray(shares, float))
    if not targets or not len(alpha) or not ((alpha >= 0) & (alpha <= 1)).all() or choices < 1:
        raise DesignError(
            "exploration share: expected targets, shares from 0 to 1, and one choice or more"
        )
    value, variance = np.empty(len(alpha)), np.empty(len(alpha))
    for i, a in enumerate(alpha):
        mixed = (1 - a) * rule + a * explore
        value[i] = (mixed * predicted).sum(axis=1).mean()
        variance[i] = np.mean([dr_variance(mixed, t, predicted, missed) for t in targets]) / choices
    usable = np.isfinite(variance)
    if not usable.any():
        raise DesignError(
            "exploration share: some target may take what no share of exploration would: widen"
            " the exploration, or restrict the targets"
        )
    better = (value[:, None] >= value) & (variance[:, None] <= variance)
    strictly = (value[:, None] > value) | (variance[:, None] < variance)
    pareto = usable & ~(better & strictly).any(axis=0)
    return ShareChoice(alpha, value, variance, pareto, _knee(value, variance, pareto))


def dr_variance(logged: Float, target: Float, predicted: Float, missed: Float) -> float:
    """Expected variance of one term of the doubly robust value.

    Parameters
    ----------
    logged, target : ndarray, shape (states, options)
        Propensities.
    predicted, missed : ndarray, shape (states, options)
        As for `choose_share`; with predictions of 0, and the expected square of the reward as
        what is missed, it is the second moment of an inverse propensity term.

    Returns
    -------
    float
        Variance over states of what is predicted, plus the mean of squared weight times squared
        miss; infinite where the target may take what the log cannot.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        moment = np.where(target > 0, target**2 / logged * missed, 0.0)
    expected = (target * predicted).sum(axis=1)
    return float(np.var(expected) + moment.sum(axis=1).mean())


def _knee(
    value: Float, variance: Float, pareto: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> int:
    index = np.flatnonzero(pareto)
    x, y = value[index], np.log(np.maximum(variance[index], np.finfo(float).tiny))
    spread = np.ptp(x), np.ptp(y)
    if len(index) < 3 or not min(spread) > 0:
        return int(index[0])
    gain, error = (x - x.min()) / spread[0], (y - y.min()) / spread[1]
    # Both ends lie on gain = error; a good share has much gain at little error.
    return int(index[np.argmax(gain - error)])
