"""Comparison of laws on simulated runs whose law is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import bayescmr as bc
from bayescmr.comparison.bridge import log_density
from bayescmr.comparison.loo import MAX_KHAT
from bayescmr.errors import ModelError, RunTableError, SamplingError
from bayescmr.model.settings import Effort
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.posterior.refit import refit

pytestmark = pytest.mark.slow


def test_the_true_law_gets_the_weight(compared):
    assert compared.table.loc["turning_point", "converged"], str(compared)
    assert compared.weights["turning_point"] > 0.95
    assert "turning_point predicts left-out runs better than shift_gain" in str(compared) or (
        not compared.table.loc["shift_gain", "converged"]
    )


def test_table(compared):
    table = compared.table
    assert table["elpd_diff"].max() == 0
    assert sum(compared.weights.values()) == pytest.approx(1)
    for name, row in table.iterrows():
        loo = compared.loo[name]
        assert row["elpd"] == loo.table["elpd"].sum()
        assert row["exact_refits"] == len(loo.refits) == loo.table["exact"].sum()
        assert row["worst_khat"] == loo.table["khat"].max()
        assert set(loo.refits) == set(loo.table.loc[loo.table["khat"] > loo.max_khat, "run"])
        assert loo.max_khat <= MAX_KHAT
        assert np.isnan(row["crps_size_out"])  # one size
        assert 0 < row["crps_forward"] < 1
        # Being left out never helps on average: p_loo is a number of parameters.
        assert 0 < row["p_loo"] < 30
    json.dumps(compared.to_dict())


def test_weights_agree_with_an_exact_refit(compared):
    """Two runs whose k-hat is good: PSIS against the bridge from a refit.

    The difference has the Monte Carlo error of both; PSIS is biased by a few hundredths of
    its p_loo at such k-hats, for which a tenth of p_loo is allowed.
    """
    fit, loo = compared.fits["turning_point"], compared.loo["turning_point"]
    good = loo.table[~loo.table["exact"]].sort_values("khat")
    assert len(good) >= 2, loo.table
    runs, values = run_log_likelihood(fit.general, fit.frame)
    for _, row in good.iloc[[0, -1]].iterrows():
        again = refit(fit, (fit.frame["run"] != row["run"]).to_numpy(), "test", Effort(600, 400))
        _, without = run_log_likelihood(again.general, fit.frame[fit.frame["run"] == row["run"]])
        exact, error = log_density(
            without[0].reshape(again.shape),
            values[runs.index(row["run"])].reshape(fit.shape),
        )
        allowed = 4 * np.hypot(error, row["mc_error"]) + 0.1 * row["p_loo"]
        assert abs(row["elpd"] - exact) < allowed, (row, exact, error)


def test_weights_of_draws_are_weights(compared):
    loo = compared.loo["turning_point"]
    np.testing.assert_allclose(logsumexp(loo.log_weights, axis=1), 0, atol=1e-9)


def test_the_reference_point_and_so_the_prior_stays_in_refits(compared):
    for name, loo in compared.loo.items():
        for again in loo.refits.values():
            own = compared.fits[name].general.hierarchy.reference
            assert again.general.hierarchy.reference == own


def test_a_stacked_answer_keeps_draws_in_proportion(neither):
    """That weights spread where each law predicts some runs best is tested on known densities
    (test_weights): with four runs the weights of fits have a standard error of 0.4.
    """
    weights = {"turning_point": 0.7, "shift_gain": 0.3}
    fits = {
        name: bc.fit(neither, seed=1, model=name, draws=500, tune=400, retries=0)
        for name in weights
    }
    stacked = bc.StackedPosterior.of(fits, weights, {})
    counts = [len(kept) for kept in stacked.kept.values()]
    np.testing.assert_allclose(counts, 8000 * np.array(list(weights.values())), atol=1)


def test_runs_that_do_not_tell_the_laws_apart(compared):
    """The words, on a table whose difference is within its error."""
    table = compared.table.copy()
    table["converged"] = True
    table.loc[table.index[1], ["elpd_diff", "diff_se"]] = [-1.5, 2.0]
    said = bc.Comparison(compared.fits, compared.loo, table).sentences
    assert said[0].startswith(f"the runs do not tell {table.index[1]} from {table.index[0]} (1.5")
    assert "not determined" in said[0]


def test_a_model_that_has_not_converged_gets_no_weight(compared):
    from bayescmr.comparison.compare import _table

    rows = compared.table.copy()
    rows["converged"] = [False, True]
    table = _table(rows, compared.loo)
    assert table["weight"].tolist() == [1.0, 0.0]
    assert table.index.tolist() == compared.table.index[::-1].tolist()
    rows["converged"] = False
    nothing = bc.Comparison(compared.fits, compared.loo, _table(rows, compared.loo))
    assert set(nothing.weights.values()) == {0.0}
    assert "nothing to average" in str(nothing)
    with pytest.raises(SamplingError, match="nothing to average"):
        _ = nothing.stacked


def test_wrong_input(truth):
    with pytest.raises(ModelError, match="expected a list"):
        bc.compare(truth, "turning_point", seed=1)
    with pytest.raises(ModelError, match="expected a list"):
        bc.compare(truth, [], seed=1)
    with pytest.raises(ModelError, match="'shift_gain' twice"):
        bc.compare(truth, ["shift_gain", "shift_gain"], seed=1)
    one = truth.frame[truth.frame["run"] == truth.frame["run"].iloc[0]]
    with pytest.raises(RunTableError, match="got 1 run, expected at least 2"):
        bc.compare(
            bc.RunTable.from_frame(one.drop(columns=["loss", "base"])), ["shift_gain"], seed=1
        )
    with pytest.raises(RunTableError, match="expected a RunTable"):
        bc.compare(pd.DataFrame(), ["shift_gain"], seed=1)
