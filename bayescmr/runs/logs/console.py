"""What logs of consoles share: lines, records, and several runs in one file."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayescmr.runs.logs.events import Events, Log
from bayescmr.runs.logs.files import Content, whole_lines
from bayescmr.values import shorten


def whole_text(content: Content) -> tuple[str, list[str]]:
    """Text up to the last line end, and what was cut off."""
    text, notes = whole_lines(content.text)
    return text, list(notes)


def is_console(content: Content) -> bool:
    """Return whether the file may be the log of a console."""
    return not content.is_folder and content.is_text and content.head[:1] not in (b"{", b"[")


def pairs(record: str) -> Iterator[tuple[str, str]]:
    """Keys and values of ``key: value | key: value``; keys may hold colons, values none."""
    for part in record.split("|"):
        key, colon, value = part.rpartition(":")
        if colon:
            yield key.strip(), value.strip()


def number(text: str) -> float | None:
    """Return a printed number, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def finish(content: Content, form: str, events: Events, notes: list[str]) -> Log:
    """Make the log, with a run per start."""
    frame, starts = split_starts(events.frame())
    if starts:
        notes.append(
            f"steps start again at {starts}: read as the runs"
            f" {', '.join(shorten(str(run)) for run in pd.unique(frame['run']))}"
        )
    return Log(content.source, form, content.sha256, frame, tuple(notes))


def split_starts(events: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Give each run of a concatenated log a name of its own.

    A log whose steps go back to where they began, or before, and then tell other values holds
    another run, or a second attempt; which, nobody can know, so they become ``run#1`` and
    ``run#2``. Steps that go back less far are a resumption, and equal values a copy: both stay.

    Returns
    -------
    events : DataFrame
        With other names where there are several runs.
    starts : str
        First steps of the later runs; empty where there is one run.
    """
    if not len(events):
        return events, ""
    steps = events["step"].to_numpy()
    drops = np.flatnonzero(np.diff(steps) < 0) + 1
    part = np.zeros(len(steps), dtype=np.int64)
    first: list[float] = [steps[0]]
    begins: list[int] = [0]
    for at in drops.tolist():
        if steps[at] <= first[-1] and not _copy(events, begins[-1], at):
            first.append(float(steps[at]))
            begins.append(at)
            part[at:] = len(first) - 1
    if len(first) == 1:
        return events, ""
    names = events["run"].to_numpy(dtype=object) + "#" + (part + 1).astype("str").astype(object)
    starts = ", ".join(f"{step:g}" for step in first[1:4]) + (" ..." if len(first) > 4 else "")
    return events.assign(run=pd.Series(names, dtype="str")), f"step {starts}"


def _copy(events: pd.DataFrame, begin: int, at: int) -> bool:
    """Whether what follows ``at`` says only what was said before, as far as both go."""
    keys = ["metric", "split", "step"]
    before = events.iloc[begin:at].drop_duplicates(keys, keep="last")
    after = events.iloc[at : at + (at - begin)]
    both = after.merge(before, on=keys, suffixes=("", "_before"))
    same = (both["value"] == both["value_before"]) | (
        both["value"].isna() & both["value_before"].isna()
    )
    return bool(len(both)) and bool(same.all())


def as_grid(text: str, digits: int | None = None) -> float:
    """Grid of a printed number: by its decimals, or by its significant digits."""
    from bayescmr.runs.logs.rounding import of_digits, of_text

    value = number(text)
    if value is None or not math.isfinite(value):
        return 0.0
    return of_text(text) if digits is None else of_digits(value, digits)
