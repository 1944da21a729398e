"""Typed columns to one row per measured loss."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescmr.runs.columns import KEYS, OPTIONAL, Layout


def to_long(frame: pd.DataFrame, layout: Layout) -> pd.DataFrame:
    """Stack the measurements of a typed frame.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
        Result of `bayescmr.runs.typed.typed_frame`.
    layout : Layout
        Which column measures what.

    Returns
    -------
    DataFrame, shape (measurements, 13 or more)
        run, size, domain, ratio, tokens, eval_set, role, loss, base, change, se, out, the
        optional columns present, and ``position``, the row of ``frame``.
    """
    optional = [name for name in OPTIONAL if name in frame]
    shared = frame[[*KEYS, *optional, "out"]].assign(position=np.arange(len(frame)))
    if layout.form == "long":
        blocks = [
            shared.assign(
                eval_set=frame["eval_set"],
                role=frame["role"],
                **{q: frame.get(q, np.nan) for q in ("loss", "base", "change", "se")},
            )
        ]
    else:
        blocks = [
            shared.assign(
                eval_set=pd.Series([eval_set] * len(frame), dtype="str"),
                role=pd.Series([role] * len(frame), dtype="str"),
                **{
                    q: frame[columns[q]] if q in columns else np.nan
                    for q in ("loss", "base", "change", "se")
                },
            )
            for (eval_set, role), columns in layout.measures.items()
        ]
    long = pd.concat(blocks, ignore_index=True)
    _fill_from_run(long)
    return long


def _fill_from_run(long: pd.DataFrame) -> None:
    """Base rows may leave domain and ratio blank: take those of the run's other rows."""
    for name in ("domain", "ratio"):
        blank = long[name].isna()
        if blank.any():
            of_run = long[["run", name]].dropna().groupby("run")[name].min()
            long[name] = long[name].where(~blank, long["run"].map(of_run))
