"""Logs and a mapping to a run table in long form."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from bayescmr.errors import MappingError
from bayescmr.runs.importing.losses import losses_of
from bayescmr.runs.importing.mapping import LogOf, Mapping, RunOf
from bayescmr.runs.importing.merge import merge
from bayescmr.runs.importing.report import Report
from bayescmr.runs.importing.tokens import tokens_at
from bayescmr.runs.logs import Log
from bayescmr.values import shorten

_ORDER = ("run", "size", "domain", "ratio", "tokens", "eval_set", "role", "loss", "se", "base")


@dataclass(frozen=True)
class Imported:
    """A run table made from logs.

    Parameters
    ----------
    frame : DataFrame
        Run table in long form, docs/formats.md; not yet validated.
    report : Report
        What was done to the logs.
    """

    frame: pd.DataFrame
    report: Report


def import_runs(logs: Sequence[Log], mapping: Mapping) -> Imported:
    """Make a run table.

    Parameters
    ----------
    logs : sequence of Log
        What `bayescmr.runs.logs.read_logs` read.
    mapping : Mapping
        What `read_mapping` read.

    Returns
    -------
    Imported
        Table and report.

    Raises
    ------
    MappingError
        The mapping names logs, runs or metrics that are not there, or values contradict each
        other.
    """
    report = Report(logs)
    for log in logs:
        for note in log.notes:
            report.add("note", log.source, note)
    events = _Logs(logs, mapping.source)
    parts = [_run_table(run, events, mapping, report) for run in mapping.runs]
    _unmapped(logs, mapping, events.used, report)
    frame = pd.concat(parts, ignore_index=True)
    columns = [*_ORDER, *(name for name in frame.columns if name not in _ORDER)]
    frame = frame.reindex(columns=columns)
    if not (frame["se"] > 0).any():
        frame = frame.drop(columns="se")
    return Imported(frame.dropna(axis="columns", how="all"), report)


class _Logs:
    """Finds the events that a mapping means."""

    def __init__(self, logs: Sequence[Log], where: str) -> None:
        self._by_path = {Path(log.source).resolve(): log for log in logs}
        self._where = where
        #: (log, run in it) to the metrics that were taken.
        self.used: dict[tuple[str, str], set[str]] = {}

    def find(self, run: RunOf, part: LogOf) -> tuple[Log, str]:
        """Return a log and the run in it."""
        who = f"{self._where}: run {shorten(run.name)!r}"
        log = self._by_path.get(part.file.resolve())
        if log is None:
            given = ", ".join(shorten(log.source) for log in list(self._by_path.values())[:5])
            raise MappingError(
                f"{who}: got the log {shorten(str(part.file))!r}, expected one of those given:"
                f" {given}"
            )
        if part.run is None and len(log.runs) == 1:
            return log, log.runs[0]
        if part.run not in log.runs:
            known = ", ".join(shorten(name) for name in log.runs[:10])
            got = "no run name" if part.run is None else f"the run {shorten(part.run)!r}"
            raise MappingError(f"{who}: got {got} in {log.source}, expected one of: {known}")
        return log, part.run

    def events(self, run: RunOf) -> pd.DataFrame:
        """Events of a run, in the order of its logs, with ``part``, the index of the log."""
        frames = []
        for i, part in enumerate(run.logs):
            log, name = self.find(run, part)
            self.used.setdefault((log.source, name), set())
            frames.append(log.events[log.events["run"] == name].assign(part=i))
        return pd.concat(frames, ignore_index=True)


def _run_table(run: RunOf, logs: _Logs, mapping: Mapping, report: Report) -> pd.DataFrame:
    where = mapping.source
    events = logs.events(run)

    def counter(metric: str) -> pd.DataFrame:
        found = events[events["metric"] == metric]
        if not len(found):
            _no_metric(metric, run, events, where)
        return merge(found, run, metric, where, report)

    blocks, missing = [], []
    for loss in run.losses:
        table = losses_of(events, run, loss, where, report)
        if not len(table):
            missing.append(loss.metric)
            continue
        tokens = tokens_at(table["step"].to_numpy(), run, counter, where, report)
        base = run.base.get(loss.eval_set, np.nan)
        blocks.append(
            table.assign(tokens=tokens, eval_set=loss.eval_set, role=loss.role, base=base)
        )
        for part in run.logs:
            log, name = logs.find(run, part)
            logs.used[log.source, name].add(loss.metric)
    if not blocks:
        _no_metric(missing[0] if missing else "", run, events, where)
    for metric in missing:
        report.add("note", run.name, f"the metric {shorten(metric)} is not in its logs")
    _check_base(run, blocks, where)
    table, status = _usable(pd.concat(blocks, ignore_index=True), run, report)
    digests = dict.fromkeys(f"{log.format} {log.sha256[:12]}" for log, _ in _sources(run, logs))
    facts = {"run": run.name, **run.facts, "source": "; ".join(digests)}
    if status is not None:
        facts["status"] = status
    return table.drop(columns="step").assign(**facts)


def _sources(run: RunOf, logs: _Logs) -> list[tuple[Log, str]]:
    return [logs.find(run, part) for part in run.logs]


def _usable(table: pd.DataFrame, run: RunOf, report: Report) -> tuple[pd.DataFrame, str | None]:
    """Leave out, and report, rows without tokens or before the start, and losses that are none.

    Returns
    -------
    table : DataFrame
        What is left.
    status : str or None
        Status of the run: what the mapping says, or diverged where its last loss is no number.
    """
    status = run.facts.get("status")
    unknown = table["tokens"].isna()
    if unknown.any():
        detail = "the counter of tokens was not logged at their steps"
        report.add("dropped", run.name, detail, int(unknown.sum()))
    early = table["tokens"] < 0
    if early.any():
        report.add("dropped", run.name, "before the start of CPT", int(early.sum()))
    table = table.loc[~unknown & ~early]
    finite = np.isfinite(table["loss"])
    if finite.all():
        return table, status
    last = table.groupby("eval_set")["tokens"].transform("max")
    count = int((~finite).sum())
    if status is None and (~finite & (table["tokens"] == last)).any():
        status = "diverged"
        detail = "its last loss is NaN or infinite: the run counts as diverged"
        report.add("diverged", run.name, detail, count)
    else:
        report.add("dropped", run.name, "NaN or infinite losses", count)
    # A diverged run keeps its rows: the table lists it, and leaves it out of the fit.
    if status in ("diverged", "failed"):
        return table.assign(loss=table["loss"].where(finite)), status
    return table.loc[finite], status


def _check_base(run: RunOf, blocks: list[pd.DataFrame], where: str) -> None:
    known = {str(block["eval_set"].iloc[0]) for block in blocks}
    for name in run.base:
        if name not in known:
            raise MappingError(
                f"{where}: run {shorten(run.name)!r}: base: got the evaluation set"
                f" {shorten(name)!r}, expected one of: {', '.join(sorted(known))}"
            )


def _no_metric(metric: str, run: RunOf, events: pd.DataFrame, where: str) -> NoReturn:
    known = [str(name) for name in pd.unique(events["metric"])]
    close = difflib.get_close_matches(metric, known, n=5, cutoff=0.3) or known[:5]
    raise MappingError(
        f"{where}: run {shorten(run.name)!r}: got no metric {shorten(metric)!r} in its logs,"
        f" expected one of: {', '.join(shorten(name) for name in close)}"
    )


def _unmapped(
    logs: Sequence[Log],
    mapping: Mapping,
    used: dict[tuple[str, str], set[str]],
    report: Report,
) -> None:
    counters = {run.tokens.count for run in mapping.runs}
    for log in logs:
        for name in log.runs:
            events = log.events[log.events["run"] == name]
            taken = used.get((log.source, name))
            if taken is None:
                detail = f"the run {shorten(name)} is not in the mapping"
                report.add("unmapped", log.source, detail, len(events))
                continue
            rest = events[~events["metric"].isin([*taken, *counters])]
            if len(rest):
                names = [shorten(str(metric)) for metric in pd.unique(rest["metric"])]
                shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
                detail = f"metrics of {shorten(name)} that the mapping does not name: {shown}"
                report.add("unmapped", log.source, detail, len(rest))
