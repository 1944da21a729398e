"""ECDF differences of ranks, with their simultaneous bands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bayescmr.checks.sbc_result import BAND, SBCResult
from bayescmr.checks.uniformity import Null
from bayescmr.errors import TargetError
from bayescmr.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_LINE = "#0072B2"
_PERCENTILE, _DIFFERENCE = "percentile of the truth", "ECDF minus uniform"


def plot_sbc(
    result: SBCResult, *, ax: Axes | Sequence[Axes] | None = None
) -> Axes | Sequence[Axes]:
    """Draw the ECDF of the ranks of every quantity minus that of uniform ranks.

    A panel for each kind of quantity. The grey bands hold a calibrated quantity, at all points
    together, with 95 % probability, and all quantities of the study with theirs.

    Parameters
    ----------
    result : SBCResult
        A study with at least one simulation that was fitted.
    ax : Axes or sequence of Axes, optional
        One for each kind of quantity; default: a new figure.

    Returns
    -------
    Axes or sequence of Axes
        What was given, or a list, one for each kind.

    Raises
    ------
    TargetError
        The number of axes is not the number of kinds.
    """
    ranks = result.ranks()
    null = Null(len(ranks), int(result.header["ranked_draws"]))
    ecdf = null.counts(ranks.T) / len(ranks)
    panels = _panels(result.header["quantities"])
    drawn = _own(len(panels)) if ax is None else ax
    axes = list(drawn) if isinstance(drawn, Sequence | np.ndarray) else [drawn]
    if len(axes) != len(panels):
        raise TargetError(
            f"ax: got {len(axes)} axes, expected {len(panels)}, one for each kind of quantity"
        )
    points = np.concatenate([[0.0], null.points, [1.0]])
    for prob, colour in ((1.0 - result.threshold, "#dddddd"), (BAND, "#bbbbbb")):
        lower, upper = (
            np.concatenate([[0.0], side - null.points, [0.0]]) for side in null.band(prob)
        )
        for panel in axes:
            panel.fill_between(points, lower, upper, color=colour, linewidth=0)
    for panel, (title, members) in zip(axes, panels.items(), strict=True):
        for member in members:
            difference = np.concatenate([[0.0], ecdf[member] - null.points, [0.0]])
            panel.plot(points, difference, color=_LINE, linewidth=0.6, alpha=0.8)
        panel.set_title(title)
        if ax is not None:
            panel.set_xlabel(_PERCENTILE)
            panel.set_ylabel(_DIFFERENCE)
    return drawn


def _own(count: int) -> list[Axes]:
    """Axes of a new figure, in rows of four, labelled once for all."""
    rows = -(-count // _COLUMNS)
    axes = style.own_axes(rows, _COLUMNS, style.PAGE, 1.5 * rows)
    for first, other in pairwise(axes.flat):
        other.sharex(first)
        other.sharey(first)
    for panel in axes.flat:
        panel.label_outer()
    for unused in axes.flat[count:]:
        unused.set_visible(False)
    figure = axes[0, 0].figure
    figure.supxlabel(_PERCENTILE, fontsize=8)
    figure.supylabel(_DIFFERENCE, fontsize=8)
    return list(axes.flat[:count])


def _panels(quantities: Sequence[str]) -> dict[str, list[int]]:
    """Indices of quantities by what they are: a law parameter, the noise, the CMRs, the rest."""
    panels: dict[str, list[int]] = {}
    for i, name in enumerate(quantities):
        head = name.partition("[")[0] if "[" in name else name
        title = "critical mixture ratios" if head.startswith("CMR") else head
        panels.setdefault(title, []).append(i)
    return panels
