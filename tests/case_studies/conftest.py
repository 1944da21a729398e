"""What tests of the benchmarks share."""

from __future__ import annotations

import pytest

import bayescmr as bc
from bayescmr import gu2024


@pytest.fixture(scope="module")
def benchmarks(repo_root, scripts):
    """The benchmarks are scripts beside the package, which these tests import."""
    with scripts(repo_root / "case_studies" / "benchmarks"):
        yield


@pytest.fixture(scope="session")
def known():
    """Prior draws at the design of the published runs, in place of their posterior."""
    return bc.prior_predictive(bc.RunTable.from_frame(gu2024.trajectories(4)), seed=1, draws=5)
