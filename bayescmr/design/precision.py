"""How precisely draws say something: width of an interval, loss of a decision, with their error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from bayescmr.design.decision import losses
from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError


@dataclass(frozen=True)
class Estimate:
    """A number from draws.

    Parameters
    ----------
    value : float
        The number.
    mcse : float
        Its Monte Carlo standard error.
    """

    value: float
    mcse: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and np.isfinite(self.mcse) and self.mcse >= 0):
            raise DesignError(
                f"estimate: got {self.value} with Monte Carlo error {self.mcse},"
                " expected finite numbers, the error >= 0"
            )

    def below(self, bound: float, *, margin: float = 2.0) -> bool:
        """Whether it is at most a bound, with so many Monte Carlo errors to spare."""
        return self.value + margin * self.mcse <= bound


def quantile(draws: Float, p: float, ess: float) -> Estimate:
    """Quantile of draws, and its error from the order statistics.

    Parameters
    ----------
    draws : ndarray, shape (draws,)
        Of the posterior.
    p : float
        In (0, 1).
    ess : float
        Effective number of draws for this quantile.

    Returns
    -------
    Estimate
        Half the distance between the sample quantiles at the 16 % and 84 % points of the rank's
        Beta distribution, as in Vehtari et al. 2021, Bayesian Analysis 16(2), section 4.4.
    """
    _require(draws, p, ess)
    ranks = [float(beta.ppf(q, ess * p + 1, ess * (1 - p) + 1)) for q in (0.1586553, 0.8413447)]
    low, high = (float(np.quantile(draws, rank)) for rank in ranks)
    return Estimate(float(np.quantile(draws, p)), (high - low) / 2)


def width(draws: Float, probability: float, ess: float) -> Estimate:
    """Width of the equal-tailed interval of a probability.

    Its error is that of two independent quantiles, a little more than it is: far quantiles of
    the same draws are positively correlated.
    """
    low, high = (quantile(draws, p, ess) for p in ((1 - probability) / 2, (1 + probability) / 2))
    return Estimate(high.value - low.value, float(np.hypot(low.mcse, high.mcse)))


def regret(draws: Float, risk: float, ess: float) -> Estimate:
    """Expected loss of the best decision, in units of a ratio forgone.

    Of the quantile at ``risk``, which is the best decision; see `bayescmr.design.decision`. It is
    also the value of perfect information about ``draws``.

    Parameters
    ----------
    draws : ndarray, shape (draws,)
        Critical mixture ratio.
    risk : float
        Allowed probability that a decision is too high, in (0, 1).
    ess : float
        Effective number of draws.
    """
    _require(draws, risk, ess)
    loss = losses(draws, float(np.quantile(draws, risk)), risk)
    # The decision is a minimum: its own error changes the mean only to second order.
    return Estimate(float(loss.mean()), float(loss.std() / np.sqrt(ess)))


def probe_value(cmr: Float, next_run: Float, risk: float, ess: float) -> Estimate:
    """Most that any number of probes could save of the expected loss: the EVPI of probes.

    Probes tell the critical ratio, never the run effect of the next run, so the loss that this
    effect alone would cause is no benefit of probes.

    Parameters
    ----------
    cmr, next_run : ndarray, shape (draws,)
        Critical ratio without and with the run effect of the next run, draw by draw; the effect is
        taken to be independent of the ratio.
    risk, ess : float
        As for `regret`.

    Returns
    -------
    Estimate
        In units of a ratio forgone; 0 where the run effect is all that is left.
    """
    total, kept = regret(next_run, risk, ess), regret(next_run - cmr, risk, ess)
    return Estimate(max(total.value - kept.value, 0.0), float(np.hypot(total.mcse, kept.mcse)))


def _require(draws: Float, p: float, ess: float) -> None:
    if draws.ndim != 1 or len(draws) < 2 or not np.isfinite(draws).all():
        raise DesignError(f"draws: got shape {draws.shape}, expected two or more finite numbers")
    if not 0 < p < 1:
        raise DesignError(f"probability: got {p}, expected a number between 0 and 1")
    if not 1 <= ess <= 2 * len(draws):
        raise DesignError(
            f"ess: got {ess}, expected an effective number of draws from 1 to {2 * len(draws)}"
        )
