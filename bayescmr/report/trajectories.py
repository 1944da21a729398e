"""Rise of the general loss against tokens, measured and fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from bayescmr.errors import TargetError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import PROB
from bayescmr.report import bands, style
from bayescmr.words import percent, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import ColorType

#: Part of a panel given to the runs without replay, and the gap below it.
_STRIP, _GAP = 0.24, 0.07
#: Colour of the runs without replay.
_ALONE = "#D55E00"


def plot_trajectories(
    posterior: Answers,
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
    posterior : Answers
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
            style.log_x(strip, *span)
            strip.tick_params(labelbottom=False)
            strip.text(0.03, 0.95, "no replay", va="top", transform=strip.transAxes, color=_ALONE)
            here, seen = here[here["ratio"] < 1.0], seen[seen["ratio"] < 1.0]
        _draw_curves(panel, here, seen, colours)
        panel.axhline(0.0, color=style.GREY, linewidth=0.5, zorder=0)
        style.log_x(panel, *span)
        below = (lines[~alone], points[points["ratio"] < 1.0]) if split else (lines, points)
        _leave_room(panel, *_limits(*below), room=_STRIP + _GAP if split else 0.0)
        place = panel.get_subplotspec()
        if place is None or place.is_last_row():
            panel.set_xlabel("CPT tokens")
        if place is None or place.is_first_col():
            panel.set_ylabel("rise of general loss (nats/token)")
        panel.set_title(f"{short(size)} parameters")
    _ratio_legend(panels[0], colours, prob)
    return drawn


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
            # The first and the last lie on the edge: whole, not halves.
            clip_on=False,
            color=colours[float(ratio)],  # type: ignore[arg-type]
        )
    style.dress(ax)


def _ratio_colours(ratios: Sequence[float]) -> list[ColorType]:
    """Dark to light up to the largest ratio with replay; vermillion for none."""
    mixed = [r for r in ratios if r < 1.0]
    found: list[ColorType] = [*style.ordered_colours(len(mixed))]
    return [*found, *[_ALONE] * (len(ratios) - len(mixed))]


def _ratio_legend(ax: Axes, colours: Mapping[float, ColorType], prob: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, label=percent(ratio, 1).removesuffix(".0"))
        for ratio, colour in colours.items()
    ]
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(
        handles=handles,
        title=f"domain share (%): median and {100 * prob:g} % interval of the mean curve",
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
