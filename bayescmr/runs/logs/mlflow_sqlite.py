"""MLflow's database, ``mlflow.db`` (SQLite)."""

from __future__ import annotations

import math

from bayescmr.runs.logs import sqlite
from bayescmr.runs.logs.events import Events, Log
from bayescmr.runs.logs.files import Content
from bayescmr.runs.logs.mlflow_files import NO_STEPS, unique_names, without_steps
from bayescmr.runs.logs.rounding import round_doubles

NAME = "MLflow database"
_METRICS = {"key", "value", "timestamp", "run_uuid", "step", "is_nan"}
#: How MLflow stores infinity in a column of finite numbers.
_INFINITY = 1.7976931348623157e308


def recognise(content: Content) -> bool:
    """Return whether it is a SQLite database with MLflow's table of metrics."""
    if not sqlite.is_database(content):
        return False
    with sqlite.read_only(content) as connection:
        return sqlite.columns(connection, "metrics") >= _METRICS


def read(content: Content) -> Log:
    """Read the metrics of all runs that are not deleted.

    Raises
    ------
    LogError
        The database is damaged.
    """
    events, notes = Events(content.source), []
    with sqlite.read_only(content) as connection:
        rows = connection.execute(
            "SELECT run_uuid, name, status, lifecycle_stage FROM runs ORDER BY start_time, run_uuid"
        ).fetchall()
        deleted = sum(row[3] == "deleted" for row in rows)
        alive = [row for row in rows if row[3] != "deleted"]
        names = unique_names({uuid: name or uuid for uuid, name, _, _ in alive})
        notes += [
            f"run {names[uuid]!r} has the status {status}"
            for uuid, _, status, _ in alive
            if status in ("FAILED", "KILLED", "RUNNING")
        ]
        if deleted:
            notes.append(f"{deleted} deleted runs were left out")
        found = connection.execute(
            "SELECT run_uuid, key, value, step, timestamp, is_nan FROM metrics"
            " JOIN runs USING (run_uuid)"
            " ORDER BY start_time, run_uuid, timestamp, step, metrics.rowid"
        )
        for uuid, key, value, step, timestamp, is_nan in found:
            if uuid in names:
                number = math.nan if is_nan else float(value)
                if abs(number) >= _INFINITY:
                    number = math.copysign(math.inf, number)
                seen = float(timestamp) / 1000
                events.add(names[uuid], str(key), number, float(step), wall_time=seen)
    frame = round_doubles(events.frame())
    if bad := without_steps(frame):
        notes.append(NO_STEPS.format(bad))
    return Log(content.source, NAME, sqlite.digest(content), frame, tuple(notes))
