"""Draws that need no sampler, and a backend that needs no screen."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest

import bayescmr as bc
from bayescmr import gu2024


@pytest.fixture(scope="session")
def prior() -> bc.Posterior:
    """Draws from the prior answer whatever a posterior can answer."""
    runs = bc.RunTable.from_frame(gu2024.trajectories(checkpoints=6), source="gu")
    return bc.prior_predictive(runs, seed=1, draws=200)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    """Close what a test has drawn."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")
