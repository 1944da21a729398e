"""Figures. Each takes the axes to draw on (or makes its own) and returns them.

The numbers of every figure come from :mod:`bayescmr.report.bands`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from bayescmr.cmr import CMR, ESTIMANDS, Estimand
from bayescmr.errors import TargetError
from bayescmr.posterior.intervals import PROB
from bayescmr.posterior.posterior import Posterior
from bayescmr.report import bands, style
from bayescmr.report.words import percent, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

_NAMES = {"tolerance": "tolerance", "turning_point": "turning point", "gu": "Gu et al."}
_LABELS = {
    "tolerance": "tolerance CMR",
    "turning_point": "turning-point CMR",
    "gu": "CMR of Gu et al.",
}
#: Distance between rows of densities, and their height.
_ROW, _HILL = 1.25, 0.62
#: Atoms with a smaller probability are not drawn.
_LEAST_ATOM = 0.005
#: Part of a panel given to the runs without replay, and the gap below it.
_STRIP, _GAP = 0.24, 0.07


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
    ax.set_xlabel(f"critical mixture ratio (% {target.domain})")
    ax.set_title(f"{short(target.size)} parameters, {short(target.tokens)} tokens")
    style.dress(ax)
    ax.spines["left"].set_visible(False)
    return ax


def plot_trajectories(
    posterior: Posterior,
    *,
    domain: str,
    sizes: Sequence[float] | None = None,
    eval_set: str | None = None,
    prob: float = PROB,
    ax: Axes | Sequence[Axes] | None = None,
) -> Axes | Sequence[Axes]:
    """Rise of the general loss against tokens, a panel for each size.

    Points are measurements, lines medians and bands equal-tailed intervals of
    the mean curve (a single run scatters around it). Runs without replay
    (R = 1) rise several times higher: they get a strip of their own above.

    Parameters
    ----------
    posterior : Posterior
        Draws and run table.
    domain : str
        A probed domain.
    sizes : sequence of float, optional
        Sizes (count); default: all that were probed.
    eval_set : str, optional
        Needed only where there are several general sets.
    prob : float
        Probability of the bands.
    ax : Axes or sequence of Axes, optional
        One for each size; default: a new figure.

    Returns
    -------
    Axes or sequence of Axes
        What was given, or a list, one for each size.

    Raises
    ------
    TargetError
        The number of axes is not the number of sizes.
    """
    if sizes is None:
        sizes = style.distinct(bands.probed(posterior, domain)["size"])
    drawn = _panels(len(sizes)) if ax is None else ax
    panels = list(drawn) if isinstance(drawn, Sequence | np.ndarray) else [drawn]
    if len(panels) != len(sizes):
        raise TargetError(f"ax: got {len(panels)} axes, expected {len(sizes)}, one for each size")

    lines = bands.trajectory_bands(
        posterior, domain=domain, sizes=sizes, eval_set=eval_set, prob=prob
    )
    points = bands.trajectory_points(posterior, domain=domain, sizes=sizes, eval_set=eval_set)
    ratios = style.distinct(lines["ratio"])
    colours = dict(zip(ratios, _ratio_colours(ratios), strict=True))
    alone = lines["ratio"] == 1.0
    split = bool(alone.any() and not alone.all())
    span = (float(lines["tokens"].min()), float(lines["tokens"].max()))
    for panel, size in zip(panels, sizes, strict=True):
        here, seen = lines[lines["size"] == size], points[points["size"] == size]
        if split:
            strip = panel.inset_axes((0.0, 1.0 - _STRIP, 1.0, _STRIP))
            _draw_curves(strip, here[here["ratio"] == 1.0], seen[seen["ratio"] == 1.0], colours)
            strip.set_ylim(*_limits(lines[alone], points[points["ratio"] == 1.0]))
            strip.locator_params(axis="y", nbins=3)
            _log_x(strip, *span)
            strip.tick_params(labelbottom=False)
            here, seen = here[here["ratio"] < 1.0], seen[seen["ratio"] < 1.0]
        _draw_curves(panel, here, seen, colours)
        panel.axhline(0.0, color=style.GREY, linewidth=0.5, zorder=0)
        _log_x(panel, *span)
        below = (lines[~alone], points[points["ratio"] < 1.0]) if split else (lines, points)
        _leave_room(panel, *_limits(*below), room=_STRIP + _GAP if split else 0.0)
        place = panel.get_subplotspec()
        if place is None or place.is_last_row():
            panel.set_xlabel("CPT tokens")
        if place is None or place.is_first_col():
            panel.set_ylabel("rise of general loss (nats/token)")
        panel.set_title(f"{short(size)} parameters")
    _ratio_legend(panels[0], colours)
    return drawn


def plot_cmr_tokens(
    posterior: Posterior,
    *,
    domain: str,
    sizes: Sequence[float] | None = None,
    tolerance: float | Mapping[str, float] = 0.05,
    tokens: Sequence[float] | None = None,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
    points: pd.DataFrame | None = None,
    points_label: str = "published",
    ax: Axes | None = None,
) -> Axes:
    """Critical mixture ratio against the token budget: medians with bands, a colour per size.

    Parameters
    ----------
    posterior : Posterior
        Draws.
    domain : str
        A probed domain.
    sizes, tolerance, tokens, estimand, prob
        As in :func:`bayescmr.report.bands.cmr_against_tokens`. Sizes that were not
        probed are dashed, budgets that were not probed shaded.
    points : DataFrame, optional
        Known ratios to mark: size, tokens, ratio.
    points_label : str
        What they are.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.6)[0, 0]
    table = bands.cmr_against_tokens(
        posterior,
        domain=domain,
        sizes=sizes,
        tolerance=tolerance,
        tokens=tokens,
        estimand=estimand,
        prob=prob,
    )
    rows = bands.probed(posterior, domain)
    drawn = style.distinct(table["size"])
    for size, colour in zip(drawn, style.ordered_colours(len(drawn)), strict=True):
        curve = table[table["size"] == size]
        trained = bool(np.isclose(rows["size"], size, rtol=1e-9).any())
        ax.fill_between(
            curve["tokens"],
            curve["lower"],
            curve["upper"],
            color=colour,
            alpha=0.28 if trained else 0.12,
            linewidth=0,
        )
        ax.plot(
            curve["tokens"],
            curve["median"],
            color=colour,
            linestyle="-" if trained else (0, (4, 2)),
            label=short(size) if trained else f"{short(size)} (not trained)",
        )
        if points is not None:
            known = points[np.isclose(points["size"], size, rtol=1e-9)]
            ax.plot(
                known["tokens"],
                known["ratio"],
                linestyle="none",
                marker="o",
                markersize=4.5,
                color=colour,
                mec="black",
                mew=0.7,
                zorder=3,
            )
    if points is not None and len(points):
        ax.plot(
            [], [], "o", markersize=4.5, color="white", mec="black", mew=0.7, label=points_label
        )
    low, high = float(table["tokens"].min()), float(table["tokens"].max())
    _shade_outside(ax, low, high, float(rows["tokens"].min()), float(rows["tokens"].max()))
    _log_x(ax, low, high)
    ax.set_xlabel("CPT tokens")
    _ratio_y(ax, estimand, domain)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    style.dress(ax)
    return ax


