"""What losses would be worth to a decision: the expected drop of its regret.

The decision is a ratio. Each unit of ratio below the CMR costs 1 (a ratio forgone), each unit
above it ``(1 - risk) / risk``, so that the best decision is the quantile at ``risk`` and its
expected loss the regret (`bayescmr.design.precision.regret`). What counts is the CMR of the next
run, whose run effect no probe can tell: part of its variance stays whatever is learnt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from bayescmr.design.outlook import Outlook
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]


def expected_loss(draws: Float, ratio: float, risk: float) -> float:
    """Expected loss of a ratio, in units of a ratio forgone.

    Parameters
    ----------
    draws : ndarray, shape (draws,)
        CMR of the next run.
    ratio : float
        The decision.
    risk : float
        In (0, 1).
    """
    _check(risk)
    return float(np.mean(losses(draws, ratio, risk)))


def losses(cmr: Float, ratio: float, risk: float) -> Float:
    """Loss of a ratio where the CMR is each of some values, in units of a ratio forgone."""
    short = np.asarray(cmr - ratio)
    return np.asarray(np.maximum(short, -short * (1.0 - risk) / risk))


def irreducible(outlook: Outlook) -> float:
    """Variance of the next run's CMR that no probe can take away: that of its run effect."""
    return max(float(np.var(outlook.next_run, ddof=1)) - outlook.variance, 0.0)


def evsi(reduction: Float | float, variance: float, risk: float, stays: float = 0.0) -> Float:
    """Expected value of sample information: how much the regret is expected to drop.

    Parameters
    ----------
    reduction : float or ndarray
        Expected drop of the variance of the CMR (``Scores.diagnostics["reduction"]``).
    variance : float
        Of the CMR, before.
    risk : float
        In (0, 1).
    stays : float
        Variance that no probe takes away; see `irreducible`.

    Returns
    -------
    ndarray, shape of ``reduction``
        In units of a ratio forgone; for Gaussian CMRs, whose regret is ``phi(z_risk) sd / risk``.
    """
    _check(risk)
    per_sd = np.exp(-0.5 * ndtri(risk) ** 2) / np.sqrt(2.0 * np.pi) / risk
    left = np.maximum(variance - np.asarray(reduction, dtype=float), 0.0)
    return np.asarray(per_sd * (np.sqrt(variance + stays) - np.sqrt(left + stays)))


def evpi(variance: float, risk: float, stays: float = 0.0) -> float:
    """Expected value of perfect information: the EVSI of all that probes could ever tell.

    No run nor batch of runs is worth more. Parameters are those of `evsi`. Of draws that are not
    Gaussian, `bayescmr.design.precision.probe_value` tells the same without a closed form.
    """
    return float(evsi(variance, variance, risk, stays))


def knowledge_gradient(intercept: Float, slope: Float) -> float:
    """Expected gain of choosing among options after a standard normal signal, not before.

    Parameters
    ----------
    intercept : ndarray, shape (options,)
        Expected payoff of each option.
    slope : ndarray, shape (options,)
        How its expectation moves per unit of the signal: for a payoff ``a + b cmr``, b times the
        root of the expected drop of variance.

    Returns
    -------
    float
        ``E[max(intercept + slope Z)] - max(intercept)``, exactly, by the upper envelope of the
        lines (Frazier, Powell and Dayanik 2009, doi 10.1287/ijoc.1080.0314).
    """
    order = np.lexsort((intercept, slope))
    a, b = np.asarray(intercept, dtype=float)[order], np.asarray(slope, dtype=float)[order]
    envelope: list[int] = []
    starts: list[float] = []  # signal from which each line is the highest
    for i in range(len(a)):
        start = -np.inf
        while envelope:
            last = envelope[-1]
            start = -np.inf if b[i] == b[last] else (a[last] - a[i]) / (b[i] - b[last])
            if start > starts[-1]:
                break
            envelope.pop()
            starts.pop()
            start = -np.inf
        envelope.append(i)
        starts.append(start)
    gain = 0.0
    for low, high, start in zip(envelope, envelope[1:], starts[1:], strict=False):
        z = -abs(start)
        gain += (b[high] - b[low]) * (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) + z * ndtr(z))
    return float(gain)


def _check(risk: float) -> None:
    if not 0.0 < risk < 1.0:
        raise DesignError(f"risk: got {risk}, expected a probability above 0 and below 1")
