"""The verdict on draws whose defects are known."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from arviz_stats import ess, rhat

from bayescmr.posterior.diagnostics import measure


@pytest.fixture
def good():
    return np.random.default_rng(0).normal(size=(4, 1000))


def test_independent_draws_converge(good):
    verdict = measure({"a": good, "b": good[:, ::-1] ** 3})
    assert verdict.converged
    assert str(verdict).startswith("converged (max R-hat 1.00")


def test_figures_are_arviz_figures(good):
    sticky = good.cumsum(axis=1) * 0.01 + good
    verdict = measure({"good": good, "sticky": sticky})
    dataset = xr.Dataset({"x": (("chain", "draw"), sticky)})
    assert verdict.worst["rhat"] == "sticky"
    assert verdict.max_rhat == pytest.approx(float(rhat(dataset)["x"]))
    assert verdict.min_ess_bulk == pytest.approx(float(ess(dataset, method="bulk")["x"]))


def test_one_lost_chain(good):
    lost = good.copy()
    lost[2] += 3
    verdict = measure({"a": good, "lost": lost})
    assert not verdict.converged
    assert "R-hat" in str(verdict) and "of lost" in str(verdict)


def test_few_effective_draws():
    verdict = measure({"short": np.random.default_rng(1).normal(size=(4, 60))})
    assert any("bulk ESS" in p and "must be >= 400" in p for p in verdict.problems)


def test_divergences_and_energy(good):
    statistics = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.eye(4, 1000, dtype=np.int8)),
            "energy": (("chain", "draw"), good.cumsum(axis=1)),
        }
    )
    problems = measure({"a": good}, statistics).problems
    assert problems[0] == "4 divergences, must be 0"
    assert problems[1].startswith("E-BFMI")


def test_constants_and_atoms(good):
    """A CMR that is 1 in every draw has converged; one with an atom is judged by its draws."""
    assert measure({"all": np.ones((4, 100))}).converged
    assert measure({"atom": np.clip(good, -10, 0.3), "both": np.clip(good, -0.1, 0.1)}).converged


def test_not_a_number_is_a_failure(good):
    broken = good.copy()
    broken[0, 0] = np.nan
    assert not measure({"a": good, "broken": broken}).converged
