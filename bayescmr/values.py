"""What counts as a number in an argument."""

from __future__ import annotations

import math
from typing import TypeGuard

import numpy as np


def is_number(value: object, *, infinite: bool = False) -> TypeGuard[float]:
    """Return whether a value is a real number of Python or numpy.

    Booleans, text, arrays and NaN are none; infinity and integers beyond the
    range of a float only where ``infinite``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value) or (infinite and not math.isnan(value))
    except OverflowError:
        return infinite
