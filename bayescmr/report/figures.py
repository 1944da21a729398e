"""Figures. Each takes the axes to draw on (or makes its own) and returns them.

The numbers of every figure are a table that a function of its own makes: those of
:mod:`bayescmr.report.bands`, or the one beside the figure.
"""

from __future__ import annotations

from bayescmr.report.calibration import plot_sbc
from bayescmr.report.coverage import plot_design
from bayescmr.report.curves import plot_cmr_size, plot_cmr_tokens
from bayescmr.report.ecdf import plot_ecdf
from bayescmr.report.forest import plot_forest
from bayescmr.report.parameters import plot_pair, plot_prior_posterior
from bayescmr.report.predictive_check import plot_predictive
from bayescmr.report.progress import plot_progress
from bayescmr.report.ranks import plot_ranks
from bayescmr.report.ridges import plot_cmr
from bayescmr.report.rise import plot_rise
from bayescmr.report.trajectories import plot_trajectories

__all__ = [
    "plot_cmr",
    "plot_cmr_size",
    "plot_cmr_tokens",
    "plot_design",
    "plot_ecdf",
    "plot_forest",
    "plot_pair",
    "plot_predictive",
    "plot_prior_posterior",
    "plot_progress",
    "plot_ranks",
    "plot_rise",
    "plot_sbc",
    "plot_trajectories",
]
