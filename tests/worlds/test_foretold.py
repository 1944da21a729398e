"""PIT values: uniform where the draws are those of the truth, few where few draws count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import bayescmr as bc
from bayescmr.design.outlook import Candidate
from bayescmr.posterior import prior_predictive, simulate_runs
from bayescmr.worlds.foretold import MIN_DRAWS, Foretold

TOKENS = np.array([1e9, 3e9, 9e9])
#: No error is stated.
EXACT = np.zeros(3)


@pytest.fixture(scope="module")
def runs():
    rows = [
        {"run": f"{n:g}", "size": n, "domain": "law", "ratio": 0.5, "tokens": t,
         "change_general": 0.0}
        for n in (1e8, 4e8) for t in TOKENS
    ]  # fmt: skip
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def prior(runs):
    """Draws of the prior, which is the posterior of no data."""
    return prior_predictive(runs, "turning_point", seed=1, draws=1500)


@pytest.fixture(scope="module")
def truths(runs):
    """Losses of the runs in a hundred worlds of the same prior, by size."""
    worlds = prior_predictive(runs, "turning_point", seed=2, draws=25)
    frames = [simulate_runs(worlds, draw=i, seed=i) for i in range(100)]
    return [{n: own["change"].to_numpy() for n, own in f.groupby("size")} for f in frames]


def _run(size, reached=0.0):
    return Candidate(size, "law", 0.5, 1, tuple(t for t in TOKENS if t > reached), reached)


def test_uniform_over_worlds(prior, truths):
    """PIT values, first and conditional ones, of a hundred worlds (error rate 1 in 1,000 each)."""
    told = [Foretold(prior, "law", (1e8, 4e8)) for _ in truths]
    changes = [t[1e8] for t in truths]
    found = [f.compare(_run(1e8), TOKENS, c, EXACT) for f, c in zip(told, changes, strict=True)]
    assert kstest([pit[0] for pit in found], "uniform").pvalue > 1e-3
    later = [u for pit in found for u in pit[1:]]
    assert len(later) > 50
    assert kstest(later, "uniform").pvalue > 1e-3


def test_a_stated_error_is_part_of_the_prediction(prior, truths):
    """Losses with errors of 0.1, 1 and 0.1 nats, stated: uniform; not stated: seen at once."""
    rng = np.random.default_rng(3)
    se = np.array([0.1, 1.0, 0.1])
    came = [t[1e8] + se * rng.standard_normal(3) for t in truths]

    def found(stated):
        told = [Foretold(prior, "law", (1e8, 4e8)) for _ in came]
        pits = [f.compare(_run(1e8), TOKENS, c, stated) for f, c in zip(told, came, strict=True)]
        return [u for pit in pits for u in pit]

    assert kstest(found(se), "uniform").pvalue > 1e-3
    assert kstest(found(EXACT), "uniform").pvalue < 1e-6


def test_too_narrow_a_prediction_is_seen(prior, truths):
    """Losses four times as far out as predicted: PIT values pile up at both ends."""
    middle = np.median(prior.general.change(1e8, "law", "general", TOKENS, 0.5), axis=0)
    found = []
    for truth in truths:
        change = middle + 4 * (truth[1e8] - middle)
        told = Foretold(prior, "law", (1e8, 4e8))
        found += told.compare(_run(1e8), TOKENS[:1], change[:1], EXACT[:1])
    assert kstest(found, "uniform").pvalue < 1e-3


def test_what_is_in_the_fit_is_not_judged_again(prior, truths):
    told = Foretold(prior, "law", (1e8, 4e8))
    assert len(told.compare(_run(1e8, reached=3e9), TOKENS, truths[7][1e8], EXACT)) == 1


def test_draws_that_no_longer_count_predict_nothing(prior, truths):
    told = Foretold(prior, "law", (1e8, 4e8))
    start = told.effective
    assert start == pytest.approx(prior.general.n_draws)
    counts = []
    for number in range(20):
        before = told.effective
        pit = told.compare(_run(4e8), TOKENS, truths[7][4e8] + 1e-4 * number, EXACT)
        counts.append((before, len(pit)))
        assert np.logaddexp.reduce(told.log_weights) == pytest.approx(0.0, abs=1e-9)
    assert told.effective < start
    assert all(n == 0 for before, n in counts if before < MIN_DRAWS)
    assert any(n == 0 for _, n in counts)


def test_a_surprise_is_no_larger_than_draws_can_tell(prior):
    told = Foretold(prior, "law", (1e8, 4e8))
    (u,) = told.compare(_run(1e8), TOKENS[:1], np.array([1e6]), EXACT[:1])
    assert u == pytest.approx(1 - 0.5 / prior.general.n_draws)
