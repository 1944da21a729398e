"""Posterior of the three critical mixture ratios at one target: one density above another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayescmr.cmr import CMR, ESTIMANDS
from bayescmr.posterior.intervals import PROB
from bayescmr.report import bands, style
from bayescmr.words import percent, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"tolerance": "tolerance", "turning_point": "turning point", "gu": "Gu et al."}
#: Distance between rows of densities, and their height.
_ROW, _HILL = 1.25, 0.62
#: Atoms with a smaller probability are not drawn.
_LEAST_ATOM = 0.005


def plot_cmr(cmr: CMR, *, prob: float = PROB, ax: Axes | None = None) -> Axes:
    """Posterior of the three critical mixture ratios at one target.

    One row for each: density, median (point), equal-tailed interval (bar), and
    the probability of each atom (a stem at 0 or 1).

    Parameters
    ----------
    cmr : CMR
        Answer at one target.
    prob : float
        Probability of the interval.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.0)[0, 0]
    table = bands.cmr_densities(cmr)
    for place, name in enumerate(reversed(ESTIMANDS)):
        colour = style.ESTIMAND_COLOURS[name]
        row = place * _ROW
        curve = table[table["estimand"] == name]
        density = curve["density"].to_numpy()
        top = row + _HILL * density / max(density.max(), 1e-12)
        ax.fill_between(curve["ratio"], row, top, color=colour, alpha=0.35, linewidth=0)
        ax.plot(curve["ratio"], top, color=colour, linewidth=0.9)
        summary = cmr.summary(name, prob)
        ax.plot(
            [summary.lower, summary.upper],
            [row, row],
            color=colour,
            linewidth=3.0,
            solid_capstyle="butt",
        )
        ax.plot([summary.median], [row], marker="|", markersize=7, mew=1.2, color="black")
        ax.annotate(
            f"{percent(summary.median)} [{percent(summary.lower)}, {percent(summary.upper)}]",
            (summary.median, row),
            xytext=(0, -5),
            textcoords="offset points",
            ha="right" if summary.median > 0.75 else "left" if summary.median < 0.25 else "center",
            va="top",
            fontsize="small",
            color=style.GREY,
        )
        for at, mass, words in (
            (0.0, summary.p_none, "none feasible"),
            (1.0, summary.p_all, "all feasible"),
        ):
            if mass < _LEAST_ATOM:
                continue
            ax.plot([at, at], [row, row + _HILL * mass], color=colour, linewidth=1.6)
            ax.plot([at], [row + _HILL * mass], marker="D", markersize=3.5, color=colour)
            ax.annotate(
                f"{words}: {mass:.2f}",
                (at, row + 1.08 * _HILL),
                ha="left" if at == 0 else "right",
                va="bottom",
                fontsize="small",
                color=colour,
            )
    target = cmr.target
    rows = [place * _ROW for place in range(len(ESTIMANDS))]
    ax.set_yticks(rows, [_NAMES[name] for name in reversed(ESTIMANDS)])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.52, rows[-1] + 1.4 * _HILL)
    ax.set_xlim(-0.02, 1.02)
    style.percent_axis(ax.xaxis)
    ax.set_xlabel(f"critical mixture ratio (% {style.label(target.domain)})")
    ax.set_title(
        f"{short(target.size)} parameters, {short(target.tokens)} tokens\n"
        f"median [{100 * prob:g} % interval]"
    )
    style.dress(ax)
    ax.spines["left"].set_visible(False)
    return ax
