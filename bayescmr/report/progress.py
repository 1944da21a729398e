"""What a campaign of probes has learnt for what it has spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter

from bayescmr.errors import TargetError
from bayescmr.posterior.intervals import PROB, check_prob
from bayescmr.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("step", "flops", "lower", "median", "upper", "ratio")
_COLOUR, _PROPOSED = "#0072B2", "#D55E00"


def campaign_progress(table: pd.DataFrame) -> pd.DataFrame:
    """Check a campaign's record and add what is drawn from it.

    Parameters
    ----------
    table : DataFrame
        One row per fit: step, flops (of its probes), lower, median, upper (of the CMR), ratio
        (of the probe proposed next; NaN where none is).

    Returns
    -------
    DataFrame
        The six columns by step, spent (FLOPs up to and with the step) and width (upper - lower).

    Raises
    ------
    TargetError
        A column is absent, no rows, FLOPs < 0 or bounds out of order.
    """
    absent = [column for column in _COLUMNS if column not in table]
    if absent or table.empty:
        raise TargetError(
            f"campaign: got {len(table)} rows without column {absent}, expected rows with"
            f" {', '.join(_COLUMNS)}"
        )
    found = table[list(_COLUMNS)].sort_values("step", ignore_index=True)
    flops = found["flops"].to_numpy(dtype=float)
    if not bool((np.isfinite(flops) & (flops >= 0)).all()):
        raise TargetError("campaign: flops: got a negative or missing count, expected numbers >= 0")
    ordered = (found["lower"] <= found["median"]) & (found["median"] <= found["upper"])
    if not bool(ordered.all()):
        step = found["step"][~ordered].iloc[0]
        raise TargetError(f"campaign: step {step}: expected lower <= median <= upper")
    return found.assign(spent=flops.cumsum(), width=found["upper"] - found["lower"])


def plot_progress(table: pd.DataFrame, *, prob: float = PROB, ax: Axes | None = None) -> Axes:
    """Draw the interval of the CMR and the proposed ratios against the FLOPs spent.

    Parameters
    ----------
    table : DataFrame
        From :func:`campaign_progress`.
    prob : float
        Probability of its intervals.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    check_prob(prob)
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.2)[0, 0]
    spent = table["spent"]
    ax.fill_between(
        spent,
        table["lower"],
        table["upper"],
        step="post",
        color=_COLOUR,
        alpha=0.25,
        linewidth=0,
        label=f"{100 * prob:g} % interval",
    )
    ax.step(spent, table["median"], where="post", color=_COLOUR, label="median")
    # The last fit has no next one up to which it could be drawn.
    last = table.iloc[-1]
    ax.errorbar(
        [last["spent"]],
        [last["median"]],
        yerr=[[last["median"] - last["lower"]], [last["upper"] - last["median"]]],
        color=_COLOUR,
        marker="o",
        markersize=4,
        capsize=2,
    )
    asked = table[table["ratio"].notna()]
    ax.plot(
        asked["spent"],
        asked["ratio"],
        linestyle="none",
        marker="D",
        markersize=3.5,
        color=_PROPOSED,
        mec="white",
        mew=0.5,
        label="proposed next",
        clip_on=False,
        zorder=3,
    )
    ax.plot(
        spent,
        np.zeros(len(table)),
        linestyle="none",
        marker="|",
        markersize=8,
        color="black",
        transform=ax.get_xaxis_transform(),
        clip_on=False,
        label="fits",
    )
    ax.set_ylim(0.0, 1.0)
    style.percent_axis(ax.yaxis)
    power = int(np.floor(np.log10(max(float(spent.max()), 1.0))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.3g}"))
    ax.set_xlabel(f"compute spent ($10^{{{power}}}$ FLOPs)")
    ax.set_ylabel("critical mixture ratio (%)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    style.dress(ax)
    return ax
