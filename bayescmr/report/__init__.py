"""Figures, and the tables of numbers behind them.

Names are imported on first use: the command line takes words from here without
loading matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescmr.report.bands import (
        cmr_against_size,
        cmr_against_tokens,
        cmr_densities,
        trajectory_bands,
        trajectory_points,
    )
    from bayescmr.report.coverage import design_coverage
    from bayescmr.report.ecdf import ecdf_difference
    from bayescmr.report.figures import (
        plot_cmr,
        plot_cmr_size,
        plot_cmr_tokens,
        plot_design,
        plot_ecdf,
        plot_forest,
        plot_pair,
        plot_predictive,
        plot_prior_posterior,
        plot_progress,
        plot_ranks,
        plot_rise,
        plot_sbc,
        plot_trajectories,
    )
    from bayescmr.report.forest import cmr_forest, forest_height
    from bayescmr.report.parameters import most_correlated_pair, prior_against_posterior
    from bayescmr.report.predictive_check import loo_pit, predictive_by_run
    from bayescmr.report.progress import campaign_progress
    from bayescmr.report.ranks import chain_ranks
    from bayescmr.report.rise import rise_against_ratio

#: Module of each name.
_HOMES = {
    "campaign_progress": "progress",
    "chain_ranks": "ranks",
    "cmr_against_size": "bands",
    "cmr_against_tokens": "bands",
    "cmr_densities": "bands",
    "cmr_forest": "forest",
    "design_coverage": "coverage",
    "ecdf_difference": "ecdf",
    "forest_height": "forest",
    "loo_pit": "predictive_check",
    "most_correlated_pair": "parameters",
    "plot_cmr": "figures",
    "plot_cmr_size": "figures",
    "plot_cmr_tokens": "figures",
    "plot_design": "figures",
    "plot_ecdf": "figures",
    "plot_forest": "figures",
    "plot_pair": "figures",
    "plot_predictive": "figures",
    "plot_prior_posterior": "figures",
    "plot_progress": "figures",
    "plot_ranks": "figures",
    "plot_rise": "figures",
    "plot_sbc": "figures",
    "plot_trajectories": "figures",
    "predictive_by_run": "predictive_check",
    "prior_against_posterior": "parameters",
    "rise_against_ratio": "rise",
    "trajectory_bands": "bands",
    "trajectory_points": "bands",
}

__all__ = [
    "campaign_progress",
    "chain_ranks",
    "cmr_against_size",
    "cmr_against_tokens",
    "cmr_densities",
    "cmr_forest",
    "design_coverage",
    "ecdf_difference",
    "forest_height",
    "loo_pit",
    "most_correlated_pair",
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
    "predictive_by_run",
    "prior_against_posterior",
    "rise_against_ratio",
    "trajectory_bands",
    "trajectory_points",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bayescmr.report' has no attribute {name!r}")
    return getattr(import_module(f"bayescmr.report.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
