"""Curves without scatter: losses that were smoothed or fitted, which a fit would take as exact."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

#: nats/token. With a smaller error of losses, seen or stated, fits of published curves missed the
#: CMR (case_studies/gu2024, *Smooth curves*): no law is exact to that.
LEAST_ERROR = 1e-4
#: Neighbours whose third difference is looked at: a curve of any law is nearly a parabola there.
_NEAR = 4


def scatter(rows: pd.DataFrame) -> float:
    """Sd of what differs from checkpoint to checkpoint.

    Of third divided differences in ln tokens, scaled so that independent errors keep their sd:
    root mean square in each curve, median over curves. Few checkpoints, far apart, leave something
    of the curve in it, so that it is an upper bound.

    Parameters
    ----------
    rows : DataFrame
        Canonical rows of one role, in order of run, evaluation set and tokens.

    Returns
    -------
    float
        nats/token; NaN where no curve has four checkpoints.
    """
    if len(rows) < _NEAR:
        return float("nan")
    curve = rows.groupby(["run", "eval_set"], sort=False).ngroup().to_numpy()
    whole = curve[: 1 - _NEAR] == curve[_NEAR - 1 :]
    x, y = (
        sliding_window_view(values, _NEAR)[whole]
        for values in (np.log(rows["tokens"].to_numpy(float)), rows["change"].to_numpy(float))
    )
    gaps = x[:, :, None] - x[:, None, :] + np.eye(_NEAR)
    weights = 1.0 / gaps.prod(axis=2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    squares = pd.Series((weights * y).sum(axis=1) ** 2)
    return float(np.sqrt(squares.groupby(curve[: 1 - _NEAR][whole]).mean().median()))


def too_smooth(rows: pd.DataFrame) -> bool:
    """Whether losses scatter by less than :data:`LEAST_ERROR` and no such error is stated."""
    return bool(scatter(rows) < LEAST_ERROR) and float(rows["se"].median()) < LEAST_ERROR
