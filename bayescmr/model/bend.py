"""Coordinates of noise scales that data bound from above only.

A scatter that is too small to be seen may be any smaller: its log sd falls off steeply on
the right and slowly, as the prior does, on the left. Steps that suit the steep side take long
to walk the slow one. A bend, one branch of a hyperbola, gives both sides one scale:

    z = m + s ((1 + k/2) t - (k/2) sqrt(1 + t^2)),   t = (x - m) / s

with slope 1 far to the right of m and 1 + k far to the left. x is where chains move, z the
standardised noise quantity. m, s and k are data, learned from draws: like centring they
change how well a chain moves and nothing else, since the density has the Jacobian.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Float = npt.NDArray[np.float64]

#: How much steeper the right side may be, where the bend is (quantile) and how wide (in units
#: of the distance from the median to the 90 % quantile).
_CANDIDATES = tuple(product((1.0, 2.0, 4.0, 8.0), (0.3, 0.5, 0.7), (0.5, 1.0, 2.0)))
_QUANTILES = np.linspace(0.01, 0.99, 50)


def straight(quantities: int) -> Float:
    """No bend: columns m, s, k, one row per quantity."""
    return np.tile([0.0, 1.0, 0.0], (quantities, 1))


def outward(x: Any, bend: Any, xp: Any = np) -> Any:
    """Return the quantities z at coordinates x, both of shape (..., quantities)."""
    m, s, k = bend[:, 0], bend[:, 1], bend[:, 2]
    t = (x - m) / s
    return m + s * ((1.0 + 0.5 * k) * t - 0.5 * k * xp.sqrt(1.0 + t * t))


def log_slope(x: Any, bend: Any, xp: Any = np) -> Any:
    """Return ln(dz/dx) at coordinates x."""
    m, s, k = bend[:, 0], bend[:, 1], bend[:, 2]
    t = (x - m) / s
    return xp.log(1.0 + 0.5 * k * (1.0 - t / xp.sqrt(1.0 + t * t)))


def inward(z: Float, bend: Float) -> Float:
    """Return the coordinates of quantities z."""
    m, s, k = bend.T
    a, b, y = 1.0 + 0.5 * k, 0.5 * k, (z - m) / s
    # a^2 - b^2 = 1 + k.
    return np.asarray(m + s * (a * y + b * np.sqrt(y * y + 1.0 + k)) / (1.0 + k))


def learn(z: Float) -> Float:
    """Choose the bend of each quantity after which its quantiles are most like a normal's.

    Parameters
    ----------
    z : ndarray, shape (draws, quantities)
        Near the posterior.

    Returns
    -------
    ndarray, shape (quantities, 3)
        Straight, unless a bend is the better.
    """
    scores = ndtri(_QUANTILES)
    found = straight(z.shape[1])
    for own, row in zip(np.quantile(z, _QUANTILES, axis=0).T, found, strict=True):
        median, upper = np.interp([0.5, 0.9], _QUANTILES, own)
        if not upper > median:
            continue
        best = np.corrcoef(own, scores)[0, 1]
        for k, level, width in _CANDIDATES:
            m, s = np.interp(level, _QUANTILES, own), width * (upper - median)
            bend = np.array([[m, s, k]])
            fit = np.corrcoef(inward(own[:, None], bend)[:, 0], scores)[0, 1]
            if fit > best:
                best, row[:] = fit, bend[0]
    return found
