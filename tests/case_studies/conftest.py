"""The benchmarks are scripts beside the package: their folder goes on the path."""

from __future__ import annotations

import sys

import pytest

import bayescmr as bc
from bayescmr import gu2024


@pytest.fixture(scope="session", autouse=True)
def _benchmarks(repo_root):
    sys.path.insert(0, str(repo_root / "case_studies" / "benchmarks"))
    yield
    sys.path.pop(0)


@pytest.fixture(scope="session")
def known(_benchmarks):
    """Prior draws at the design of the published runs, in place of their posterior."""
    return bc.prior_predictive(bc.RunTable.from_frame(gu2024.trajectories(4)), seed=1, draws=5)