def plot_cmr_size(
    posterior: Posterior,
    *,
    domain: str,
    tokens: float,
    sizes: Sequence[float] | None = None,
    tolerance: float | Mapping[str, float] = 0.05,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
    points: pd.DataFrame | None = None,
    points_label: str = "published",
    ax: Axes | None = None,
) -> Axes:
    """Critical mixture ratio against model size; sizes outside the probed range are shaded.

    Parameters
    ----------
    posterior : Posterior
        Draws.
    domain : str
        A probed domain.
    tokens : float
        Budget (count).
    sizes, tolerance, estimand, prob
        As in :func:`bayescmr.report.bands.cmr_against_size`.
    points : DataFrame, optional
        Known ratios to mark: size, ratio.
    points_label : str
        What they are.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.6)[0, 0]
    table = bands.cmr_against_size(
        posterior,
        domain=domain,
        tokens=tokens,
        sizes=sizes,
        tolerance=tolerance,
        estimand=estimand,
        prob=prob,
    )
    colour = style.ESTIMAND_COLOURS[estimand]
    ax.fill_between(
        table["size"],
        table["lower"],
        table["upper"],
        color=colour,
        alpha=0.28,
        linewidth=0,
        label=f"{100 * prob:g} % interval",
    )
    ax.plot(table["size"], table["median"], color=colour, label="median")
    low, high = float(table["size"].min()), float(table["size"].max())
    known = style.distinct(bands.probed(posterior, domain)["size"])
    shown = [size for size in known if low <= size <= high]
    ax.plot(
        shown,
        np.zeros(len(shown)),
        linestyle="none",
        marker="|",
        markersize=9,
        mew=1.2,
        color="black",
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        label="trained sizes",
    )
    if points is not None and len(points):
        ax.plot(
            points["size"],
            points["ratio"],
            linestyle="none",
            marker="o",
            markersize=4.5,
            color="white",
            mec="black",
            mew=0.7,
            label=points_label,
        )
    _shade_outside(ax, low, high, known[0], known[-1])
    _log_x(ax, low, high)
    ax.set_xlabel("model size (parameters)")
    _ratio_y(ax, estimand, domain)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    style.dress(ax)
    return ax


# -- parts ----------------------------------------------------------------------------------


def _panels(n: int) -> Sequence[Axes]:
    """Make axes of a new figure, two in a row."""
    columns = min(n, 2)
    rows = -(-n // columns)
    made = style.own_axes(rows, columns, 3.6 * columns, 3.0 * rows).ravel()
    for spare in made[n:]:
        spare.set_axis_off()
    return list(made[:n])


def _draw_curves(
    ax: Axes, lines: pd.DataFrame, points: pd.DataFrame, colours: Mapping[float, ColorType]
) -> None:
    for ratio, curve in lines.groupby("ratio"):
        colour = colours[float(ratio)]  # type: ignore[arg-type]
        ax.fill_between(
            curve["tokens"], curve["lower"], curve["upper"], color=colour, alpha=0.25, linewidth=0
        )
        ax.plot(curve["tokens"], curve["median"], color=colour)
    for ratio, seen in points.groupby("ratio"):
        ax.plot(
            seen["tokens"],
            seen["change"],
            linestyle="none",
            marker="o",
            markersize=2.2,
            mew=0,
            color=colours[float(ratio)],  # type: ignore[arg-type]
        )
    style.dress(ax)


def _ratio_colours(ratios: Sequence[float]) -> list[ColorType]:
    """Dark to light up to the largest ratio with replay; vermillion for none."""
    mixed = [r for r in ratios if r < 1.0]
    found: list[ColorType] = [*style.ordered_colours(len(mixed))]
    return [*found, *["#D55E00"] * (len(ratios) - len(mixed))]


def _ratio_legend(ax: Axes, colours: Mapping[float, ColorType]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, label=percent(ratio, 1).removesuffix(".0"))
        for ratio, colour in colours.items()
    ]
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(
        handles=handles,
        title="domain share (%)",
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
    )


def _limits(lines: pd.DataFrame, points: pd.DataFrame) -> tuple[float, float]:
    """Range of bands and points, with a margin; the same for every panel."""
    low = min(0.0, lines["lower"].min(), points["change"].min())
    high = max(lines["upper"].max(), points["change"].max())
    margin = 0.04 * (high - low)
    return float(low - margin), float(high + margin)


def _leave_room(ax: Axes, low: float, high: float, room: float) -> None:
    """Let an axis end below its top, where ``room`` (a share of the panel) is left free."""
    ax.set_ylim(low, low + (high - low) / (1.0 - room))
    if room > 0:
        ticks = MaxNLocator(nbins=5, steps=[1, 2, 5, 10]).tick_values(low, high)
        ax.set_yticks([tick for tick in ticks if low <= tick <= high])
        ax.spines["left"].set_bounds(low, high)


def _log_x(ax: Axes, low: float, high: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    style.count_axis(ax.xaxis, low, high)


def _ratio_y(ax: Axes, estimand: Estimand, domain: str) -> None:
    ax.set_ylim(0.0, 1.0)
    style.percent_axis(ax.yaxis)
    ax.set_ylabel(f"{_LABELS[estimand]} (% {domain})")


def _shade_outside(ax: Axes, low: float, high: float, first: float, last: float) -> None:
    """Grey what lies outside the measured range."""
    label = "extrapolated"
    for start, end in ((low, first), (last, high)):
        if end > start * (1 + 1e-9):
            ax.axvspan(start, end, color="0.93", linewidth=0, zorder=-1, label=label)
            label = "_"
