"""``bayescmr demo``, once in full: files, columns, and the published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.demo import demo_cmrs, demo_table

COLUMNS = "size,domain,tokens,tolerance,estimand,median,lower,upper,prob,published,safe_ratio,risk"


def test_table_of_any_draws(runs: bc.RunTable) -> None:
    table = demo_table(demo_cmrs(bc.prior_predictive(runs, seed=1, draws=100)))
    assert ",".join(table.columns) == COLUMNS
    assert len(table) == 5 * 3
    compared = table[table["published"].notna()]
    assert set(compared["estimand"]) == {"turning_point", "gu"}
    assert set(compared["size"]) == set(gu2024.SIZES.values())
    assert table[["median", "lower", "upper", "safe_ratio"]].stack().between(0, 1).all()


@pytest.mark.slow
def test_demo(cli, tmp_path: Path) -> None:
    done = cli("demo", "--out", "demo", "--json")
    said = json.loads(done.stdout)
    assert said["converged"], said
    assert done.returncode == 0
    folder = tmp_path / "demo"
    figures = {
        f"{name}.{kind}"
        for name in ("trajectories", "cmr_tokens", "cmr_size")
        for kind in ("png", "pdf")
    }
    assert {p.name for p in folder.iterdir()} == {"posterior.nc", "cmr.csv", *figures}
    assert {Path(name).name for name in said["files"]} == {p.name for p in folder.iterdir()}

    assert (folder / "cmr.csv").read_text().splitlines()[0] == COLUMNS
    table = pd.read_csv(folder / "cmr.csv").set_index(["estimand", "size"])
    turning = table.loc["turning_point"]
    published = [0.298, 0.349, 0.414, 0.478]
    sizes = list(gu2024.SIZES.values())
    np.testing.assert_allclose(turning.loc[sizes, "published"], published)
    np.testing.assert_allclose(turning.loc[sizes, "median"], published, atol=0.025)
    width = turning["upper"] - turning["lower"]
    assert width[7e9] > 2 * width[sizes].max()
    assert np.isnan(turning.loc[7e9, "published"])
    assert table.loc["tolerance", "published"].isna().all()

    # The file, the JSON and the saved posterior tell the same.
    assert len(said["rows"]) == len(table)
    posterior = bc.load(folder / "posterior.nc")
    cmr = posterior.cmr(bc.Target(3.1e9, "finance", 20e9, 0.05))
    assert turning.loc[3.1e9, "median"] == pytest.approx(
        cmr.summary("turning_point").median, rel=1e-4
    )
    assert table.loc[("gu", 3.1e9), "safe_ratio"] == pytest.approx(cmr.decide(0.1, "gu"), rel=1e-4)
    for size in ("460M", "940M", "1.6B", "3.1B", "7B*"):
        assert size in done.stderr
    assert "not trained, extrapolated" in done.stderr
