"""Where in size, ratio and tokens the runs lie, and where the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, NullLocator

from bayescmr.cmr.target import Target
from bayescmr.posterior.answers import Answers
from bayescmr.report import bands, style
from bayescmr.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour of runs that are all of one length.
_ALIKE = "#56B4E9"


def design_coverage(posterior: Answers, *, domain: str | None = None) -> pd.DataFrame:
    """Runs at each size and ratio.

    Parameters
    ----------
    posterior : Answers
        Holds the run table.
    domain : str, optional
        Count the runs of this domain only.

    Returns
    -------
    DataFrame
        size, ratio, runs, domains, least_tokens, most_tokens (measured; counts).
    """
    frame = posterior.frame
    rows = frame[frame["role"] == "general"] if domain is None else bands.probed(posterior, domain)
    grouped = rows[rows["tokens"] > 0].groupby(["size", "ratio"])
    return grouped.agg(
        runs=("run", "nunique"),
        domains=("domain", "nunique"),
        least_tokens=("tokens", "min"),
        most_tokens=("tokens", "max"),
    ).reset_index()


def plot_design(
    table: pd.DataFrame, *, target: Target | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a disc for each size and ratio: its area is runs, its colour the longest run.

    Parameters
    ----------
    table : DataFrame
        From :func:`design_coverage`.
    target : Target, optional
        Its size is marked by a line.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.0)[0, 0]
    most = table["most_tokens"]
    low, high = float(most.min()), float(most.max())
    varied = high > low * 1.001
    counts = style.distinct(table["runs"])
    area = 110.0 / counts[-1]
    discs = ax.scatter(
        table["ratio"],
        table["size"],
        s=np.maximum(area * table["runs"], 4.0),
        **(
            {"c": most, "cmap": "viridis_r", "norm": LogNorm(low, high)}
            if varied
            else {"c": _ALIKE}
        ),
        linewidths=0.5,
        edgecolors="black",
        zorder=2,
        clip_on=False,
    )
    if varied:
        figure = ax.get_figure(root=True)
        assert figure is not None
        bar = figure.colorbar(discs, ax=ax, pad=0.02, aspect=25)
        style.count_axis(bar.ax.yaxis, low, high)
        bar.set_label("longest run (tokens)")
        bar.outline.set_linewidth(0.6)
    sizes = style.distinct(table["size"])
    known = [*sizes, *([target.size] if target is not None else [])]
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticks(sizes)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    ax.set_ylim(min(known) / 1.5, max(known) * 1.5)
    if target is not None:
        ax.axhline(target.size, color="#D55E00", linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
        ax.annotate(
            f"target: {short(target.size)}, {short(target.tokens)} tokens",
            (1.03, target.size),
            xytext=(0, 7),
            textcoords="offset points",
            ha="right",
            color="#D55E00",
            fontsize="small",
        )
    for runs in dict.fromkeys([counts[0], counts[-1]]):
        word = "run" if runs == 1 else "runs"
        ax.scatter(
            [],
            [],
            s=max(area * runs, 4.0),
            color="0.7",
            edgecolors="black",
            linewidths=0.5,
            label=f"{runs:g} {word}",
        )
    ax.set_xlim(-0.03, 1.03)
    style.percent_axis(ax.xaxis)
    ax.set_xlabel("domain share of the mixture (%)")
    ax.set_ylabel("model size (parameters)")
    ax.legend(
        title=None if varied else f"all runs: {short(high)} tokens",
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
        frameon=False,
    )
    style.dress(ax)
    return ax
