"""The command line as a user calls it, and posteriors that need no sampler."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bayescmr as bc
from bayescmr import gu2024

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """Run ``python -m bayescmr`` in an empty folder; a traceback is never an answer."""

    def run(*words: object, columns: int = 200) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "bayescmr", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert "Traceback" not in done.stderr
        assert "\x1b[" not in done.stdout + done.stderr, "colours although NO_COLOR is set"
        return done

    return run


@pytest.fixture(scope="session")
def runs() -> bc.RunTable:
    return bc.RunTable.from_frame(gu2024.trajectories(checkpoints=6), source="gu")


@pytest.fixture(scope="session")
def saved(runs: bc.RunTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough independent draws of the prior to pass as converged."""
    path = tmp_path_factory.mktemp("saved") / "prior.nc"
    posterior = bc.prior_predictive(runs, seed=1, draws=1500)
    assert posterior.converged
    return posterior.save(path)


@pytest.fixture(scope="session")
def saved_too_few(runs: bc.RunTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws that cannot reach the demanded effective sample size."""
    path = tmp_path_factory.mktemp("saved") / "few.nc"
    return bc.prior_predictive(runs, seed=1, draws=50).save(path)
