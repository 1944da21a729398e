"""W&B exports: rows of ``run.scan_history()`` as CSV, JSON lines or Parquet, and CSV of the UI."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayescmr.runs.cells import Float
from bayescmr.runs.logs import tables
from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, as_number, flat_numbers, parse_json, whole_lines
from bayescmr.runs.logs.rounding import round_doubles

NAME = "W&B export"
#: ``run.history()`` returns this many rows, sampled, unless told otherwise.
_SAMPLED = 500
_RANGE = re.compile(r"__(?:MIN|MAX)$")


def recognise(content: Content) -> bool:
    """Return whether the columns are those of W&B."""
    if content.is_folder:
        return False
    if content.head.startswith(b"PAR1"):
        return True
    if content.head[:1] == b"{":
        return b'"_step"' in content.data.partition(b"\n")[0]
    names = tables.header(content)
    return "_step" in names or _is_ui(names)


def _is_ui(names: list[str]) -> bool:
    """CSV of a chart: its x axis, then ``<run> - <metric>`` thrice each."""
    return len(names) > 1 and any(_RANGE.search(n) for n in names) and " - " in names[1]


def read(content: Content) -> Log:
    """Read an exported history, of one run, or an exported chart, of several.

    Raises
    ------
    LogError
        It is malformed or has no ``_step``.
    """
    notes: list[str] = []
    if content.head.startswith(b"PAR1"):
        table = tables.read_parquet(content)
    elif content.head[:1] == b"{":
        return _read_lines(content)
    else:
        table, notes = tables.read_csv(content)
        if _is_ui(list(table.columns)):
            return _read_ui(content, table, notes)
    if "_step" not in table:
        got = f"columns {', '.join(map(str, table.columns))[:80]}"
        fail(content.source, got, "a column _step", "export run.scan_history()")
    step = _numbers(content, table, "_step")
    seen = _numbers(content, table, "_timestamp") if "_timestamp" in table else None
    if len(table) == _SAMPLED and np.nanmax(step) >= _SAMPLED:
        notes.append(
            "exactly 500 rows: run.history() samples that many; run.scan_history() gives all"
        )
    metrics = {name: str(name) for name in table.columns if not _hidden(str(name))}
    return tables.melt(
        table, content, NAME, step=step, metrics=metrics, wall_time=seen, notes=notes
    )


def _read_lines(content: Content) -> Log:
    """Read JSON lines, an object per row of the history."""
    text, cut = whole_lines(content.text)
    events = Events(content.source)
    # Not splitlines(): JSON text may hold U+2028, at which splitlines() would break.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = parse_json(line, f"{content.source}: line {number}")
        step = as_number(row.get("_step")) if isinstance(row, dict) else None
        if step is None:
            fail(content.source, f"line {number} without a number _step", "rows of a history")
        seen = as_number(row.get("_timestamp"))
        for metric, value in flat_numbers(row):
            if not metric.startswith("_"):
                wall_time = np.nan if seen is None else seen
                events.add(content.run, metric, value, step, wall_time=wall_time)
    return Log(content.source, NAME, content.sha256, round_doubles(events.frame()), cut)


def _hidden(name: str) -> bool:
    # pandas writes its index as a column without a name.
    return name.startswith(("_", "Unnamed: ")) or not name


def _numbers(content: Content, table: pd.DataFrame, column: str) -> Float:
    values = tables.numbers(table[column])
    if values is None:
        fail(content.source, f"words in the column {column}", "numbers")
    return values


def _read_ui(content: Content, table: pd.DataFrame, notes: list[str]) -> Log:
    axis = str(table.columns[0])
    notes.append(
        "a chart exported from the UI, whose points W&B samples: export run.scan_history() instead"
    )
    if axis.lower() not in ("step", "_step", "trainer/global_step", "train/global_step"):
        fail(
            content.source, f"a chart over {axis!r}", "a chart over Step", "set its x axis to Step"
        )
    columns = [str(name) for name in table.columns[1:] if not _RANGE.search(str(name))]
    log = tables.melt(
        table,
        content,
        NAME,
        step=_numbers(content, table, axis),
        metrics={name: name for name in columns},
        notes=notes,
    )
    # "<run> - <metric>": a run's name may hold the sign, a metric's does so rarely.
    parts = log.events["metric"].str.rpartition(" - ")
    events = log.events.assign(run=parts[0], metric=parts[2])
    return Log(log.source, log.format, log.sha256, events, log.notes)
