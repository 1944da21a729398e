"""The critical mixture ratio of every domain and size, one row for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescmr.cmr import Estimand
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import PROB
from bayescmr.report import bands, style
from bayescmr.report.curves import ESTIMAND_NAMES
from bayescmr.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches of a row, of the gap between two domains, and of what surrounds the rows.
_ROW, _GAP, _FRAME = 0.115, 0.09, 0.95
_MARKERS = "osD^vP"


def cmr_forest(
    posterior: Answers,
    *,
    tokens: float,
    domains: Sequence[str] | None = None,
    sizes: Sequence[float] | None = None,
    tolerance: float | Mapping[str, float] = 0.05,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
) -> pd.DataFrame:
    """Critical mixture ratio of every domain and size at one budget.

    Parameters
    ----------
    posterior : Answers
        Draws.
    tokens : float
        Budget (count).
    domains : sequence of str, optional
        Default: all that were probed.
    sizes : sequence of float, optional
        Sizes (count), probed or not; default: for each domain those that were probed.
    tolerance, estimand, prob
        As in :func:`bayescmr.report.bands.cmr_against_tokens`.

    Returns
    -------
    DataFrame
        size, domain, tokens, estimand, median, lower, upper, prob, p_none, p_all; by domain,
        the smallest median first, then by size.
    """
    general = posterior.frame[posterior.frame["role"] == "general"]
    names = sorted(general["domain"].unique()) if domains is None else list(domains)
    found = pd.concat(
        [
            bands.cmr_against_tokens(
                posterior,
                domain=domain,
                sizes=sizes,
                tolerance=tolerance,
                tokens=[tokens],
                estimand=estimand,
                prob=prob,
            )
            for domain in names
        ],
        ignore_index=True,
    )
    order = found.groupby("domain")["median"].mean().rename("order")
    found = found.join(order, on="domain").sort_values(["order", "domain", "size"])
    return found.drop(columns="order").reset_index(drop=True)


def forest_height(table: pd.DataFrame) -> float:
    """Inches that a forest plot needs so that no two rows touch."""
    return max(2.0, _FRAME + _ROW * len(table) + _GAP * table["domain"].nunique())


def plot_forest(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw medians and intervals, by domain from the top, a colour and a marker for each size.

    Parameters
    ----------
    table : DataFrame
        From :func:`cmr_forest`.
    ax : Axes, optional
        Where to draw, :func:`forest_height` inches high; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.5, forest_height(table))[0, 0]
    sizes = style.distinct(table["size"])
    colours = dict(zip(sizes, style.ordered_colours(len(sizes)), strict=True))
    place, middles, names = 0.0, [], []
    rows = np.empty(len(table))
    for number, (domain, group) in enumerate(table.groupby("domain", sort=False)):
        rows[group.index] = place + np.arange(len(group))
        edges = (place - 0.5 - _GAP / _ROW / 2, place + len(group) - 0.5 + _GAP / _ROW / 2)
        if number % 2 == 0:
            ax.axhspan(*edges, color="0.955", linewidth=0, zorder=-1)
        middles.append(place + (len(group) - 1) / 2)
        names.append(style.label(str(domain)))
        place += len(group) + _GAP / _ROW
    for index, size in enumerate(sizes):
        here = (table["size"] == size).to_numpy()
        part = table[here]
        ax.hlines(rows[here], part["lower"], part["upper"], color=colours[size], linewidth=1.4)
        ax.plot(
            part["median"],
            rows[here],
            linestyle="none",
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=3.4,
            mec="black",
            mew=0.4,
            color=colours[size],
            clip_on=False,
            label=short(size),
        )
    ax.set_yticks(middles, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(place - 0.5, -0.5 - _GAP / _ROW / 2)
    ax.set_xlim(0.0, 1.0)
    style.percent_axis(ax.xaxis)
    ax.grid(axis="x", color="0.85", linewidth=0.5)
    ax.set_axisbelow(True)
    prob, tokens = float(table["prob"].iloc[0]), float(table["tokens"].iloc[0])
    estimand = ESTIMAND_NAMES[str(table["estimand"].iloc[0])]
    ax.set_xlabel(f"{estimand} (%) at {short(tokens)} tokens: median, {100 * prob:g} % interval")
    ax.legend(
        title="parameters",
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=min(6, len(sizes)),
        frameon=False,
    )
    style.dress(ax)
    ax.spines["left"].set_visible(False)
    return ax
