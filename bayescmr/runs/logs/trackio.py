"""trackio's database: SQLite, a JSON object per step."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from bayescmr.runs.logs import sqlite
from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, flat_numbers, parse_json
from bayescmr.runs.logs.mlflow_files import unique_names
from bayescmr.runs.logs.rounding import round_doubles

NAME = "trackio database"
_METRICS = {"timestamp", "run_name", "step", "metrics"}


def recognise(content: Content) -> bool:
    """Return whether it is a SQLite database with trackio's table of metrics."""
    if not sqlite.is_database(content):
        return False
    with sqlite.read_only(content) as connection:
        return sqlite.columns(connection, "metrics") >= _METRICS


def read(content: Content) -> Log:
    """Read the metrics of all runs.

    Raises
    ------
    LogError
        The database is damaged, a row is no JSON object.
    """
    events = Events(content.source)
    with sqlite.read_only(content) as connection:
        # Older versions know runs by name only.
        known = sqlite.columns(connection, "metrics")
        identity = "run_id" if "run_id" in known else "run_name"
        rows = connection.execute(
            f"SELECT {identity}, run_name, step, timestamp, metrics FROM metrics ORDER BY rowid"
        ).fetchall()
    names = unique_names({str(row[0]): str(row[1]) for row in rows})
    for run, _, step, timestamp, cell in rows:
        # orjson writes bytes, older versions text.
        text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
        metrics = parse_json(text, content.source)
        if not isinstance(metrics, dict):
            fail(content.source, f"a row of {names[str(run)]!r} that is no object", "JSON objects")
        number = float(step) if isinstance(step, int | float) else math.nan
        seen = _seconds(timestamp)
        for metric, value in flat_numbers(metrics):
            events.add(names[str(run)], metric, value, number, wall_time=seen)
    return Log(content.source, NAME, sqlite.digest(content), round_doubles(events.frame()))


def _seconds(timestamp: object) -> float:
    try:
        seen = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return math.nan
    return (seen if seen.tzinfo else seen.replace(tzinfo=UTC)).timestamp()
