"""Tables of a report from data frames: every number gets a name, a unit and its digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.report.document import Number, Piece, Rounding, Table
from bayescmr.report.numerals import supported_digits
from bayescmr.words import name as plain_name

#: Longest text in a cell.
_LONGEST = 400


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    key : str
        Column of the data frame.
    heading : str
        As printed.
    unit : str
        Of its numbers; see :class:`bayescmr.report.document.Number`.
    digits : int
        Significant digits.
    error : str
        Column of the data frame with Monte Carlo standard errors, which then limit the digits.
    rounding : {"nearest", "down"}
        What is called safe is rounded down.
    """

    key: str
    heading: str
    unit: str = ""
    digits: int = 3
    error: str = ""
    rounding: Rounding = "nearest"


def table_of(name: str, caption: str, frame: pd.DataFrame, columns: Sequence[Column]) -> Table:
    """Make a table; the number in row i of column ``key`` is called ``<name>_<i>_<key>``."""
    rows = []
    for i, record in enumerate(frame.to_dict(orient="records"), 1):
        rows.append(tuple(_cell(f"{name}_{i}_{c.key}", record, c) for c in columns))
    return Table(name, caption, tuple(c.heading for c in columns), tuple(rows))


def _cell(name: str, record: dict[Any, Any], column: Column) -> Piece | None:
    value = record[column.key]
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, str):
        return plain_name(value, _LONGEST)
    if value is None or not math.isfinite(value):
        return None
    if isinstance(value, int | np.integer):
        return Number(name, int(value), column.unit, column.digits)
    digits = column.digits
    if column.error:
        digits = supported_digits(float(value), float(record[column.error]))
    return Number(name, float(value), column.unit, digits, column.rounding)
