"""What is tried where draws have not converged, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.model.settings import Settings
from bayescmr.posterior.diagnostics import Verdict
from bayescmr.posterior.remedy import remedied

WORST = {"rhat": "a", "bulk": "b", "tail": "c"}
GOOD = Verdict(1.002, 1900.0, 1800.0, WORST)
SETTINGS = Settings(seed=1)


def test_nothing_is_tried_where_nothing_is_wrong() -> None:
    assert remedied(SETTINGS, GOOD) is None


def test_divergences_are_met_with_smaller_steps() -> None:
    first = remedied(SETTINGS, replace(GOOD, divergences=3))
    assert first is not None
    assert first.target_accept == pytest.approx(0.99)
    assert (first.draws, first.tune) == (SETTINGS.draws, 2 * SETTINGS.tune)
    second = remedied(first, replace(GOOD, divergences=1))
    assert second is not None and second.target_accept == pytest.approx(0.998)
    assert second.retries == 0
    assert remedied(second, replace(GOOD, divergences=1)) is None


def test_divergences_and_few_effective_draws_are_met_at_once() -> None:
    following = remedied(SETTINGS, replace(GOOD, divergences=3, min_ess_tail=500.0))
    assert following is not None
    assert following.target_accept == pytest.approx(0.99)
    assert following.draws == 2 * SETTINGS.draws


@pytest.mark.parametrize(
    "bad",
    [{"max_rhat": 1.02}, {"min_ess_bulk": 300.0}, {"min_ess_tail": 300.0}, {"min_ebfmi": 0.1}],
    ids=lambda bad: next(iter(bad)),
)
def test_chains_that_have_not_mixed_run_longer(bad: dict[str, float]) -> None:
    following = remedied(SETTINGS, replace(GOOD, **bad))
    assert following is not None
    assert (following.draws, following.tune) == (2 * SETTINGS.draws, 2 * SETTINGS.tune)
    assert following.target_accept == SETTINGS.target_accept


def test_a_quick_look_stays_quick() -> None:
    """100 draws cannot pass the gate; whoever asks for them gets them, marked."""
    quick = replace(SETTINGS, draws=100)
    assert remedied(quick, replace(GOOD, min_ess_bulk=90.0)) is None
    assert remedied(replace(SETTINGS, retries=0), replace(GOOD, max_rhat=2.0)) is None


@pytest.mark.slow
def test_a_fit_tries_again_and_says_so() -> None:
    """Far too long steps diverge; the fit mends that by itself and keeps a record."""
    table = gu2024.trajectories(6).drop(columns=["change_domain", "se_domain"])
    runs = bc.RunTable.from_frame(table[table["ratio"] < 1])
    once = bc.fit(runs, seed=1, draws=200, tune=200, target_accept=0.3, retries=0)
    assert once.verdict.divergences > 0
    assert len(once.provenance.settings["attempts"]["general"]) == 1
    again = bc.fit(runs, seed=1, draws=200, tune=200, target_accept=0.3, retries=4)
    attempts = again.provenance.settings["attempts"]["general"]
    assert attempts[0] == once.provenance.settings["attempts"]["general"][0]
    assert "divergences, must be 0" in " ".join(attempts[0]["problems"])
    rates = np.array([a["target_accept"] for a in attempts])
    np.testing.assert_allclose(1 - rates, 0.7 / 5.0 ** np.arange(len(rates)))
    # Every attempt but the last diverged, and what is kept is the last.
    assert all("divergences" in " ".join(a["problems"]) for a in attempts[:-1])
    assert again.verdict.divergences == 0
    assert again.general.shape == (4, 200)
    assert not np.array_equal(again.general.coef, once.general.coef)


@pytest.mark.slow
def test_losses_of_different_lengths_are_paired() -> None:
    """A finite Lagrange weight reads both losses, of which one may have been sampled longer."""
    runs = bc.RunTable.from_frame(gu2024.trajectories(4))
    fit = bc.fit(runs, seed=1, draws=40, tune=60, retries=0)
    block = fit.blocks["domain"]
    longer = replace(
        block,
        coef=np.tile(block.coef, (1, 2, 1, 1)),
        ln_effect_sd=np.tile(block.ln_effect_sd, (1, 2, 1, 1)),
        noise=np.tile(block.noise, (1, 2, 1)),
    )
    other = replace(fit, blocks={**fit.blocks, "domain": longer})
    target = bc.Target(3.1e9, "finance", 20e9)
    draws = other.cmr(target, lam=1000.0).draws["turning_point"]
    assert draws.shape == (4, 40)
    assert np.all((draws >= 0) & (draws <= 1))
