"""One table of clear, little noisy runs, and its fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc

QUICK = {"draws": 1000, "tune": 600}
TARGET = bc.Target(1e9, "law", 16e9, 0.02)


_RATIOS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)


def _rows(outlier, ratios):
    """Rises that grow with ratio and tokens, noise of 5e-4 nats, and one run off its curve."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        [
            {
                "run": f"r{r}",
                "size": 1e9,
                "domain": "law",
                "ratio": r,
                "tokens": t,
                "change_general": 0.06 * r**1.2 * (t / 16e9) ** 0.3
                - 0.01 * (1 - r) * (t / 16e9) ** 0.5
                + 5e-4 * rng.standard_normal()
                + outlier * (r == 0.4),
            }
            for r in ratios
            for t in np.geomspace(1e9, 16e9, 6)
        ]
    )


@pytest.fixture(scope="session")
def make_runs():
    """Function of the offset of run r0.4, nats, and of the ratios."""
    return lambda outlier=0.0, ratios=_RATIOS: bc.RunTable.from_frame(_rows(outlier, ratios))


@pytest.fixture(scope="session")
def quick():
    return QUICK


@pytest.fixture(scope="session")
def target():
    """In the middle of the runs."""
    return TARGET


@pytest.fixture(scope="session")
def fit(make_runs):
    return bc.fit(make_runs(), seed=1, **QUICK)
