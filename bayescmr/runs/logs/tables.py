"""Tables that loggers write or export: columns by name, sparse cells left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from bayescmr.runs.cells import Float, Mask, to_numbers
from bayescmr.runs.logs.events import Log, fail
from bayescmr.runs.logs.files import Content, whole_lines
from bayescmr.runs.logs.rounding import round_doubles

_LONGEST_HEADER = 1 << 20


def header(content: Content) -> list[str]:
    """Names of the columns of a CSV; empty where the first line is no header."""
    if not content.is_text or content.head[:1] in (b"{", b"["):
        return []
    line = content.text[:_LONGEST_HEADER].lstrip("\r\n").partition("\n")[0]
    return [cell.strip().strip('"') for cell in line.split(",")] if "," in line else []


def read_csv(content: Content) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV as text cells.

    Returns
    -------
    table : DataFrame
        Text.
    notes : list of str
        What was left out.

    Raises
    ------
    LogError
        It is malformed, has no rows, or a column name twice.
    """
    text, cut = whole_lines(content.text.lstrip("\r\n"))
    notes = list(cut)
    ragged: list[int] = []

    def skip(row: pa.csv.InvalidRow) -> str:
        ragged.append(row.number or 0)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(text.encode("utf-8")),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=1 << 26),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in header(content)},
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowException, UnicodeError) as error:
        fail(
            content.source,
            f"a malformed CSV ({str(error).splitlines()[0]})",
            "comma-separated rows",
        )
    if ragged:
        notes.append(f"{len(ragged)} rows of another width than the header were left out")
    _check_names(content, table.column_names)
    if not table.num_rows:
        fail(content.source, "a header and no rows", "at least one row")
    frame = table.to_pandas()
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    return frame, notes


def read_parquet(content: Content) -> pd.DataFrame:
    """Read a Parquet file.

    Raises
    ------
    LogError
        It is cut short or malformed.
    """
    try:
        table = parquet.ParquetFile(pa.BufferReader(content.data)).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        fail(content.source, f"no readable Parquet file ({reason})", "a whole one", "copy it again")
    _check_names(content, table.column_names)
    for i, column in enumerate(table.columns):
        # pandas would take a NaN that was logged for a cell that is missing; as text it stays.
        if pa.types.is_floating(column.type) and pc.any(pc.is_nan(column)).as_py():
            table = table.set_column(i, table.column_names[i], pc.cast(column, pa.string()))
    frame: pd.DataFrame = table.to_pandas()
    return frame


def numbers(column: pd.Series) -> Float | None:
    """Return a column as numbers, NaN where blank; None where some cell is neither."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return None
    found = to_numbers(column, comma=False, count=False)
    return None if found.bad.any() else found.values


def melt(
    table: pd.DataFrame,
    content: Content,
    form: str,
    *,
    step: Float,
    metrics: dict[str, str],
    wall_time: Float | None = None,
    split: dict[str, str] | None = None,
    notes: list[str],
) -> Log:
    """Turn a sparse table into events, row by row.

    Parameters
    ----------
    table : DataFrame, shape (rows, columns)
        Cells as found.
    content : Content
        The log.
    form : str
        Name of the format.
    step : ndarray, shape (rows,)
        Step of each row, NaN where there is none.
    metrics : dict
        Column to metric.
    wall_time : ndarray, shape (rows,), optional
        Seconds since 1970.
    split : dict, optional
        Metric to split, where the format says it.
    notes : list of str
        Notes so far; columns without numbers are added.

    Raises
    ------
    LogError
        No column holds numbers.
    """
    n = len(table)
    seen = np.full(n, np.nan) if wall_time is None else wall_time
    blocks, words = [], []
    for column, metric in metrics.items():
        cells = table[column]
        values = numbers(cells)
        if values is None:
            words.append(metric)
            continue
        # A cell that says NaN is a number that a trainer logged; a blank one is none.
        nan = np.isnan(values) & _says_nan(cells)
        at = np.flatnonzero(~np.isnan(values) | nan)
        blocks.append(
            pd.DataFrame(
                {
                    "run": content.run,
                    "source": content.source,
                    "split": (split or {}).get(metric, ""),
                    "step": step[at],
                    "tokens": np.nan,
                    "metric": metric,
                    "value": values[at],
                    "wall_time": seen[at],
                    "precision": 0.0,
                    "row": at,
                }
            )
        )
    if words:
        shown = ", ".join(words[:5])[:80]
        notes.append(f"{len(words)} columns that are no numbers were left out ({shown})")
    blocks = [block for block in blocks if len(block)]
    if not blocks:
        fail(content.source, "no column of numbers", "at least one metric")
    events = pd.concat(blocks).sort_values("row", kind="stable", ignore_index=True)
    text = {name: "str" for name in ("run", "source", "split", "metric")}
    events = round_doubles(events.drop(columns="row").astype(text))
    return Log(content.source, form, content.sha256, events, tuple(notes))


def _says_nan(cells: pd.Series) -> Mask:
    if not isinstance(cells.dtype, pd.StringDtype) and cells.dtype != object:
        return np.zeros(len(cells), dtype=np.bool_)
    return cells.astype("str").str.strip().str.lower().eq("nan").fillna(False).to_numpy(dtype=bool)


def _check_names(content: Content, names: list[str]) -> None:
    twice = {name for name in names if names.count(name) > 1} if len(names) < 10_000 else set()
    if twice:
        got = f"columns of one name ({', '.join(sorted(twice))[:80]})"
        fail(content.source, got, "each column once")
