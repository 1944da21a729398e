"""Posterior: draws, intervals, diagnostics, prediction, files."""

from __future__ import annotations

from bayescmr.posterior.diagnostics import Verdict
from bayescmr.posterior.files import load
from bayescmr.posterior.fitting import fit
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.predictive import prior_predictive, simulate_runs
from bayescmr.posterior.stacked import StackedPosterior

__all__ = [
    "Posterior",
    "StackedPosterior",
    "Verdict",
    "fit",
    "load",
    "prior_predictive",
    "simulate_runs",
]
