"""What counts as a number, what JSON knows of values, and how messages show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

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


def key_number(key: object) -> float:
    """Return a key of a mapping as a number, also where JSON has made a text of it; else NaN."""
    if isinstance(key, str):
        try:
            key = float(key)
        except ValueError:
            return math.nan
    return float(key) if is_number(key) else math.nan


def shorten(text: str, most: int = 60) -> str:
    """Cut a name that would fill the screen; names may have 10 kB and line ends."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3] + "..."


def plain(data: Any) -> Any:
    """Turn numpy scalars, tuples and mappings into what JSON knows; NaN and infinity into None."""
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value) for value in data]
    if isinstance(data, np.ndarray):
        return plain(data.tolist())
    if isinstance(data, np.generic):
        return plain(data.item())
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return data
