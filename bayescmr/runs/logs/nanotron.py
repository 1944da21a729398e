"""nanotron's console: three significant digits and suffixes, ``consumed_tokens: 105M``."""

from __future__ import annotations

import re

from bayescmr.runs.logs.console import finish, is_console, number, pairs, whole_text
from bayescmr.runs.logs.events import Events, Log
from bayescmr.runs.logs.files import Content
from bayescmr.runs.logs.rounding import of_digits

NAME = "nanotron console"
_RECORD = re.compile(r"iteration: (?P<step>[\d.]+[KMBG]?) / [\d.]+[KMBG]? \|(?P<rest>.*)")
_DIGITS = 3
_SUFFIX = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}


def recognise(content: Content) -> bool:
    """Return whether some line is a record."""
    return is_console(content) and _RECORD.search(content.text) is not None


def read(content: Content) -> Log:
    """Read losses and counters, each with its rounding to three digits.

    Raises
    ------
    LogError
        There is no whole record.
    """
    text, notes = whole_text(content)
    events = Events(content.source)
    rounded = 0
    for match in _RECORD.finditer(text):
        step = _human(match["step"])
        if step is None:
            continue
        # Iterations are printed whole; with a suffix they would stand for many.
        if match["step"][-1:].isalpha():
            rounded += 1
            continue
        for key, cell in pairs(match["rest"]):
            value = _human(cell) if "loss" in key or key == "consumed_tokens" else None
            if value is not None:
                split = "" if key == "consumed_tokens" else "eval" if "val" in key else "train"
                grid = (
                    0.0
                    if value < 1000 and value % 1 == 0 and split == ""
                    else (of_digits(value, _DIGITS))
                )
                events.add(content.run, key, value, step, split=split, precision=grid)
    if rounded:
        notes.append(f"{rounded} records whose iteration is rounded were left out")
    return finish(content, NAME, events, notes)


def _human(text: str) -> float | None:
    suffix = text[-1:] if text[-1:].isalpha() and text[-1:] in _SUFFIX else ""
    value = number(text[: len(text) - len(suffix)])
    return None if value is None else value * _SUFFIX[suffix]
