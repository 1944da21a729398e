"""How well policies did: FLOPs to an answer, errors at budgets, coverage; paired over worlds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bayescmr.design.decision import losses
from bayescmr.worlds.trace import Round, Trace

Float = npt.NDArray[np.float64]

#: Ends of intervals are crossings found to 1e-9.
XTOL = 2e-9


def settled(trace: Trace, within: float = 0.02) -> float:
    """FLOPs from which the median stays within so much of the truth; infinite if it never does."""
    found = math.inf
    for one in reversed(trace.rounds):
        if abs(one.median - trace.truth) > within:
            break
        found = one.spent
    return found


def narrowed(trace: Trace, width: float = 0.08) -> float:
    """FLOPs at which the 90 % interval is first no wider; infinite if it never is."""
    return next((one.spent for one in trace.rounds if one.width <= width), math.inf)


def at(trace: Trace, spend: float) -> Round:
    """The last fit that had cost no more; the first where all cost more."""
    return max(
        (one for one in trace.rounds if one.spent <= spend),
        key=lambda one: one.spent,
        default=trace.rounds[0],
    )


def covers(one: Round, truth: float) -> bool:
    """Whether the 90 % interval holds the truth."""
    return one.lower - XTOL <= truth <= one.upper + XTOL


def regret(one: Round, truth: float, risk: float) -> float:
    """Loss of the decision, in ratios forgone; too much costs (1 - risk) / risk times as much."""
    return float(losses(np.array(truth), one.decision, risk))


def restricted(costs: Sequence[float], cap: float) -> Float:
    """Costs with what was never reached, or later, counted at the cap, shape (worlds,)."""
    return np.asarray(np.minimum(np.asarray(costs, dtype=float), cap))


def ratio_interval(
    costs: Float, others: Float, *, seed: int, prob: float = 0.9, replicates: int = 4000
) -> tuple[float, float, float]:
    """Ratio of mean costs with its percentile interval, worlds resampled in pairs.

    Parameters
    ----------
    costs, others : ndarray, shape (worlds,)
        Restricted costs of a policy and of another in the same worlds.
    seed : int
        Of the bootstrap.
    prob : float
        Of the interval.
    replicates : int
        Of the bootstrap.

    Returns
    -------
    ratio, lower, upper : float
        Of ``others`` to ``costs``: above 1 where the first policy is cheaper.
    """
    rng = np.random.default_rng(seed)
    pick = rng.integers(len(costs), size=(replicates, len(costs)))
    ratios = others[pick].mean(axis=1) / costs[pick].mean(axis=1)
    lower, upper = np.quantile(ratios, [0.5 - prob / 2, 0.5 + prob / 2])
    return float(others.mean() / costs.mean()), float(lower), float(upper)
