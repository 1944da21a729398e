"""CSV files that a spreadsheet may open: whatever a name holds, nothing in them is a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bayescmr.report.document import Number, Table

#: A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: str) -> str:
    """Text with an apostrophe before it where a spreadsheet would compute it.

    What every spreadsheet reads as "this is text"; ``=cmd()`` becomes ``'=cmd()``. To have the
    name back, take one apostrophe away from where it is followed by one of ``= + - @`` or a tab.
    """
    return f"'{text}" if text.lstrip(" \n\ufeff").startswith(_FORMULA) else text


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a data frame: numbers to nine digits, texts :func:`harmless`."""
    safe = table.copy()
    safe.columns = [harmless(str(column)) for column in table.columns]
    for place, column in enumerate(table.columns):
        values = table[column]
        if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
            texts = [harmless(v) if isinstance(v, str) else v for v in values]
            safe.isetitem(place, np.array(texts, dtype=object))
    safe.to_csv(path, index=False, float_format="%.9g", lineterminator="\n", encoding="utf-8")


def table_frame(table: Table) -> pd.DataFrame:
    """Cells of a report's table, numbers in full precision and in the unit of their column."""
    columns = [_values([row[i] for row in table.rows]) for i in range(len(table.columns))]
    frame = pd.DataFrame(dict(enumerate(columns)), dtype=object)
    frame.columns = pd.Index(table.columns)
    return frame


def _values(cells: Sequence[object]) -> Iterable[object]:
    return [
        float(f"{100.0 * c.value:.12g}")
        if isinstance(c, Number) and c.unit == "%"
        else c.value
        if isinstance(c, Number)
        else np.nan
        if c is None
        else str(c)
        for c in cells
    ]
