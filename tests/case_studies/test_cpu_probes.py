"""The CPU study: what is committed fits together, and the page says what the files say."""

from __future__ import annotations

import importlib
import json

import pytest

import bayescmr as bc


@pytest.fixture(scope="module")
def folder(repo_root):
    return repo_root / "case_studies" / "cpu_probes"


@pytest.fixture(scope="module")
def study(folder, scripts):
    """The scripts of the study by name."""
    with scripts(folder):
        yield {name: importlib.import_module(name) for name in ("grid", "fit", "verify", "page")}


def test_the_grid_is_what_was_asked_for_and_is_all_there(study, folder) -> None:
    grid = study["grid"]
    runs = bc.read_runs(folder / "runs.csv")
    frame = runs.select("general")
    assert len(runs.sizes) >= 3 and len(runs.domains) >= 2
    assert runs.n_runs == sum(probe.base_seed == 1 for probe in grid.probes())
    cells = frame.groupby(["size", "domain", "ratio"])
    assert len(cells) == len(runs.sizes) * len(runs.domains) * len(grid.RATIOS)
    assert (frame.groupby("run")["tokens"].nunique() == 8).all()
    assert (cells["seed"].nunique() == 3).sum() >= 4
    assert bc.read_runs(folder / "second_base.csv").n_runs == len(grid.SECOND_BASE)


def test_no_run_is_in_the_table_twice(folder) -> None:
    """The runs at R = 0 of both domains are two runs, not one under two names."""
    frame = bc.read_runs(folder / "runs.csv").select("general")
    ends = frame[frame["tokens"] == frame["tokens"].max()]
    assert ends["loss"].is_unique


def test_predictions_are_of_this_table_and_these_laws(study, folder) -> None:
    predictions = json.loads((folder / "predictions.json").read_text())
    assert predictions["runs"]["fingerprint"] == study["fit"].table().fingerprint
    assert set(predictions["weights"]) == set(study["fit"].MODELS)
    for answers in predictions["answers"].values():
        assert len(answers) == 6
        assert all(one["converged"] for one in answers)
        assert all(one["lower"] < one["median"] < one["upper"] for one in answers)


def test_verification_is_counted_from_the_fresh_runs(study, folder) -> None:
    predictions = json.loads((folder / "predictions.json").read_text())
    verification = json.loads((folder / "verification.json").read_text())
    assert verification["runs"] == study["verify"].judged(predictions)
    seen = bc.read_runs(folder / "runs.csv").frame["seed"].unique()
    assert not set(study["verify"].SEEDS) & set(seen)
    for risk, one in verification["by_risk"].items():
        some = [run for run in verification["runs"] if run["risk"] == float(risk)]
        assert (one["held"], one["runs"]) == (sum(r["held"] for r in some), len(some))


def test_the_page_is_made_from_the_files(study, folder) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert study["page"].render(text) == text


@pytest.mark.slow
def test_a_law_that_is_quick_gives_the_committed_answers(study, folder) -> None:
    """`shift_gain` anew: medians within four Monte Carlo errors, some 0.002 in R."""
    predictions = json.loads((folder / "predictions.json").read_text())
    posterior = bc.fit(study["fit"].table(), model="shift_gain", seed=7)
    assert posterior.converged
    for committed in predictions["answers"]["shift_gain"]:
        found = study["fit"].answer(posterior, committed["size"], committed["domain"])
        for name in ("median", "lower", "upper"):
            assert found[name] == pytest.approx(committed[name], abs=0.004)
