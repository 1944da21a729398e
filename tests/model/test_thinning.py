"""Averages within steps of ln tokens: what they are, and that the posterior does not notice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.model.thinning import thin, thinning_notes


def test_few_checkpoints_stay_as_they_are() -> None:
    tokens, change, se = np.array([1e8, 2e8, 1e9]), np.array([0.1, 0.2, 0.3]), np.full(3, 0.01)
    got = thin(tokens, change, se, most=3)
    np.testing.assert_array_equal(got.tokens, tokens)
    np.testing.assert_array_equal(got.change, change)
    np.testing.assert_array_equal(got.variance, se**2)
    np.testing.assert_array_equal(got.averaged, 1.0)


@given(
    x=st.lists(st.floats(0.0, 8.0), min_size=5, max_size=60, unique=True),
    most=st.integers(4, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_averages_are_those_of_a_table_grouped_by_step(
    x: list[float], most: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tokens = np.unique(np.rint(1e8 * np.exp(np.sort(x))))
    change, se = rng.normal(size=len(tokens)), rng.uniform(0, 0.1, len(tokens))
    got = thin(tokens, change, se, most)
    assert len(got.tokens) <= most or len(tokens) <= most
    assert got.averaged.sum() == len(tokens)
    assert np.all(np.diff(got.tokens) > 0)
    if len(tokens) <= most:
        return
    # The same by pandas: steps of equal width in ln tokens, the last one closed.
    x_ = np.log(tokens)
    edges = np.linspace(x_[0], x_[-1], most + 1)
    step = pd.Series(np.clip(np.searchsorted(edges, x_, side="right") - 1, 0, most - 1))
    groups = pd.DataFrame({"x": x_, "y": change, "v": se**2}).groupby(step)
    if len(groups) != len(got.tokens):  # a checkpoint on an edge, to rounding
        return
    np.testing.assert_allclose(got.averaged, groups.size())
    np.testing.assert_allclose(np.log(got.tokens), groups["x"].mean())
    np.testing.assert_allclose(got.change, groups["y"].mean())
    np.testing.assert_allclose(got.variance, groups["v"].sum() / groups.size() ** 2, atol=1e-18)


def test_bend_of_published_curves_within_a_step() -> None:
    """What an average over a step is off its middle by, for curves logged 400 times."""
    worst = 0.0
    for law in gu2024.table4():
        if law.ratio < 1:
            tokens = np.geomspace(0.2e9, 20e9, 400)
            got = thin(tokens, law.general(tokens), np.zeros(400))
            worst = max(worst, np.abs(got.change - law.general(got.tokens)).max())
    assert worst < 2e-5


def test_notes_say_what_is_averaged() -> None:
    frame = gu2024.trajectories(30).drop(columns=["change_domain", "se_domain"])
    runs = bc.RunTable.from_frame(frame)
    assert thinning_notes(runs.frame, 30) == ()
    (note,) = thinning_notes(runs.frame, 24)
    assert note.startswith("24 of 24 trajectories have more than 24 checkpoints, up to 30:")


@pytest.mark.slow
def test_posterior_is_unmoved() -> None:
    """Noisy curves logged 40 times, as they are and averaged: the same CMR within Monte Carlo."""
    rng = np.random.default_rng(8)
    table = gu2024.trajectories(40).drop(columns=["change_domain", "se_domain", "se_general"])
    table = table[(table["ratio"] < 1) & (table["size"] < 1e9)]
    offset = table["run"].map({run: rng.normal(0, 3e-4) for run in table["run"].unique()})
    noise = offset + rng.normal(0, 5e-4, len(table))
    runs = bc.RunTable.from_frame(table.assign(change_general=table["change_general"] + noise))
    whole, thinned = (bc.fit(runs, seed=1, max_checkpoints=most) for most in (40, 24))
    assert whole.converged and thinned.converged, (str(whole.verdict), str(thinned.verdict))
    assert not whole.provenance.notes[len(runs.notes) :]
    assert "averaged" in thinned.provenance.notes[-1]
    for size in (4.6e8, 9.4e8):
        target = bc.Target(size, "finance", 20e9, 0.02)
        for estimand in ("tolerance", "turning_point"):
            a, b = (fit.cmr(target).draws[estimand] for fit in (whole, thinned))
            # With at least 400 effective draws a mean is known to sd / 20, a sd to 4 %; a tenth of
            # the sd is what the averages may cost on top.
            assert abs(a.mean() - b.mean()) < (0.1 + 4 * np.sqrt(2) / 20) * a.std()
            assert b.std() / a.std() == pytest.approx(1, abs=0.2)
