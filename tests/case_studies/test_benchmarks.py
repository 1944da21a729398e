"""The runner of the benchmarks: all of it runs, and the page says what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytestmark = pytest.mark.usefixtures("benchmarks")


def test_tables_are_as_long_as_they_say_and_know_their_seed(known):
    import tables

    for rows in (60, 720, 7200):
        table = tables.simulate(known, rows, seed=1)
        assert len(table.frame) == rows
        assert not table.frame.duplicated(["run", "tokens"]).any()
    first, same, other = (tables.simulate(known, 60, seed=s).fingerprint for s in (1, 1, 2))
    assert first == same != other


def test_wrong_number_of_rows_is_told(known):
    import tables

    with pytest.raises(ValueError, match="expected 60 or a multiple of 720"):
        tables.simulate(known, 100, seed=1)


def test_least_squares_finds_the_turning_point_of_smooth_runs():
    """Without noise the optimum is the truth, whose turning point has a closed form."""
    import least_squares
    import tables

    import bayescmr as bc

    frame = tables.design(720).query("domain == 'finance' and ratio < 1")
    runs = bc.RunTable.from_frame(frame.assign(change_general=0.0))
    squares = least_squares.LeastSquares(runs, "finance")
    point = squares.centre.copy()
    point[10] = 0.3  # slope of s in ln size
    theta = squares.theta(point, squares.rows["size"].to_numpy())
    tokens, ratio = (squares.rows[c].to_numpy() for c in ("tokens", "ratio"))
    squares.rows["change"] = squares.law.change(theta, tokens, ratio, squares.reference)
    target = bc.Target(1e9, "finance", 1e10)
    found = squares.bootstrap(target, replicates=2, starts=1, seed=1)
    assert found == pytest.approx(np.full(3, squares.cmr(point, target)), abs=0.01)


@pytest.mark.slow
def test_smoke_run_writes_every_ratio(known, tmp_path, monkeypatch):
    import run

    monkeypatch.setattr(run, "demo", lambda: known)
    stages = ["gradient", "nutpie", "rows"]
    out = tmp_path / "engine.json"
    result = run.run(run.SMOKE, stages, out)
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert list(result["stages"]) == stages
    for name in ("ess_per_second_ratio", "refit_ratio", "bootstrap_ratio"):
        assert np.isfinite(result[name]) and result[name] > 0
    assert result["seconds_by_rows"]["60"] > 0
    assert result["longest_table"]["peak_gb"] > 0
    assert result["unit"] == "CPU seconds on one core"
    # No names of machines or folders.
    assert "/" not in json.dumps(result).replace("nats/token", "")


def test_committed_result_has_the_schema_of_the_runner(repo_root):
    import run

    result = json.loads((repo_root / "case_studies" / "benchmarks" / "engine.json").read_text())
    assert result["schema"] == run.SCHEMA
    # Two samplers of the textbook take long and may be left out.
    assert set(run.STAGES) - {"numpyro", "pymc"} <= set(result["stages"]) <= set(run.STAGES)
    recomputed = run.ratios(result["stages"])
    assert {name: result[name] for name in recomputed} == recomputed


def test_page_says_what_was_measured(repo_root):
    import page

    result = json.loads((repo_root / "case_studies" / "benchmarks" / "engine.json").read_text())
    text = (repo_root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert text == page.render(result), "run case_studies/benchmarks/page.py"
