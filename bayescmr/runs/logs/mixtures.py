"""RegMix and olmix: weights of many domains, and losses, a run per row; in one CSV or a pair."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayescmr.runs.cells import Float
from bayescmr.runs.logs import tables
from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content
from bayescmr.runs.logs.rounding import round_doubles

NAME = "RegMix/olmix table"
_LABELS = ("model", "split", "run", "name", "index")
_LOSS = re.compile(r"^metric/|loss|bpb|bits_per|perplexity")
#: Weights are published with three decimals: sums of seventeen are off by so much at most.
_SUM = 0.02


def recognise(content: Content) -> bool:
    """Return whether it is a CSV with an index and columns of weights or of losses."""
    if content.is_folder:
        return False
    names = tables.header(content)
    others = [name for name in names if name and name not in _LABELS]
    if "index" not in names or len(others) < 2 or {"step", "_step"} & set(names):
        return False
    return any(name.startswith(("train_", "metric/")) for name in others) or "run" in names


def read(content: Content) -> Log:
    """Read ``weight/<domain>`` and losses of each run; there are no steps and no tokens.

    Raises
    ------
    LogError
        A cell is no number, weights do not sum to 1, or a run comes twice.
    """
    table, notes = tables.read_csv(content)
    table = table[[name for name in table.columns if name]]
    runs = _runs(content, table)
    values: dict[str, Float] = {}
    for name in table.columns:
        if name not in _LABELS:
            column = tables.numbers(table[name])
            if column is None:
                fail(content.source, f"words in the column {name!r}", "numbers")
            loss = _LOSS.search(name) is not None
            values[name if loss else f"weight/{name.removeprefix('train_')}"] = column
    weights = [column for name, column in values.items() if name.startswith("weight/")]
    if weights:
        sums = np.sum(weights, axis=0)
        off = np.flatnonzero(~(np.abs(sums - 1) <= _SUM))
        if len(off):
            got = f"weights of run {runs[off[0]]!r} that sum to {sums[off[0]]:.4g}"
            fail(content.source, got, "shares that sum to 1", "is a domain missing?")
    events = Events(content.source)
    for i, run in enumerate(runs):
        for name, column in values.items():
            split = "" if name.startswith("weight/") else "eval"
            events.add(run, name, float(column[i]), np.nan, split=split)
    notes.append(
        "mixtures trained from scratch have no base loss, no replay share and no trajectory: they"
        " give a run table only where the mapping states size, ratio, tokens and base of each run"
    )
    frame = round_doubles(events.frame(), by=("metric",))
    return Log(content.source, NAME, content.sha256, frame, tuple(notes))


def _runs(content: Content, table: pd.DataFrame) -> list[str]:
    """Names: the column run, else name, else index; with the model where the table has several."""
    key = next(name for name in ("run", "name", "index") if name in table)
    runs = table[key].astype("str").str.strip()
    for more in ("split", "model"):
        if more in table:
            runs = table[more].astype("str").str.strip() + "-" + runs
    twice = runs[runs.duplicated()]
    if len(twice):
        fail(content.source, f"the run {twice.iloc[0]!r} twice", "each run once")
    return [str(run) for run in runs]
