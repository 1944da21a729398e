"""Critical mixture ratio against the token budget and against model size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import Estimand
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import PROB
from bayescmr.report import bands, style
from bayescmr.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

#: How axes name the estimands.
ESTIMAND_NAMES = {
    "tolerance": "tolerance CMR",
    "turning_point": "turning-point CMR",
    "gu": "CMR of Gu et al.",
}


def plot_cmr_tokens(
    posterior: Answers,
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
    posterior : Answers
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
            _mark(ax, known["tokens"], known["ratio"], colour)
    if points is not None and len(points):
        _mark(ax, [], [], "white", points_label)
    ax.fill_between(
        [], [], [], color=style.GREY, alpha=0.28, linewidth=0, label=f"{100 * prob:g} % intervals"
    )
    low, high = float(table["tokens"].min()), float(table["tokens"].max())
    _shade_outside(ax, low, high, float(rows["tokens"].min()), float(rows["tokens"].max()))
    ax.set_xlabel("CPT tokens")
    return _finish(ax, low, high, estimand, domain, columns=3)


def plot_cmr_size(
    posterior: Answers,
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
    posterior : Answers
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
        _mark(ax, points["size"], points["ratio"], "white", points_label)
    _shade_outside(ax, low, high, known[0], known[-1])
    ax.set_xlabel("model size (parameters)")
    return _finish(ax, low, high, estimand, domain, columns=2)


# -- parts ----------------------------------------------------------------------------------


def _mark(
    ax: Axes, x: npt.ArrayLike, ratio: npt.ArrayLike, colour: ColorType, label: str = "_"
) -> None:
    """Mark known ratios."""
    ax.plot(
        x,
        ratio,
        linestyle="none",
        marker="o",
        markersize=4.5,
        color=colour,
        mec="black",
        mew=0.7,
        label=label,
        zorder=3,
    )


def _finish(
    ax: Axes, low: float, high: float, estimand: Estimand, domain: str, columns: int
) -> Axes:
    """Axes and legend that ratios have in common, whatever they are drawn against."""
    style.log_x(ax, low, high)
    ax.set_ylim(0.0, 1.0)
    style.percent_axis(ax.yaxis)
    ax.set_ylabel(f"{ESTIMAND_NAMES[estimand]} (% {style.label(domain)})")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, frameon=False)
    style.dress(ax)
    return ax


def _shade_outside(ax: Axes, low: float, high: float, first: float, last: float) -> None:
    """Grey what lies outside the measured range."""
    label = "extrapolated"
    for start, end in ((low, first), (last, high)):
        if end > start * (1 + 1e-9):
            ax.axvspan(start, end, color="0.93", linewidth=0, zorder=-1, label=label)
            label = "_"
