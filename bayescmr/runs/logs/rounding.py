"""How coarse a logged number is: the step of the grid to which it was rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Float = npt.NDArray[np.float64]

#: Python prints doubles in full: a number that happens to have this few decimals is one in 10^10.
_MOST_DECIMALS = 5


def of_text(text: str) -> float:
    """Grid of a number printed with a fixed number of decimals: 2.350 -> 0.001, 2.3E+00 -> 0.1."""
    mantissa, _, exponent = text.strip().lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    try:
        return 10.0 ** (int(exponent or 0) - decimals)
    except (ValueError, OverflowError):
        return 0.0


def of_digits(value: float, digits: int) -> float:
    """Grid of a number printed with so many significant digits, whose trailing zeros are gone."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return float(10.0 ** (math.floor(math.log10(abs(value))) - digits + 1))


def of_float32(values: Float) -> Float:
    """Grid of numbers that were stored in 32 bits."""
    with np.errstate(over="ignore"):
        single = np.abs(values).astype(np.float32)
    grid = np.spacing(single).astype(np.float64)
    return np.where(np.isfinite(single), grid, 0.0)


def of_doubles(values: Float) -> float:
    """Grid of one metric whose values were logged as doubles, of which some were rounded before.

    Only where every value has at most five decimals: 2.3456 in full precision is a coincidence
    of one in 10^10, four decimals in all values are ``round(loss, 4)``.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0
    for decimals in range(_MOST_DECIMALS + 1):
        rounded = np.round(finite, decimals)
        if (np.abs(rounded - finite) <= 1e-13 * np.maximum(1.0, np.abs(finite))).all():
            return float(10.0**-decimals)
    return 0.0


def round_doubles(
    events: pd.DataFrame, by: Sequence[str] = ("run", "split", "metric")
) -> pd.DataFrame:
    """Fill in ``precision`` for logs that hold doubles, metric by metric."""
    grids = events.groupby(list(by), sort=False)["value"].transform(
        lambda values: of_doubles(values.to_numpy(dtype=np.float64))
    )
    return events.assign(precision=grids.to_numpy(dtype=np.float64))
