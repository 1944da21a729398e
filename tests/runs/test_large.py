"""A table of 10^6 rows: validated in columns, not in rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv

from bayescmr.errors import RunTableError
from bayescmr.runs import RunTable, read_runs


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    runs, checkpoints = 50_000, 20
    run = np.repeat(np.arange(runs), checkpoints)
    return pd.DataFrame(
        {
            "run": pd.Series(run).astype("str"),
            "size": np.where(run % 2, 1e8, 1e9),
            "domain": np.where(run % 3, "law", "tax"),
            "ratio": (run % 5) / 4,
            "tokens": np.tile(np.arange(checkpoints) * 1e6, runs),
            "loss_general": np.random.default_rng(0).normal(3, 0.1, runs * checkpoints),
        }
    )


@pytest.mark.slow
def test_million_rows(large: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    csv.write_csv(pa.Table.from_pandas(large, preserve_index=False), path)
    table = read_runs(path, min_tokens=1.5e6)
    assert table.n_runs == 50_000
    assert len(table.frame) == 900_000
    assert table.exclusions[0].rows == 50_000
    assert table.fingerprint == RunTable.from_frame(large, min_tokens=1.5e6).fingerprint


def test_million_wrong_cells(large: pd.DataFrame) -> None:
    with pytest.raises(RunTableError) as caught:
        RunTable.from_frame(large.assign(ratio=large["ratio"] * 100, loss_general=-1.0))
    text = str(caught.value).splitlines()
    assert len(text) <= 11
    assert "row 0 (from 0) (and 999999 more rows), column 'loss_general': got -1" in text[0]
    assert any("if this is a percentage divide by 100" in line for line in text)
