"""Megatron-LM's console (and GPT-NeoX's, Megatron-DeepSpeed's), which print ``.6E``."""

from __future__ import annotations

import re

from bayescmr.runs.logs.console import as_grid, finish, is_console, number, pairs, whole_text
from bayescmr.runs.logs.events import Events, Log
from bayescmr.runs.logs.files import Content

NAME = "Megatron-LM console"
_RECORD = re.compile(
    r"iteration\s+(?P<step>\d+)/\s*\d+ \|(?P<train>.*)\||"
    r"(?:validation|test)(?:-(?P<set>[^|\n]+?))? (?:loss|results) at"
    r" (?P<where>[^|\n]*)\|(?P<eval>.*)\|"
)
_WHERE = re.compile(r"iteration\s+(\d+)(?: on (\w+) set)?")


def recognise(content: Content) -> bool:
    """Return whether some line is a record."""
    return is_console(content) and _RECORD.search(content.text) is not None


def read(content: Content) -> Log:
    """Read losses and counters; training losses are means since the record before.

    Raises
    ------
    LogError
        There is no whole record.
    """
    text, notes = whole_text(content)
    events = Events(content.source)
    nameless = skipped = 0
    for match in _RECORD.finditer(text):
        if match["step"] is not None:
            step = float(match["step"])
            for key, value in _wanted(match["train"]):
                if key == "number of nan iterations":
                    skipped += int(number(value) or 0)
                    continue
                split = "" if key.startswith(("consumed", "global")) else "train"
                _add(events, content.run, key, value, step, split)
            continue
        where = _WHERE.search(match["where"])
        if where is None:
            nameless += 1
            continue
        split = "test" if where[2] == "test" else "eval"
        for key, value in pairs(match["eval"]):
            name = key if match["set"] is None else f"{match['set']}/{key}"
            _add(events, content.run, name, value, float(where[1]), split)
    if nameless:
        notes.append(f"{nameless} evaluations that do not say their iteration were left out")
    if skipped:
        notes.append(f"{skipped} iterations gave NaN and were skipped by the trainer")
    return finish(content, NAME, events, notes)


def _wanted(record: str) -> list[tuple[str, str]]:
    """Losses and counters alone: a line has ten more, and a log a million lines."""
    parts = [
        part
        for part in record.split("|")
        if ("loss" in part and "loss scale" not in part)
        or "consumed" in part
        or "global batch size" in part
        or "nan iterations" in part
    ]
    return list(pairs("|".join(parts)))


def _add(events: Events, run: str, key: str, text: str, step: float, split: str) -> None:
    value = number(text)
    if value is not None:
        grid = 0.0 if "." not in text else as_grid(text)
        events.add(run, key, value, step, split=split, precision=grid)
