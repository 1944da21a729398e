"""nanoGPT's console, and modded-nanogpt's: losses with four decimals."""

from __future__ import annotations

import re

from bayescmr.runs.logs.console import as_grid, finish, is_console, number, whole_text
from bayescmr.runs.logs.events import Events, Log
from bayescmr.runs.logs.files import Content

NAME = "nanoGPT console"
_VALUE = r"(-?(?:\d+\.\d+|nan|inf))"
_RECORD = re.compile(
    rf"^\W*step (?P<step>\d+): train loss {_VALUE}, val loss {_VALUE}\s*$|"
    rf"^\W*iter (?P<iter>\d+): loss {_VALUE}, time |"
    rf"^\W*step:(?P<modded>\d+)/\d+ (?P<key>val_loss|train_loss):{_VALUE}(?=\s)",
    re.MULTILINE,
)


def recognise(content: Content) -> bool:
    """Return whether some line is a record."""
    return is_console(content) and _RECORD.search(content.text) is not None


def read(content: Content) -> Log:
    """Read losses; those of ``step`` lines are evaluations, those of ``iter`` lines one batch.

    Raises
    ------
    LogError
        There is no whole record.
    """
    text, notes = whole_text(content)
    events = Events(content.source)
    for match in _RECORD.finditer(text):
        if match["step"] is not None:
            step = float(match["step"])
            # Both are evaluations: batches of either split, with the weights of that step.
            _add(events, content.run, "train loss", match[2], step, "eval")
            _add(events, content.run, "val loss", match[3], step, "eval")
        elif match["iter"] is not None:
            _add(events, content.run, "loss", match[5], float(match["iter"]), "train")
        else:
            split = "eval" if match["key"] == "val_loss" else "train"
            _add(events, content.run, match["key"], match[8], float(match["modded"]), split)
    return finish(content, NAME, events, notes)


def _add(events: Events, run: str, key: str, text: str, step: float, split: str) -> None:
    value = number(text)
    if value is not None:
        events.add(run, key, value, step, split=split, precision=as_grid(text))
