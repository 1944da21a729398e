"""From cells as found to typed columns, with every bad cell reported."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescmr.runs.cells import Float, Mask, to_labels, to_numbers
from bayescmr.runs.columns import STATUS_OUT, STATUS_USED, Layout
from bayescmr.runs.problems import Problems
from bayescmr.runs.raw import RawTable
from bayescmr.runs.schema import MAX_LOSS, MIN_COUNT, check_ranges

_TEXT = ("label", "role", "status")
_COUNTS = ("size", "tokens", "seed", "corpus")


def typed_frame(
    raw: RawTable, layout: Layout, problems: Problems
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Parse and check every cell on its own.

    Parameters
    ----------
    raw : RawTable
        Cells as found.
    layout : Layout
        Kinds of the columns.
    problems : Problems
        Receives bad cells.

    Returns
    -------
    frame : DataFrame, shape (rows, columns)
        Columns of the file as float64 or str, and ``out``: the status that keeps the
        row's run out of the fit, or missing.
    notes : tuple of str
        What was assumed on the way.
    """
    columns: dict[str, pd.Series | Float] = {}
    commas = []
    for i, (name, kind) in enumerate(layout.kinds.items()):
        cells = raw.frame[i]
        if kind in _TEXT:
            columns[name], bad = to_labels(cells)
            expected = "text"
        else:
            found = to_numbers(cells, comma=raw.decimal_comma, count=kind in _COUNTS)
            columns[name], bad = found.values, found.bad
            expected = "a number"
            if found.commas:
                commas.append(name)
        if bad.any():
            fix = "write numbers as 1e9 or 0.25, without units or thousands separators"
            problems.add_cells(
                name, bad, cells.to_numpy(dtype=object), expected, fix if kind not in _TEXT else ""
            )
    frame = pd.DataFrame(columns, index=range(len(raw.frame)))
    frame["out"] = _status_out(frame)
    _forgive_failed(frame, layout)
    check_ranges(frame, layout, problems)
    _check_blanks(frame, layout, problems)
    _check_token_unit(frame, problems)
    notes = (f"decimal commas read in columns {', '.join(commas)}",) if commas else ()
    return frame, notes


def _status_out(frame: pd.DataFrame) -> pd.Series:
    """Status that keeps a run out, for all its rows: its earlier rows led there too."""
    if "status" not in frame:
        return pd.Series([None] * len(frame), dtype="str")
    status = frame["status"].str.lower()
    frame["status"] = status.where(~status.isin(STATUS_USED), "ok").fillna("ok")
    worst = status.where(status.isin(STATUS_OUT))
    known = pd.DataFrame({"run": frame["run"], "worst": worst}).dropna()
    # Rows of one run may say both; the first in the alphabet, whatever the row order.
    by_run = known.groupby("run")["worst"].min()
    return frame["run"].map(by_run).astype("str")


def _forgive_failed(frame: pd.DataFrame, layout: Layout) -> None:
    """Blank impossible losses of runs that say they failed: they are what failing means."""
    out = frame["out"].notna()
    if not out.any():
        return
    for name, kind in layout.kinds.items():
        if kind in ("loss", "change"):
            values = frame[name]
            low = 0.0 if kind == "loss" else -MAX_LOSS
            frame[name] = values.mask(out & ~values.between(low, MAX_LOSS))


def _check_blanks(frame: pd.DataFrame, layout: Layout, problems: Problems) -> None:
    base = frame["tokens"].to_numpy() == 0
    fixes = {
        "run": "name the run",
        "domain": "name the domain, at ratio 0 too: the domain loss is measured on it "
        "(only rows with tokens = 0 may leave it blank)",
        "ratio": "only rows with tokens = 0 may leave it blank",
    }
    for name in ("run", "size", "domain", "ratio", "tokens", "eval_set", "role"):
        if name not in frame:
            continue
        blank: Mask = frame[name].isna().to_numpy()
        if name in ("domain", "ratio"):
            blank = blank & ~base
        text = layout.kinds[name] in _TEXT
        problems.add_cells(
            name,
            blank,
            np.full(len(frame), _Blank(), dtype=object),
            f"a {'name' if text else 'number'}",
            fixes.get(name, ""),
        )


class _Blank:
    def __str__(self) -> str:
        return "a blank cell"


def _check_token_unit(frame: pd.DataFrame, problems: Problems) -> None:
    tokens = frame["tokens"].to_numpy()
    positive = np.flatnonzero(tokens > 0)
    if len(positive) and tokens[positive].max() < MIN_COUNT:
        top = tokens[positive].max()
        problems.add(
            position=int(positive[0]),
            column="tokens",
            got=f"{tokens[positive[0]]:g}, and at most {top:g} in the whole table",
            expected="tokens, a count of CPT tokens",
            fix=f"{top:g} looks like billions: write {top:g}e9",
        )
