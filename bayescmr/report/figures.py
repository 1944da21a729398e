"""Figures. Each takes the axes to draw on (or makes its own) and returns them.

The numbers of every figure come from :mod:`bayescmr.report.bands`.
"""

from __future__ import annotations

from bayescmr.report.curves import plot_cmr_size, plot_cmr_tokens
from bayescmr.report.ridges import plot_cmr
from bayescmr.report.trajectories import plot_trajectories

__all__ = ["plot_cmr", "plot_cmr_size", "plot_cmr_tokens", "plot_trajectories"]
