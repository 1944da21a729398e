"""Thin and odd designs give answers that say how little is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.posterior.predictive import simulate_runs

QUICK = {"draws": 300, "tune": 400, "chains": 4}


def _rows(ratios, sets=("general",), tokens=(1e9, 3e9, 9e9, 20e9)):
    return pd.DataFrame(
        [
            {
                "run": f"r{r}",
                "size": 1e9,
                "domain": "law",
                "ratio": r,
                "tokens": t,
                "eval_set": s,
                "role": "general",
                # Rises that are gentle at small and strong at large ratios.
                "change": 0.02 * r * (t / 9e9) ** 0.4 + 1e-3 * np.sin(t / 1e9 + 7 * r),
            }
            for r in ratios
            for t in tokens
            for s in sets
        ]
    )


@pytest.fixture(scope="module")
def fit_of():
    """Fit of a design with one size and one domain; all share one compiled function."""
    return lambda ratios: bc.fit(bc.RunTable.from_frame(_rows(ratios)), seed=1, **QUICK)


@pytest.mark.parametrize(
    "ratios", [(0.3,), (0.0,), (1.0,), (0.0, 1.0), (0.0, 0.2, 0.5, 1.0)], ids=str
)
def test_few_runs_and_extreme_ratios(fit_of, ratios):
    fit = fit_of(ratios)
    for size, domain, tokens in ((1e9, "law", 20e9), (70e9, "law", 1e12), (1e9, "new", 20e9)):
        cmr = fit.cmr(bc.Target(size, domain, tokens, 0.02))
        for estimand in ("tolerance", "turning_point", "gu"):
            s = cmr.summary(estimand)
            assert 0 <= s.lower <= s.median <= s.upper <= 1
            assert 0 <= cmr.decide(0.1, estimand) <= 1
    far = fit.cmr(bc.Target(70e9, "law", 1e12, 0.02)).extrapolation
    assert far.sentences[:2] == [
        "the size is 70 times the largest probed",
        "the token budget is 50 times the largest probed",
    ]


def test_one_run_leaves_the_cmr_wide_and_more_runs_narrow_it(fit_of):
    def width(fit):
        lower, upper = fit.cmr(bc.Target(1e9, "law", 20e9, 0.02)).interval(0.9)
        return upper - lower

    assert width(fit_of((0.3,))) > 0.2
    assert width(fit_of((0.1, 0.3, 0.6, 0.9))) < width(fit_of((0.3,)))


def test_binding_set_of_three(fit_of):
    """Three sets of different fragility, simulated: the fragile one must bind."""
    sets = ("code", "maths", "web")
    design = bc.RunTable.from_frame(_rows((0.1, 0.3, 0.5, 0.8), sets))
    prior = bc.prior_predictive(design, seed=2, draws=400)
    target = bc.Target(1e9, "law", 20e9, 0.05)
    by_set = prior.cmr(target).by_set["tolerance"]
    # A draw in which one set is clearly more fragile than both others, and not extreme.
    gap = np.sort(by_set, axis=0)[1] - by_set.min(axis=0)
    usable = (gap > 0.25) & (by_set.min(axis=0) > 0.2) & (by_set.min(axis=0) < 0.6)
    draw = int(np.flatnonzero(usable)[0])
    expected = sets[int(by_set[:, draw].argmin())]
    fit = bc.fit(bc.RunTable.from_frame(simulate_runs(prior, draw=draw, seed=1)), seed=1, **QUICK)
    cmr = fit.cmr(target)
    binding = cmr.binding("tolerance")
    assert max(binding, key=binding.get) == expected
    assert binding[expected] > 0.9
    lower, upper = cmr.interval(0.98)
    assert lower <= by_set[:, draw].min() <= upper
