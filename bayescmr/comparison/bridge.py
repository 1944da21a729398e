"""Predictive density of a run from the draws of two posteriors: without it and with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import log_expit, logsumexp

Float = npt.NDArray[np.float64]

#: Beyond this many nats outside the log likelihoods no root can lie.
_MARGIN = 100.0
#: Effective draws on either side below which the two posteriors do not overlap enough to tell.
_LEAST = 5.0


def log_density(without: Float, with_run: Float) -> tuple[float, float]:
    """Log of p(run | all other runs) by bridge sampling.

    p(run | others) is the ratio of the normalising constants of the posteriors
    with and without the run. Averaging the likelihood over the draws without it
    is the textbook estimate, but where a run says much hardly a draw of these
    comes near it, and the average is that of one or two draws. The draws with
    the run are at hand too, and Bennett's acceptance ratio, the optimal bridge,
    uses both: Bennett 1976, doi 10.1016/0021-9991(76)90078-4; Meng, Wong 1996,
    Statistica Sinica 6, 831.

    Parameters
    ----------
    without, with_run : ndarray, shape (chains, draws)
        Log likelihood of the run at draws of the posterior without, and with, it.

    Returns
    -------
    value, error : float
        Nats, and the Monte Carlo standard error, autocorrelation included; infinite where
        the two posteriors hardly overlap, so that the value is a guess.
    """
    from arviz_stats.base.array import array_stats

    balance = np.log(with_run.size / without.size)

    def terms(value: float) -> tuple[Float, Float]:
        return log_expit(without - value + balance), log_expit(value - with_run - balance)

    def excess(value: float) -> float:
        below, above = terms(value)
        return float(logsumexp(below) - logsumexp(above))

    ends = np.concatenate([without.ravel(), with_run.ravel()])
    value = float(brentq(excess, ends.min() - _MARGIN, ends.max() + _MARGIN))
    variance = 0.0
    for logs in terms(value):
        weights = np.exp(logs - logs.max())
        if weights.sum() ** 2 < _LEAST * (weights**2).sum():
            return value, float("inf")
        error = float(array_stats.mcse(weights, chain_axis=0, draw_axis=1))
        variance += (error / float(weights.mean())) ** 2
    return value, float(np.sqrt(variance))
