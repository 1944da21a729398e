"""CSV with comma, semicolon or tab; every cell stays text until it is validated."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from bayescmr.runs.problems import Problems
from bayescmr.runs.raw import RawTable, fail
from bayescmr.runs.readers.text import without_bom

_DELIMITERS = ",;\t"


def read_delimited(data: bytes, source: str) -> RawTable:
    """Read delimited text; the delimiter is the one most frequent in the header.

    Parameters
    ----------
    data : bytes
        Content of the file.
    source : str
        Its name in messages.

    Raises
    ------
    RunTableError
        If it is not UTF-8, has ragged rows, an unclosed quote, or no rows.
    """
    data = without_bom(data, source)
    header, delimiter, lines, start = _header(data, source)
    body = data[start:]
    if not body.strip():
        fail(source, "a header and no rows", "at least one row")
    try:
        table, ragged = _parse(body, len(header), delimiter)
    except pa.ArrowInvalid as error:
        fail(source, f"malformed text ({str(error).splitlines()[0]})", "delimited rows")
    _report(ragged, len(header), lines, source)
    # An odd quote swallows the lines after it into one cell.
    swallowed = any(pc.any(pc.match_substring(c, "\n")).as_py() for c in table.columns)
    if swallowed and body.count(b'"') % 2:
        tail = body[: body.rindex(b'"')].count(b"\n")
        fail(source, "a quote that is never closed", "pairs of quotes", "", lines + tail + 1)
    rows = _line_numbers(table, [r[0] for r in ragged], lines, swallowed)
    # Arrow gives a blank line as a row of blanks; a row of bare delimiters means the same.
    full = np.zeros(table.num_rows, dtype=np.bool_)
    for column in table.columns:
        full |= pc.not_equal(pc.utf8_trim_whitespace(column), "").to_numpy()
    if not full.any():
        fail(source, "a header and no rows", "at least one row")
    frame = pd.DataFrame({i: table.column(i).to_pandas() for i in range(len(header))})
    return RawTable(
        frame=frame[full].reset_index(drop=True),
        names=tuple(name.strip() for name in header),
        rows=rows[full],
        zero_based=False,
        decimal_comma=delimiter != ",",
        source=source,
    )


def _header(data: bytes, source: str) -> tuple[list[str], str, int, int]:
    """Names, delimiter, lines up to and with the header, and the offset after it."""
    start = 0
    lines = 0
    # read_bytes refuses blank files, so a line with text exists.
    while True:
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop + 1
        lines += 1
        text = data[start:stop].decode("utf-8").strip("\r\n")
        if text.strip():
            break
        start = stop
    if "\r" in text:
        fail(source, "lines that end in CR alone", "LF or CRLF", "save it with Unix line ends")
    unquoted = re.sub(r'"[^"]*"', "", text)
    delimiter = max(_DELIMITERS, key=unquoted.count)
    try:
        names = next(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        fail(source, f"a header that cannot be read ({error})", "column names", "", lines)
    return names, delimiter, lines, stop


def _parse(body: bytes, width: int, delimiter: str) -> tuple[Any, list[tuple[int, int, str]]]:
    """Arrow table of text columns, and (record, cells, text) of the rows of another width."""
    ragged: list[tuple[int, int, str]] = []

    def note(row: Any) -> str:
        ragged.append((row.number, row.actual_columns, row.text))
        return "skip"

    columns = [str(i) for i in range(width)]
    table = arrow_csv.read_csv(
        pa.BufferReader(body),
        # Threads would lose the record numbers that messages need.
        read_options=arrow_csv.ReadOptions(use_threads=False, column_names=columns),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=note,
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )
    return table, ragged


def _report(ragged: list[tuple[int, int, str]], width: int, lines: int, source: str) -> None:
    bad = [r for r in ragged if r[2].strip()]
    problems = Problems(source, np.array([lines + r[0] for r in bad], dtype=np.int64))
    for position, (_, cells, text) in enumerate(bad):
        shown = text if len(text) <= 60 else text[:57] + "..."
        problems.add(
            position=position,
            got=f"{cells} cells ({shown!r})",
            expected=f"{width}, as in the header",
            fix="add the missing cells, or quote text that holds the delimiter",
        )
    problems.raise_if_any()


def _line_numbers(
    table: Any, skipped: list[int], lines: int, multiline: bool
) -> npt.NDArray[np.int64]:
    """Line of the file on which each row starts."""
    records = np.arange(1, table.num_rows + len(skipped) + 1)
    records = np.delete(records, np.array(skipped, dtype=np.int64) - 1)
    if multiline:
        breaks = np.zeros(table.num_rows, dtype=np.int64)
        for column in table.columns:
            breaks += pc.count_substring(column, "\n").to_numpy()
        records += np.concatenate([[0], np.cumsum(breaks)[:-1]])
    return (records + lines).astype(np.int64)
