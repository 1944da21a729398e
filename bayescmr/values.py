"""What counts as a number in an argument, and how values look in messages."""

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


def shorten(text: str, most: int = 60) -> str:
    """Cut a name that would fill the screen; names may have 10 kB and line ends."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."
