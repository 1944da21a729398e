"""Power-scaling: on a normal mean, where all is known, and on fits with a prior that is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayescmr as bc
from bayescmr.checks.sensitivity import THRESHOLD, power_scaling
from bayescmr.errors import TargetError

SHAPE = (4, 1000)


def _normal_mean(prior_mean, prior_sd, n, at=0.0):
    """Table for a normal mean with n observations of unit noise around ``at``."""
    rng = np.random.default_rng(1)
    y = at + rng.standard_normal(n)
    precision = 1 / prior_sd**2 + n
    mean = (prior_mean / prior_sd**2 + y.sum()) / precision
    theta = mean + rng.standard_normal(SHAPE) / np.sqrt(precision)
    likelihood = np.array([norm.logpdf(v, theta, 1.0) for v in y])
    return power_scaling(
        {"theta": theta, "constant": np.ones(SHAPE)},
        # Another parameter, of which the runs know nothing.
        {
            "law": norm.logpdf(theta, prior_mean, prior_sd),
            "noise": norm.logpdf(rng.standard_normal(SHAPE)),
        },
        likelihood,
    )


def test_conflict_strong_data_and_strong_prior():
    conflict = _normal_mean(10.0, 1.0, 5).loc["theta"]
    assert conflict["prior"] > THRESHOLD
    assert conflict["likelihood"] > THRESHOLD
    assert conflict["law"] == pytest.approx(conflict["prior"], rel=0.1)
    assert conflict["noise"] < THRESHOLD
    assert "possible prior-data conflict" in conflict["diagnosis"]
    silent = _normal_mean(0.0, 10.0, 50).loc["theta"]
    assert silent["prior"] < THRESHOLD < silent["likelihood"]
    assert silent["diagnosis"] == "the prior hardly matters"
    weak = _normal_mean(0.0, 0.05, 1).loc["theta"]
    assert weak["prior"] > THRESHOLD > weak["likelihood"]
    assert "weak likelihood" in weak["diagnosis"]


def test_a_constant_has_no_sensitivity():
    row = _normal_mean(0.0, 10.0, 50).loc["constant"]
    assert np.isnan(row["prior"])
    assert row["diagnosis"] == "the same in every draw"


def test_needs_one_model_and_runs():
    rows = {"run": "a", "size": 1e9, "domain": "d", "ratio": 0.3, "tokens": [1e9, 2e9]}
    runs = bc.RunTable.from_frame(pd.DataFrame({**rows, "change_general": 0.01}))
    prior = bc.prior_predictive(runs, seed=1, draws=50)
    with pytest.raises(TargetError, match="draws from the prior"):
        bc.sensitivity(prior, bc.Target(1e9, "d", 2e9))
    stacked = bc.StackedPosterior.of({"turning_point": prior}, {"turning_point": 1.0}, {})
    with pytest.raises(TargetError, match=r"each of \.components"):
        bc.sensitivity(stacked, bc.Target(1e9, "d", 2e9))
