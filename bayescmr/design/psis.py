"""Pareto-smoothed importance sampling of many weightings at once.

The same algorithm as ArviZ's, which takes one row at a time: hundreds of rows for each of dozens of
designs would take seconds.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Float = npt.NDArray[np.float64]

#: Weakly informative prior of the generalised Pareto fit (Vehtari et al. 2024, appendix).
_PRIOR_SCALE, _PRIOR_WEIGHT, _PRIOR_SHAPE = 3, 10, 0.5


def khat_limit(draws: int) -> float:
    """Largest Pareto k for which weights of so many draws are trusted (Vehtari et al. 2024)."""
    return min(1.0 - 1.0 / math.log10(draws), 0.7)


def smooth(log_weights: Float) -> tuple[Float, Float]:
    """Smooth the largest weights of each row by order statistics of a generalised Pareto tail.

    Parameters
    ----------
    log_weights : ndarray, shape (rows, draws)
        Up to a constant of each row; -inf for draws that do not count. At least 25 that do.

    Returns
    -------
    weights : ndarray, shape (rows, draws)
        Each row sums to 1.
    khat : ndarray, shape (rows,)
        Shape of the tail; -inf where it has none to fit (all its weights are equal), inf where
        it is too heavy for any fit. Such rows keep their raw weights.

    Notes
    -----
    Vehtari, Simpson, Gelman, Yao and Gabry 2024, arXiv 1507.02646; the fit is that of Zhang and
    Stephens 2009 (doi 10.1198/tech.2009.08017).
    """
    n = log_weights.shape[1]
    tail = int(min(n / 5, 3 * np.sqrt(n)))
    smoothed = log_weights - log_weights.max(axis=1, keepdims=True)
    order = np.argpartition(smoothed, n - tail - 1, axis=1)[:, n - tail - 1 :]
    values = np.take_along_axis(smoothed, order, axis=1)
    ascending = np.argsort(values, axis=1, kind="stable")
    order = np.take_along_axis(order, ascending, axis=1)
    values = np.take_along_axis(values, ascending, axis=1)
    cut, values, order = np.exp(values[:, :1]), np.exp(values[:, 1:]), order[:, 1:]
    over = values - cut
    khat = np.full(len(smoothed), -np.inf)
    # A first quartile at the minimum is no tail that a Pareto law could describe.
    fit = np.flatnonzero(over[:, int(tail / 4 + 0.5) - 1] > over[:, 0])
    if len(fit):
        khat[fit], scale = _fit(over[fit])
        fitted = np.isfinite(khat[fit])
        fit, scale = fit[fitted], scale[fitted]
        level, k = (np.arange(tail) + 0.5) / tail, khat[fit][:, None]
        flat = np.abs(k) < 1e-12
        with np.errstate(over="ignore"):  # a quantile beyond all bounds is cut just below
            growth = np.expm1(-k * np.log1p(-level)) / np.where(flat, 1.0, k)
        quantile = cut[fit] + scale[:, None] * np.where(flat, -np.log1p(-level), growth)
        # No weight may exceed the largest of the raw ones, which is 1.
        smoothed[fit[:, None], order[fit]] = np.minimum(np.log(quantile), 0.0)
    return np.exp(smoothed - logsumexp(smoothed, axis=1, keepdims=True)), khat


def _fit(over: Float) -> tuple[Float, Float]:
    """Shape and scale of the generalised Pareto law of each row of ascending excesses."""
    n = over.shape[1]
    points = 30 + int(np.sqrt(n))
    quartile = over[:, int(n / 4 + 0.5) - 1, None]
    # Where all weight is on a few draws, quotients leave the range of floats: no fit there.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        b = (1 - np.sqrt(points / (np.arange(points) + 0.5))) / (_PRIOR_SCALE * quartile)
        b = b + 1 / over[:, -1:]
        k = np.log1p(-b[:, :, None] * over[:, None, :]).mean(axis=2)
        likelihood = n * (np.log(-b / k) - k - 1)
        weight = np.exp(likelihood - logsumexp(likelihood, axis=1, keepdims=True))
        weight = np.where(weight >= 10 * np.finfo(float).eps, weight, 0.0)
        weight /= weight.sum(axis=1, keepdims=True)
        mean = (b * weight).sum(axis=1, keepdims=True)
        shape = np.log1p(-mean * over).mean(axis=1)
        scale = -shape / mean[:, 0]
    good = np.isfinite(shape) & np.isfinite(scale) & (scale > 0)
    shape = np.where(good, shape, np.inf)
    return (n * shape + _PRIOR_WEIGHT * _PRIOR_SHAPE) / (n + _PRIOR_WEIGHT), scale
