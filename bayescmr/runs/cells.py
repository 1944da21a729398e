"""Cells to numbers and labels: exact, vectorised, and never by guessing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Blank numbers as loggers write them. A failed run is marked by its status, not by its loss.
_BLANK_NUMBER = ("", "nan", "na", "n/a", "<na>", "null", "none")
#: "NA" may be a label of the user's; the others are blanks that were turned into text.
_BLANK_LABEL = ("", "nan", "<na>", "null", "none")
_NUMBER = r"^-?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity)$"
_COMMA = r"^-?\d+,\d+(e[+-]?\d+)?$"
#: In a count, 16,384 is more likely sixteen thousand than 16.384: only these are unambiguous.
_COMMA_COUNT = r"^-?(\d+,\d+e[+-]?\d+|\d{4,},\d+)$"


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    Parameters
    ----------
    values : ndarray of float, shape (rows,)
        NaN where blank or bad.
    bad : ndarray of bool, shape (rows,)
        Cells that are neither a number nor blank.
    commas : bool
        The column was read with decimal commas.
    """

    values: Float
    bad: Mask
    commas: bool = False


def plain(column: pd.Series) -> pd.Series:
    """Undo dictionary encoding and Arrow-backed text, which say nothing about the cells."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.ArrowDtype) and column.dtype.type is str:
        column = column.astype("str")
    return column


def to_numbers(column: pd.Series, *, comma: bool, count: bool) -> Numbers:
    """Read a column as float64.

    Parameters
    ----------
    column : Series, shape (rows,)
        Cells as found.
    comma : bool
        Decimal commas are possible.
    count : bool
        The column holds counts, in which a comma may separate thousands.
    """
    column = plain(column)
    dtype = column.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return Numbers(np.full(len(column), np.nan), column.notna().to_numpy())
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return Numbers(values, np.zeros(len(values), dtype=np.bool_))
    if isinstance(dtype, pd.StringDtype):
        return _from_text(pa.array(column, type=pa.large_string(), from_pandas=True), comma, count)
    if pd.api.types.is_object_dtype(dtype):
        return _from_objects(column.to_numpy(), comma, count)
    return Numbers(np.full(len(column), np.nan), column.notna().to_numpy())


def _from_text(text: Any, comma: bool, count: bool) -> Numbers:
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    text = pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(text)), "")
    text = pc.replace_substring_regex(text, r"^\+", "")
    blank = pc.is_in(text, pa.array(_BLANK_NUMBER, type=text.type))
    ok = pc.match_substring_regex(text, _NUMBER)
    bad = pc.invert(pc.or_(blank, ok))
    commas = False
    if comma and pc.any(bad).as_py():
        pattern = _COMMA_COUNT if count else _COMMA
        with_comma = pc.match_substring_regex(text, pattern)
        point = pc.and_(ok, pc.match_substring(text, "."))
        whole_column = pc.all(pc.or_(with_comma, pc.invert(bad))).as_py()
        if whole_column and not pc.any(point).as_py():
            text = pc.replace_substring(text, ",", ".")
            ok, bad, commas = pc.or_(ok, with_comma), pc.and_(bad, pc.invert(with_comma)), True
    # Arrow rounds decimals to the nearest double, so text and binary files agree exactly.
    numbers = pc.cast(pc.if_else(ok, text, None), pa.float64())
    return Numbers(
        numbers.to_numpy(zero_copy_only=False).astype(np.float64),
        bad.to_numpy(zero_copy_only=False),
        commas,
    )


def _missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _from_objects(cells: npt.NDArray[np.object_], comma: bool, count: bool) -> Numbers:
    """Mixed cells (JSON, object columns): the only path that looks at cells one by one."""
    values = np.full(len(cells), np.nan)
    bad = np.zeros(len(cells), dtype=np.bool_)
    texts: list[int] = []
    for i, cell in enumerate(cells):
        if isinstance(cell, str):
            texts.append(i)
        elif isinstance(cell, int | float | np.integer | np.floating | Decimal) and not isinstance(
            cell, bool
        ):
            # Integers beyond the range of a double count as infinite, and are refused as such.
            values[i] = _float(cell)
        else:
            bad[i] = not _is_blank(cell)
    commas = False
    if texts:
        found = _from_text(pa.array(cells[texts], type=pa.large_string()), comma, count)
        values[texts], bad[texts], commas = found.values, found.bad, found.commas
    return Numbers(values, bad, commas)


def _float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf if cell > 0 else -math.inf


def _is_blank(cell: object) -> bool:
    # Arrays and other containers have no single truth value and are never blank.
    return bool(_missing(cell)) if np.ndim(cell) == 0 else False  # type: ignore[arg-type]


def to_labels(column: pd.Series) -> tuple[pd.Series, Mask]:
    """Read a column as text.

    Parameters
    ----------
    column : Series, shape (rows,)
        Cells as found.

    Returns
    -------
    labels : Series of str, shape (rows,)
        Stripped; whole numbers without a decimal point; missing where blank or bad.
    bad : ndarray of bool, shape (rows,)
        Cells that are neither text nor a number nor blank.
    """
    column = plain(column)
    dtype = column.dtype
    bad = np.zeros(len(column), dtype=np.bool_)
    if pd.api.types.is_object_dtype(dtype):
        cells = column.to_numpy()
        labels = np.empty(len(cells), dtype=object)
        for i, cell in enumerate(cells):
            labels[i] = _label(cell)
            bad[i] = labels[i] is None and not _is_blank(cell)
        text = pd.Series(labels, dtype="str")
    elif isinstance(dtype, pd.StringDtype):
        text = column.astype("str")
    elif pd.api.types.is_bool_dtype(dtype) or not pd.api.types.is_numeric_dtype(dtype):
        return pd.Series([None] * len(column), dtype="str"), column.notna().to_numpy()
    else:
        codes, levels = pd.factorize(column)
        known = np.array([*(_label(v) for v in levels.tolist()), None], dtype=object)
        text = pd.Series(known[codes], dtype="str")
    codes, levels = pd.factorize(text)
    stripped = [str(v).strip() for v in levels]
    known = np.array(
        [*(None if v.lower() in _BLANK_LABEL else v for v in stripped), None], dtype=object
    )
    return pd.Series(known[codes], dtype="str"), bad


def _label(cell: object) -> str | None:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool | np.bool_):
        return None
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, float | np.floating) and math.isfinite(cell):
        return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
    return None
