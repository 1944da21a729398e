"""Scatter from checkpoint to checkpoint: found where it is, and told where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.runs.smoothness import LEAST_ERROR, scatter, too_smooth


def _rows(checkpoints=16, noise=0.0, runs=30, *, tokens=None):
    """Parabolas in ln tokens, each with noise of its own."""
    rng = np.random.default_rng(1)
    t = np.geomspace(1e9, 1e11, checkpoints) if tokens is None else tokens
    x = np.log(t / 1e10)
    return pd.concat(
        pd.DataFrame(
            {
                "run": f"r{i:02d}", "eval_set": "general", "tokens": t, "se": 0.0,
                "change": rng.normal() + rng.normal() * x - 0.1 * x**2
                + noise * rng.standard_normal(len(t)),
            }
        )
        for i in range(runs)
    )  # fmt: skip


@pytest.mark.parametrize("noise", [1e-5, 1e-3, 0.1])
@pytest.mark.parametrize("checkpoints", [4, 16, 300])
def test_is_the_sd_of_independent_errors(noise, checkpoints):
    # 30 curves of one difference each tell a sd, through the median of squares, to about 25 %.
    assert scatter(_rows(checkpoints, noise)) == pytest.approx(noise, rel=0.6)


def test_uneven_checkpoints():
    rng = np.random.default_rng(2)
    tokens = np.sort(rng.uniform(1e9, 1e11, 40))
    assert scatter(_rows(noise=1e-3, tokens=tokens)) == pytest.approx(1e-3, rel=0.2)
    assert scatter(_rows(tokens=tokens)) < 1e-9


def test_curves_do_not_run_into_each_other():
    """Each alone is a parabola; four rows across two of them are not."""
    assert scatter(_rows(checkpoints=5)) < 1e-9


def test_too_few_checkpoints_tell_nothing():
    rows = _rows(checkpoints=3)
    assert np.isnan(scatter(rows))
    assert not too_smooth(rows)
    assert not too_smooth(rows.iloc[:2])


def test_a_stated_error_is_enough():
    rows = _rows(noise=1e-6)
    assert too_smooth(rows)
    assert not too_smooth(rows.assign(se=LEAST_ERROR))
    assert too_smooth(rows.assign(se=LEAST_ERROR / 2))
    assert not too_smooth(_rows(noise=1e-3))


def test_published_curves_without_their_errors_are_told():
    """What a user reads who gives smooth curves to a fit."""
    frame = gu2024.trajectories().drop(columns=["se_general", "se_domain"])
    (note,) = (n for n in bc.RunTable.from_frame(frame).notes if "scatter" in n)
    assert "scatter by only 5.2e-06" in note and "se_general, at least 0.0001" in note
    stated = bc.RunTable.from_frame(gu2024.trajectories())
    assert not any("scatter" in n for n in stated.notes)


def test_measured_losses_are_not_told(repo_root):
    """Real tables: what case_studies/gu2024/README.md says of their scatter."""
    studies = repo_root / "case_studies"
    for name, expected in (
        ("cpu_probes/runs.csv", 7.0e-3), ("cpu_probes/fresh.csv", 6.5e-3),
        ("cpu_probes/second_base.csv", 4.3e-3), ("active_cpu/runs.csv", 3.3e-3),
    ):  # fmt: skip
        runs = bc.read_runs(studies / name)
        assert scatter(runs.select("general")) == pytest.approx(expected, rel=0.01)
        assert not any("scatter" in note for note in runs.notes)
