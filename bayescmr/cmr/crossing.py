"""First upward crossing in the ratio, for every draw at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Theta = Mapping[str, Float]
_XTOL = 1e-8
#: Excess over what is allowed, given parameters and ratios that broadcast; feasible where <= 0.
Excess = Callable[[Theta, Float], Float]

#: Where the first crossing is looked for: closer together where laws bend most, near 0 and 1.
GRID: Float = np.concatenate(
    [[0.0, 0.02, 0.05], np.linspace(0.1, 0.9, 17), [0.93, 0.96, 0.98, 0.99, 0.996, 1.0]]
)


def first_crossing(excess: Excess, theta: Theta) -> Float:
    """Largest R with ``excess(R') <= 0`` for all R' <= R, draw by draw.

    Parameters
    ----------
    excess : callable
        Of a mapping of parameters and an array of ratios.
    theta : mapping from str to ndarray, shape (draws,)
        Parameters of each draw.

    Returns
    -------
    ndarray, shape (draws,)
        0 where not even R = 0 is feasible, 1 where every ratio is; else the
        crossing to 1e-8. A law that crosses twice within one step of
        :data:`GRID` is not resolved.
    """
    values = np.asarray(excess({k: v[:, None] for k, v in theta.items()}, GRID[None, :]))
    above = values > 0
    crosses = above.any(axis=1)
    first = above.argmax(axis=1)
    result = np.where(crosses, 0.0, 1.0)
    inside = np.flatnonzero(crosses & (first > 0))
    if len(inside):
        after = first[inside]
        result[inside] = _refine(
            excess,
            {k: v[inside] for k, v in theta.items()},
            GRID[after - 1],
            GRID[after],
            values[inside, after - 1],
            values[inside, after],
        )
    return result


def _refine(
    excess: Excess, theta: Theta, low: Float, high: Float, f_low: Float, f_high: Float
) -> Float:
    """Root in (low, high] of every draw by the Anderson-Bjorck secant method, which keeps brackets.

    scipy's ``find_root`` gives the same numbers, but spends most of its time on
    bookkeeping at this size (a third of the speed); a test compares with brentq.
    """
    root = high.copy()
    active = np.arange(len(root))
    for step in range(80):
        # The secant needs 5 to 10 steps; what is open then is halved, which always ends.
        halve = step >= 12
        guess = 0.5 * (low + high) if halve else high - f_high * (high - low) / (f_high - f_low)
        value = np.asarray(excess(theta, guess))
        beyond = value > 0
        # The end that stays is weighed down, or the secant would creep (Anderson-Bjorck).
        stays = np.where(beyond, f_high, f_low)
        weight = 1.0 - value / np.where(stays == 0.0, np.inf, stays)
        weight = np.where(weight > 0, weight, 0.5)
        f_low = np.where(beyond, f_low * weight, value)
        f_high = np.where(beyond, value, f_high * weight)
        moved = np.abs(guess - root[active])
        low, high = np.where(beyond, low, guess), np.where(beyond, guess, high)
        root[active] = guess
        open_ = ~((moved < _XTOL) | (high - low < _XTOL) | (value == 0.0))
        if not open_.any():
            break
        if open_.mean() < 0.7:
            active = active[open_]
            theta = {k: v[open_] for k, v in theta.items()}
            low, high, f_low, f_high = low[open_], high[open_], f_low[open_], f_high[open_]
    return root
