"""ECDF differences of ranks, with their simultaneous bands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bayescmr.checks.sbc_result import BAND, SBCResult
from bayescmr.checks.uniformity import Null
from bayescmr.report import style

_COLUMNS = 4
_LINE = "#0072B2"


def save_sbc(result: SBCResult, path: Path) -> Path:
    """Draw the ECDF of the ranks of every quantity minus that of uniform ranks.

    A panel for each kind of quantity. The grey bands hold a calibrated quantity, at all points
    together, with 95 % probability, and all quantities of the study with theirs.

    Parameters
    ----------
    result : SBCResult
        A finished study.
    path : Path
        Figure file; its ending says the format.
    """
    ranks = result.ranks()
    null = Null(len(ranks), int(result.header["ranked_draws"]))
    ecdf = null.counts(ranks.T) / len(ranks)
    panels = _panels(result.header["quantities"])
    with style.paper():
        rows = -(-len(panels) // _COLUMNS)
        figure = style.new_figure(style.PAGE, 1.5 * rows)
        axes = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
        points = np.concatenate([[0.0], null.points, [1.0]])
        for prob, colour in ((1.0 - result.threshold, "#dddddd"), (BAND, "#bbbbbb")):
            lower, upper = (
                np.concatenate([[0.0], side - null.points, [0.0]]) for side in null.band(prob)
            )
            for ax in axes.flat[: len(panels)]:
                ax.fill_between(points, lower, upper, color=colour, linewidth=0)
        for ax, (title, members) in zip(axes.flat, panels.items(), strict=False):
            for member in members:
                ax.plot(
                    points,
                    np.concatenate([[0.0], ecdf[member] - null.points, [0.0]]),
                    color=_LINE,
                    linewidth=0.6,
                    alpha=0.8,
                )
            ax.set_title(title)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        figure.supxlabel("percentile of the truth", fontsize=8)
        figure.supylabel("ECDF minus uniform", fontsize=8)
        figure.savefig(path, dpi=110)
    return path


def _panels(quantities: Sequence[str]) -> dict[str, list[int]]:
    """Indices of quantities by what they are: a law parameter, the noise, the CMRs, the rest."""
    panels: dict[str, list[int]] = {}
    for i, name in enumerate(quantities):
        head = name.partition("[")[0] if "[" in name else name
        title = "critical mixture ratios" if head.startswith("CMR") else head
        panels.setdefault(title, []).append(i)
    return panels
