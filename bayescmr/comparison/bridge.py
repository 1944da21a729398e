"""Predictive density of a run from the draws of two posteriors: without it and with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit

Float = npt.NDArray[np.float64]

#: Beyond this many nats outside the log likelihoods no root can lie.
_MARGIN = 100.0


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
        Nats, and the Monte Carlo standard error, autocorrelation included.
    """
    from arviz_stats.base.array import array_stats

    balance = np.log(with_run.size / without.size)

    def excess(value: float) -> float:
        below = expit(without - value + balance).sum()
        above = expit(value - with_run - balance).sum()
        return float(below - above)

    ends = np.concatenate([without.ravel(), with_run.ravel()])
    value = float(brentq(excess, ends.min() - _MARGIN, ends.max() + _MARGIN))
    errors = [
        float(array_stats.mcse(terms, chain_axis=0, draw_axis=1)) / float(terms.mean())
        for terms in (expit(without - value + balance), expit(value - with_run - balance))
    ]
    return value, float(np.hypot(errors[0], errors[1]))
