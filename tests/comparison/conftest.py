"""One small table of a known law, compared once for all tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc

RATIOS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
TOKENS = np.geomspace(1e9, 20e9, 6)
EFFORT = {"draws": 2000, "tune": 800, "refit_draws": 400, "refit_tune": 300}


def _design(domains, ratios, tokens):
    rows = [
        {
            "run": f"{d}-{r}",
            "size": 1e8,
            "domain": d,
            "ratio": r,
            "tokens": t,
            "change_general": 0.0,
        }
        for d in domains
        for r in ratios
        for t in tokens
    ]
    return bc.RunTable.from_frame(pd.DataFrame(rows))


def _simulated(model, domains, ratios, tokens):
    """Runs simulated from the prior of a model.

    The first draw whose noise is a twentieth of what the runs show, and whose changes are
    those of real runs, below 0.3 nats.
    """
    prior = bc.prior_predictive(_design(domains, ratios, tokens), model, seed=1, draws=250)
    for draw in range(1000):
        frame = bc.simulate_runs(prior, draw=draw, seed=1)
        noise = np.sqrt((prior.general.scales[draw, [0, 2, 4]] ** 2).sum())
        if 20 * noise < frame["change"].std() < 0.3:
            return frame
    raise AssertionError("no such draw")


@pytest.fixture(scope="session")
def truth():
    """Table simulated from turning_point."""
    return bc.RunTable.from_frame(_simulated("turning_point", ["law"], RATIOS, TOKENS))


@pytest.fixture(scope="session")
def neither():
    """Table of which one domain follows turning_point and the other shift_gain."""
    parts = [
        frame[frame["domain"] == domain]
        for model, domain in (("turning_point", "law"), ("shift_gain", "code"))
        for frame in [_simulated(model, ["law", "code"], RATIOS[::3], TOKENS[::2])]
    ]
    return bc.RunTable.from_frame(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="session")
def compared(truth):
    """The two laws on the table of one of them."""
    return bc.compare(truth, ["turning_point", "shift_gain"], seed=1, **EFFORT)
