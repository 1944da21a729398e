"""First upward crossing in the ratio, for every draw at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Theta = Mapping[str, Float]
#: How closely a crossing is found.
_XTOL = 1e-9
#: Secant steps: enough for 97 draws in 100, and the rest is cut into this many pieces.
_SECANTS, _PIECES = 4, 16
#: Excess over what is allowed, given parameters and ratios that broadcast; feasible where <= 0.
Excess = Callable[[Theta, Float], Float]

#: Where the first crossing is looked for: closer together where laws bend most, near 0 and 1.
GRID: Float = np.concatenate(
    [[0.0, 0.02, 0.05], np.linspace(0.1, 0.9, 17), [0.93, 0.96, 0.98, 0.99, 0.996, 1.0]]
)


def first_crossing(excess: Excess, theta: Theta, on_grid: Float | None = None) -> Float:
    """Largest R with ``excess(R') <= 0`` for all R' <= R, draw by draw.

    Parameters
    ----------
    excess : callable
        Of a mapping of parameters and an array of ratios.
    theta : mapping from str to ndarray, shape (draws,)
        Parameters of each draw.
    on_grid : ndarray, shape (ratios, draws), optional
        The excess at :data:`GRID`, where it is known already.

    Returns
    -------
    ndarray, shape (draws,)
        0 where not even R = 0 is feasible, 1 where every ratio is; else the
        crossing to 1e-9. A law that crosses twice within one step of
        :data:`GRID` is not resolved.
    """
    values = np.asarray(excess(theta, GRID[:, None]) if on_grid is None else on_grid)
    above = values > 0
    crosses = above.any(axis=0)
    first = above.argmax(axis=0)
    result = np.where(crosses, 0.0, 1.0)
    inside = np.flatnonzero(crosses & (first > 0))
    if len(inside):
        after = first[inside]
        result[inside] = _refine(
            excess,
            {k: v[inside] for k, v in theta.items()},
            GRID[after - 1],
            GRID[after],
            values[after - 1, inside],
            values[after, inside],
        )
    return result


def _refine(
    excess: Excess, theta: Theta, low: Float, high: Float, f_low: Float, f_high: Float
) -> Float:
    """Root in (low, high] of every draw by the Anderson-Bjorck secant method, which keeps brackets.

    scipy's ``find_root`` gives the same numbers, but spends most of its time on
    bookkeeping at this size; a test compares with brentq.
    """
    for _ in range(_SECANTS):
        root = high - f_high * (high - low) / (f_high - f_low)
        value = np.asarray(excess(theta, root))
        beyond = value > 0
        # The end that stays is weighed down, or the secant would creep (Anderson-Bjorck).
        stays = np.where(beyond, f_low, f_high)
        moves = np.where(beyond, f_high, f_low)
        weight = 1.0 - value / np.where(moves == 0.0, np.inf, moves)
        stays = stays * np.where(weight > 0, weight, 0.5)
        f_low, f_high = np.where(beyond, stays, value), np.where(beyond, value, stays)
        low, high = np.where(beyond, low, root), np.where(beyond, root, high)
    # Small steps prove nothing: the sign must change within the tolerance.
    other_side = np.clip(root + np.where(beyond, -_XTOL, _XTOL), 0.0, 1.0)
    across = np.asarray(excess(theta, other_side)) > 0
    left = np.flatnonzero(across == beyond)
    if len(left):
        few = {k: v[left] for k, v in theta.items()}
        root[left] = _cut(excess, few, low[left], high[left])
    return root


def _cut(excess: Excess, theta: Theta, low: Float, high: Float) -> Float:
    """First crossing in each bracket, cut into pieces again and again: slow, and always ends.

    A few draws in a hundred bend too much for the secant. All pieces are looked
    at together, since with few draws a call costs more than its numbers.
    """
    width = high - low
    while width.max() > _XTOL:
        width = width / _PIECES
        ends = low + np.arange(1, _PIECES)[:, None] * width
        above = np.asarray(excess(theta, ends)) > 0
        low = low + width * np.where(above.any(axis=0), above.argmax(axis=0), _PIECES - 1)
    return low + 0.5 * width
