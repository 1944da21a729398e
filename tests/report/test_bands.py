"""The tables behind the figures equal quantiles that are computed here, another way."""

from __future__ import annotations

import numpy as np
import pytest

import bayescmr as bc
from bayescmr.cmr import ESTIMANDS, Estimand
from bayescmr.report import (
    cmr_against_size,
    cmr_against_tokens,
    cmr_densities,
    trajectory_bands,
    trajectory_points,
)


def test_trajectory_bands_are_quantiles_of_the_law_on_the_draws(prior: bc.Posterior) -> None:
    table = trajectory_bands(
        prior, domain="finance", sizes=[940e6], ratios=[0.25, 1.0], tokens=[1e9, 2e10], prob=0.8
    )
    assert table[["ratio", "tokens"]].values.tolist() == [
        [0.25, 1e9],
        [0.25, 2e10],
        [1.0, 1e9],
        [1.0, 2e10],
    ]
    block = prior.general
    theta = block.theta(940e6, "finance", "general")
    for row in table.itertuples():
        law, ref = block.spec.law, block.hierarchy.reference
        draws = law.change(theta, np.float64(row.tokens), np.float64(row.ratio), ref)
        expected = np.percentile(draws, [10, 50, 90])
        np.testing.assert_allclose([row.lower, row.median, row.upper], expected, rtol=1e-12)
    assert set(table["prob"]) == {0.8}


def test_trajectory_bands_cover_what_was_probed(prior: bc.Posterior) -> None:
    table = trajectory_bands(prior, domain="finance")
    rows = prior.frame[prior.frame["role"] == "general"]
    assert set(table["size"]) == set(rows["size"])
    assert set(table["ratio"]) == set(rows["ratio"])
    assert table["tokens"].min() == pytest.approx(rows["tokens"].min())
    assert table["tokens"].max() == pytest.approx(rows["tokens"].max())
    assert table.groupby(["size", "ratio"])["tokens"].count().eq(60).all()


def test_an_untrained_size_takes_the_ratios_of_its_domain(prior: bc.Posterior) -> None:
    table = trajectory_bands(prior, domain="finance", sizes=[7e9], tokens=[1e9])
    assert sorted(table["ratio"]) == sorted(set(prior.frame["ratio"]))


def test_trajectory_points_are_the_rows_of_the_general_loss(prior: bc.Posterior) -> None:
    table = trajectory_points(prior, domain="finance", sizes=[460e6])
    rows = prior.frame[(prior.frame["role"] == "general") & (prior.frame["size"] == 460e6)]
    assert len(table) == len(rows) > 0
    assert table["change"].sum() == pytest.approx(rows["change"].sum(), rel=1e-12)


@pytest.mark.parametrize("estimand", ESTIMANDS)
def test_cmr_against_tokens_is_the_cmr_at_each_target(
    prior: bc.Posterior, estimand: Estimand
) -> None:
    table = cmr_against_tokens(
        prior,
        domain="finance",
        sizes=[3.1e9, 7e9],
        tokens=[5e9, 2e10],
        tolerance=0.02,
        estimand=estimand,
        prob=0.5,
    )
    assert table[["size", "tokens"]].values.tolist() == [
        [3.1e9, 5e9],
        [3.1e9, 2e10],
        [7e9, 5e9],
        [7e9, 2e10],
    ]
    for row in table.itertuples():
        draws = prior.cmr(bc.Target(row.size, "finance", row.tokens, 0.02)).draws[estimand]
        expected = np.percentile(draws, [25, 50, 75])
        np.testing.assert_allclose([row.lower, row.median, row.upper], expected, atol=1e-12)
        assert row.p_none == np.mean(draws == 0)
        assert row.p_all == np.mean(draws == 1)


def test_cmr_against_size_reaches_beyond_the_probed_sizes_and_through_them(
    prior: bc.Posterior,
) -> None:
    table = cmr_against_size(prior, domain="finance", tokens=2e10)
    sizes = table["size"].to_numpy()
    assert np.all(np.diff(sizes) > 0)
    assert sizes[0] < 460e6
    assert sizes[-1] > 7e9
    assert {460e6, 940e6, 1.6e9, 3.1e9} <= set(sizes)
    row = table[table["size"] == 1.6e9].iloc[0]
    draws = prior.cmr(bc.Target(1.6e9, "finance", 2e10)).draws["tolerance"]
    expected = np.percentile(draws, [5, 50, 95])
    np.testing.assert_allclose(row[["lower", "median", "upper"]].astype(float), expected)


def test_densities_and_atoms_hold_all_the_probability(prior: bc.Posterior) -> None:
    cmr = prior.cmr(bc.Target(3.1e9, "finance", 2e10))
    table = cmr_densities(cmr)
    for name, curve in table.groupby("estimand"):
        draws = cmr.draws[name]
        inside = np.mean((draws > 0) & (draws < 1))
        area = np.trapezoid(curve["density"], curve["ratio"])
        assert area == pytest.approx(inside, abs=0.01)
        first = curve.iloc[0]
        assert first["p_none"] == np.mean(draws == 0)
        assert first["p_all"] == np.mean(draws == 1)
        assert inside + first["p_none"] + first["p_all"] == pytest.approx(1)


def test_an_unknown_domain_is_refused_with_the_known_ones(prior: bc.Posterior) -> None:
    for ask in (trajectory_bands, trajectory_points, cmr_against_tokens):
        with pytest.raises(bc.BayesCMRError, match=r"law.*finance"):
            ask(prior, domain="law")
