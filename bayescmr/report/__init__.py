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
    from bayescmr.report.figures import plot_cmr, plot_cmr_size, plot_cmr_tokens, plot_trajectories

__all__ = [
    "cmr_against_size",
    "cmr_against_tokens",
    "cmr_densities",
    "plot_cmr",
    "plot_cmr_size",
    "plot_cmr_tokens",
    "plot_trajectories",
    "trajectory_bands",
    "trajectory_points",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'bayescmr.report' has no attribute {name!r}")
    home = "figures" if name.startswith("plot_") else "bands"
    return getattr(import_module(f"bayescmr.report.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
