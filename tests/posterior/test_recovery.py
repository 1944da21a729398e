"""Simulate from the prior, fit, compare: guards against blunders, not a calibration study."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.posterior.predictive import simulate_runs

pytestmark = pytest.mark.slow

TARGET = {"size": 3e8, "domain": "law", "tokens": 20e9}
TABLES = 20


@pytest.fixture(scope="module")
def prior():
    rows = [
        {
            "run": f"{n:g}-{r}",
            "size": n,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.0,
        }
        for n in (1e8, 3e8)
        for r in (0.1, 0.3, 0.5, 0.8)
        for t in np.geomspace(1e9, 20e9, 8)
    ]
    return bc.prior_predictive(bc.RunTable.from_frame(pd.DataFrame(rows)), seed=11, draws=100)


def test_ninety_percent_intervals_cover(prior):
    """Of 20 intervals of 90 %, fewer than 15 hits has probability 1 %: a blunder, not bad luck."""
    hits = {"tolerance": 0, "turning_point": 0}
    truth = prior.cmr(bc.Target(**TARGET, tolerance=0.05))
    report = []
    for i in range(TABLES):
        draw = 20 * i
        runs = bc.RunTable.from_frame(simulate_runs(prior, draw=draw, seed=i))
        # A fit of so few runs may not pass every gate; its interval is what counts here.
        fit = bc.fit(runs, seed=i, draws=500, tune=500, retries=0)
        cmr = fit.cmr(bc.Target(**TARGET, tolerance=0.05))
        for estimand in hits:
            value = truth.draws[estimand].ravel()[draw]
            lower, upper = cmr.interval(0.9, estimand)
            hits[estimand] += lower - 1e-9 <= value <= upper + 1e-9
            report.append((i, estimand, float(value), lower, upper))
    assert all(15 <= n <= TABLES for n in hits.values()), (hits, report)
