"""What losses would tell, without any linearity: simulate them, weigh the draws anew, look.

Losses are simulated from some of the draws. Each simulation weighs all other draws by its
likelihood; their weighted mean is compared, as a guess of the CMR of the draw that made it, with
the guess of a line. The mean of the weighted variances would need no line, but rare draws far out
make up much of the variance of a CMR, and simulations that miss them understate what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.design.moments import cholesky
from bayescmr.design.psis import khat_limit, smooth

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: Weights are trusted if this share of simulations has a Pareto k below its limit, and the median
#: effective number of draws is at least this.
_TRUSTED_SHARE = 0.9
_TRUSTED_ESS = 100.0


@dataclass(frozen=True)
class Reweighted:
    """What simulated losses leave to be learnt.

    Parameters
    ----------
    mean : ndarray, shape (simulations,)
        Of the CMR, given each simulation.
    left : ndarray, shape (simulations,)
        Its variance, given each simulation.
    nearer : ndarray, shape (simulations,)
        Squared error of the best line minus that of ``mean``. Its expectation is what the line
        misses of the drop of variance.
    good : float
        Share of simulations whose Pareto k is below its limit.
    ess : float
        Median effective number of draws.
    """

    mean: Float
    left: Float
    nearer: Float
    good: float
    ess: float

    @property
    def trusted(self) -> bool:
        """True where the re-weighted variances can be used."""
        return self.good >= _TRUSTED_SHARE and self.ess >= _TRUSTED_ESS


def reweight(losses: Float, noise: Float, cmr: Float, chosen: Index, errors: Float) -> Reweighted:
    """Simulate losses from some draws and condition all others on each simulation.

    Parameters
    ----------
    losses : ndarray, shape (columns, draws)
        Expected losses.
    noise : ndarray, shape (columns, columns)
        Covariance of what is measured.
    cmr : ndarray, shape (draws,)
        What is to be learnt.
    chosen : ndarray, shape (simulations,)
        Draws from which losses are simulated.
    errors : ndarray, shape (columns, simulations)
        Standard normal.
    """
    white = np.linalg.solve(cholesky(noise), losses)
    simulated = white[:, chosen] + errors
    # log density up to a constant of each simulation: -|y - m|^2 / 2
    log = simulated.T @ white - 0.5 * (white**2).sum(0)
    # The draw that made the simulation would fit it too well.
    log[np.arange(len(chosen)), chosen] = -np.inf
    weights, khat = smooth(log)
    mean = weights @ cmr
    left = np.maximum(weights @ cmr**2 - mean**2, 0.0)
    truth = cmr[chosen]
    nearer = (truth - _line(white, cmr, simulated)) ** 2 - (truth - mean) ** 2
    good = float((khat < khat_limit(len(cmr))).mean())
    return Reweighted(mean, left, nearer, good, float(np.median(1.0 / (weights**2).sum(1))))


def _line(white: Float, cmr: Float, simulated: Float) -> Float:
    """Best linear guess of the CMR from each simulation of whitened losses."""
    middle = white.mean(1, keepdims=True)
    losses, goal = white - middle, cmr - cmr.mean()
    n = len(cmr) - 1
    slope = np.linalg.solve(losses @ losses.T / n + np.eye(len(losses)), losses @ goal / n)
    return np.asarray(cmr.mean() + slope @ (simulated - middle))
