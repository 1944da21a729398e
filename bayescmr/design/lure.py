"""Error over a pool of runs, from runs that were chosen actively."""

from __future__ import annotations

import numpy as np

from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError


def lure(loss: Float, propensities: Float, pool: int) -> float:
    """Mean loss over a finite pool, unbiased though its members were not chosen evenly.

    Members are taken one after another without replacement. The plain mean over them is biased:
    an active rule looks where the loss is large.

    Parameters
    ----------
    loss : ndarray, shape (taken,)
        Of the members taken, in the order in which they were.
    propensities : ndarray, shape (taken,)
        Probability with which each was taken among those that were left then.
    pool : int
        Members of the pool, taken ones included.

    Raises
    ------
    DesignError
        Where shapes do not fit or a propensity is not in (0, 1].

    References
    ----------
    Farquhar, Gal & Rainforth 2021, ICLR, "On statistical bias in active learning": R_LURE.
    """
    taken = len(loss)
    if loss.shape != (taken,) or propensities.shape != (taken,) or not 0 < taken <= pool:
        raise DesignError(
            f"LURE: got {loss.shape} losses, {propensities.shape} propensities and a pool of"
            f" {pool}, expected one propensity for each loss, and no more than the pool"
        )
    if not ((propensities > 0) & (propensities <= 1)).all() or not np.isfinite(loss).all():
        raise DesignError("LURE: expected finite losses and propensities in (0, 1]")
    if taken == pool:
        return float(loss.mean())
    m = np.arange(1, taken + 1)
    weight = 1 + (pool - taken) / (pool - m) * (1 / ((pool - m + 1) * propensities) - 1)
    return float((weight * loss).mean())
