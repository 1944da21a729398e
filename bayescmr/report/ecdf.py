"""How far ranks are from uniform: ECDF minus uniform, with simultaneous bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.uniformity import Null
from bayescmr.errors import CheckError
from bayescmr.posterior.intervals import check_prob
from bayescmr.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE, _BAND = "#0072B2", "0.85"
#: Points at which the ECDF of values in [0, 1] is looked at.
_POINTS = 99


def ecdf_difference(values: npt.ArrayLike, *, prob: float = 0.95) -> pd.DataFrame:
    """ECDF of values in [0, 1] minus that of uniform ones, with a band for uniform ones.

    Parameters
    ----------
    values : array_like
        Probability integral transforms, or ranks over their largest possible value.
    prob : float
        Probability that uniform values stay within the band everywhere at once
        (Sailynoja, Burkner, Vehtari 2022, doi 10.1007/s11222-022-10090-6).

    Returns
    -------
    DataFrame
        at, difference, lower, upper, prob, p_value (that uniform values depart as much).

    Raises
    ------
    CheckError
        Fewer than 2 values, or a value outside [0, 1].
    """
    check_prob(prob)
    found = np.asarray(values, dtype=float).ravel()
    if len(found) < 2 or not bool(((found >= 0) & (found <= 1)).all()):
        raise CheckError(f"values: got {found[:3]} ..., expected at least 2 numbers in [0, 1]")
    null = Null(len(found), _POINTS)
    ranks = np.minimum((found * (_POINTS + 1)).astype(np.int64), _POINTS)
    lower, upper = null.band(prob)
    at = null.points
    inner = pd.DataFrame(
        {
            "at": at,
            "difference": null.counts(ranks) / len(ranks) - at,
            "lower": lower - at,
            "upper": upper - at,
        }
    )
    ends = pd.DataFrame({"at": [0.0, 1.0], "difference": 0.0, "lower": 0.0, "upper": 0.0})
    table = pd.concat([inner, ends], ignore_index=True).sort_values("at", ignore_index=True)
    return table.assign(prob=prob, p_value=null.p_value(ranks))


def plot_ecdf(
    table: pd.DataFrame, *, label: str = "percentile of the measurement", ax: Axes | None = None
) -> Axes:
    """Draw the difference and its band.

    Parameters
    ----------
    table : DataFrame
        From :func:`ecdf_difference`.
    label : str
        What the values are.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 3.4, 2.6)[0, 0]
    prob = float(table["prob"].iloc[0])
    ax.fill_between(
        table["at"],
        table["lower"],
        table["upper"],
        color=_BAND,
        linewidth=0,
        label=f"{100 * prob:g} % simultaneous band",
    )
    ax.plot(table["at"], table["difference"], color=_LINE, label="observed")
    ax.axhline(0.0, color=style.GREY, linewidth=0.5)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel(label)
    ax.set_ylabel("ECDF minus uniform")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    style.dress(ax)
    return ax
