"""A table of real small runs, as its author wrote it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bayescmr.runs import RunTable

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "cpu_probes_pilot.csv"


@pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not part of the repository")
def test_pilot_probes() -> None:
    raw = pd.read_csv(DATA)
    raw = raw[raw["regime"] == "const"].rename(columns={"model_size": "size"})
    parts = [raw[name].astype("str") for name in ("size", "domain", "ratio", "seed")]
    raw["run"] = parts[0].str.cat(parts[1:], sep="-")
    wide = raw.drop(columns=["wall_s", "cpu_s", "regime"])
    table = RunTable.from_frame(wide, source=DATA.name, min_tokens=32_768)
    assert table.n_runs == raw["run"].nunique() == 40
    assert table.sizes == (24_704.0, 98_560.0, 332_352.0)
    assert table.domains == ("code", "legal")
    early = (raw["tokens"] < 32_768).sum()
    assert sum(out.rows for out in table.exclusions) == 2 * early
    assert len(table.frame) == 2 * (len(raw) - early)
    rise = (raw["loss_general"] - raw["base_loss_general"])[raw["tokens"] >= 32_768]
    assert sorted(table.select("general")["change"]) == sorted(rise)
