"""Hugging Face ``trainer_state.json``: the ``log_history`` of a Trainer."""

from __future__ import annotations

import math
from typing import Any

from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, as_number, parse_json
from bayescmr.runs.logs.rounding import round_doubles

NAME = "Hugging Face trainer_state.json"
#: Fields of a record that are coordinates, no metrics.
_COORDINATES = ("step", "epoch")


def recognise(content: Content) -> bool:
    """Return whether the file is a JSON object with a ``log_history``."""
    return content.head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and (
        b'"log_history"' in content.data and b'"global_step"' in content.data
    )


def read(content: Content) -> Log:
    """Read the log history; training losses are means since the record before.

    Raises
    ------
    LogError
        The file is cut short or no state of a Trainer.
    """
    state = parse_json(content.text, content.source)
    history = state.get("log_history") if isinstance(state, dict) else None
    if not isinstance(history, list):
        got = "JSON without a list log_history"
        fail(content.source, got, "the state of a Hugging Face Trainer")
    events = Events(content.source)
    odd = 0
    for record in history:
        step = as_number(record.get("step")) if isinstance(record, dict) else None
        if step is None:
            odd += 1
            continue
        _add(events, content.run, record, step)
    notes = []
    if odd:
        notes.append(f"{odd} records of log_history without a step were left out")
    last = as_number(state.get("global_step"))
    if last is not None and math.isfinite(last) and events.step and last > max(events.step):
        notes.append(f"the last record is of step {max(events.step):g}, the state of step {last:g}")
    return Log(content.source, NAME, content.sha256, round_doubles(events.frame()), tuple(notes))


def _add(events: Events, run: str, record: dict[str, Any], step: float) -> None:
    # The record at the end of training sums up the run: its train_loss is no loss at its step.
    summary = "train_runtime" in record
    seen = as_number(record.get("num_input_tokens_seen"))
    tokens = math.nan if seen is None else seen
    for key, cell in record.items():
        value = as_number(cell)
        if value is None or key in _COORDINATES or (summary and key.startswith("train_")):
            continue
        split = "train"
        for name, prefix in (("eval", "eval_"), ("test", "test_")):
            if key.startswith(prefix):
                split = name
        if key in ("num_input_tokens_seen", "total_flos", "learning_rate", "grad_norm"):
            split = ""
        events.add(run, key, value, step, split=split, tokens=tokens)
