"""``bayescmr fit`` on a small table: compiled and sampled for real, once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import bayescmr as bc
from bayescmr import gu2024


@pytest.mark.slow
def test_fit_saves_and_says_what_it_did_even_if_not_converged(cli, tmp_path: Path) -> None:
    frame = gu2024.trajectories(checkpoints=5)
    frame = frame[(frame["size"] < 1e9) & (frame["ratio"] < 0.6)]
    frame.to_csv(tmp_path / "runs.csv", index=False)
    first = frame["tokens"].min()
    done = cli(
        *["fit", "runs.csv", "--seed", 3, "--out", "results/posterior.nc"],
        *["--min-tokens", 1.5 * first, "--draws", 20, "--tune", 20, "--chains", 2],
        *["--cores", 1, "--timing", "--json"],
    )
    # Forty draws cannot have converged.
    assert done.returncode == 3, done.stderr
    said = json.loads(done.stdout)
    assert said["converged"] is False
    assert said["verdict"]["problems"]
    assert said["runs"]["n_runs"] == frame[["size", "ratio"]].drop_duplicates().shape[0]
    assert said["runs"]["exclusions"]
    assert said["settings"]["seed"] == 3
    assert set(said["timing"]) == {"build", "compile", "sample", "post_process"}
    assert said["timing"]["sample"] > 0
    for words in ("left out", "NOT CONVERGED", "post-process", "fingerprint"):
        assert words in done.stderr
    posterior = bc.load(tmp_path / said["out"])
    assert posterior.general.shape == (2, 20)
    assert posterior.provenance.seed == 3
    assert not posterior.converged
    assert sorted(p.name for p in (tmp_path / "results").iterdir()) == ["posterior.nc"]
    again = cli(
        *["fit", "runs.csv", "--previous", said["out"], "--out", "again.nc"],
        *["--min-tokens", 1.5 * first, "--draws", 20, "--tune", 20, "--chains", 2],
        *["--cores", 1, "--json"],
    )
    assert again.returncode == 3, again.stderr
    settings = json.loads(again.stdout)["settings"]
    assert settings["previous"] == said["runs"]["fingerprint"]
    assert all(made[0]["warm"] for made in settings["attempts"].values())


def test_fit_refuses_a_previous_fit_of_another_model_before_sampling(cli, tmp_path: Path) -> None:
    runs = gu2024.trajectories(checkpoints=5)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    prior = bc.prior_predictive(bc.RunTable.from_frame(runs), "shift_gain", seed=1, draws=4)
    replace(prior, kind="posterior").save(tmp_path / "other.nc")
    done = cli("fit", "runs.csv", "--previous", "other.nc")
    assert done.returncode != 0
    assert "--previous: a fit of the model shift_gain" in done.stderr
    assert not (tmp_path / "posterior.nc").exists()
