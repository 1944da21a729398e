"""What must not matter does not; what cannot be learned is not pretended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc

SHORT = {"seed": 1, "draws": 100, "tune": 150, "retries": 0}


def test_draws_depend_neither_on_the_order_of_rows_nor_on_the_names_of_runs(
    repo_root: Path,
) -> None:
    frame = pd.read_csv(repo_root / "case_studies" / "cpu_probes" / "runs.csv")
    frame = frame[(frame["domain"] == "legal") & (frame["size"] < 2e5)]
    runs = frame["run"].unique()
    names = dict(zip(runs, np.random.default_rng(0).permutation(len(runs)), strict=True))
    other = frame.assign(run=[f"z{names[run]}" for run in frame["run"]]).sample(
        frac=1, random_state=1
    )
    first, second = (
        bc.fit(bc.RunTable.from_frame(f), model="shift_gain", **SHORT).general
        for f in (frame, other)
    )
    np.testing.assert_array_equal(first.coef, second.coef)
    np.testing.assert_array_equal(first.noise, second.noise)


def _table(change: Callable[[float], float], tokens: tuple[float, ...]) -> bc.RunTable:
    rows = [
        {"run": f"{r}", "size": 1e8, "domain": "law", "ratio": r, "tokens": t}
        | {"change_general": change(r)}
        for r in (0.1, 0.3, 0.5, 0.8)
        for t in tokens
    ]
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("table", "truth"),
    [
        # A loss that never moves: every ratio is safe, and nothing else can be said.
        (_table(lambda ratio: 0.0, (1e9, 4e9, 16e9)), 1.0),
        # One checkpoint a run: nothing tells what a run adds to its law.
        (_table(lambda ratio: 0.1 * ratio, (16e9,)), 0.5),
    ],
    ids=["constant", "one checkpoint"],
)
def test_poor_tables_are_refused_or_answered_widely(table: bc.RunTable, truth: float) -> None:
    fit = bc.fit(table, **SHORT)
    lower, upper = fit.cmr(bc.Target(1e8, "law", 16e9, 0.05)).interval()
    assert lower <= truth <= upper
    assert not fit.converged or truth == 1.0 or upper - lower > 0.05
