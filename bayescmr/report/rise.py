"""Rise of the general loss against the ratio, at the target, with the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescmr.cmr.discrepancy import last_ratio, way_to_one
from bayescmr.cmr.target import Target
from bayescmr.posterior.intervals import PROB, check_prob
from bayescmr.posterior.posterior import Posterior
from bayescmr.report import style
from bayescmr.words import percent_down

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEAN, _LIMIT, _RUN = "#0072B2", "#D55E00", "#0072B2"
#: Ratios at which the curves are evaluated; the last steps are fine, for there curves bend most.
_RATIOS = np.concatenate([np.linspace(0.0, 0.95, 96), np.linspace(0.955, 1.0, 10)])
#: The rise is drawn up to so many times the tolerance.
_HEADROOM = 3.0


def rise_against_ratio(
    posterior: Posterior,
    target: Target,
    *,
    risk: float = 0.1,
    eval_set: str | None = None,
    prob: float = PROB,
) -> pd.DataFrame:
    """Rise of the general loss at the target's size, domain and tokens, against the ratio.

    Parameters
    ----------
    posterior : Posterior
        Draws.
    target : Target
        The question.
    risk : float
        Allowed probability that a new run breaks the tolerance.
    eval_set : str, optional
        Needed only where there are several general sets.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        ratio, median, lower, upper (of the mean curve), new_lower, new_upper (of a run not yet
        made), at_risk (what a new run exceeds at this ratio or a smaller one with probability
        ``risk``; it reaches the tolerance at the decision), tolerance (all nats/token), prob,
        risk.
    """
    check_prob(prob)
    check_prob(risk, "risk", "0.1")
    chosen = posterior.only_set("general", eval_set)
    tail = (1.0 - prob) / 2.0
    mean = posterior.changes(
        "general",
        size=target.size,
        domain=target.domain,
        tokens=target.tokens,
        ratio=_RATIOS,
        eval_set=chosen,
    )
    stream = target.sets_of(posterior.eval_sets("general")).index(chosen)
    level, _ = posterior.general.run_effect(target.tokens, stream)
    way = way_to_one(_RATIOS, last_ratio(posterior.frame, target))
    new = mean + level[:, None] * posterior.general.no_replay_factor[:, None] ** way
    highest = np.maximum.accumulate(new, axis=1)
    lower, median, upper = np.quantile(mean, [tail, 0.5, 1.0 - tail], axis=0)
    new_lower, new_upper = np.quantile(new, [tail, 1.0 - tail], axis=0)
    rows = posterior.frame
    same = (
        (rows["role"] == "general") & (rows["eval_set"] == chosen) & (rows["size"] == target.size)
    )
    return pd.DataFrame(
        {
            "ratio": _RATIOS,
            "median": median,
            "lower": lower,
            "upper": upper,
            "new_lower": new_lower,
            "new_upper": new_upper,
            "at_risk": np.quantile(highest, 1.0 - risk, axis=0, method="inverted_cdf"),
            "tolerance": target.tolerance_of(chosen, float(rows.loc[same, "base"].mean())),
            "prob": prob,
            "risk": risk,
        }
    )


def plot_rise(table: pd.DataFrame, *, decision: float, ax: Axes | None = None) -> Axes:
    """Draw the rise against the ratio, the tolerance, and a decision.

    Parameters
    ----------
    table : DataFrame
        From :func:`rise_against_ratio`.
    decision : float
        From ``cmr.decide(risk)``; by the tolerance it lies where the curve of that risk
        reaches it, by another bound it may lie before.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 3.4)[0, 0]
    prob, risk = float(table["prob"].iloc[0]), float(table["risk"].iloc[0])
    tolerance = float(table["tolerance"].iloc[0])
    x = table["ratio"]
    ax.fill_between(
        x,
        table["new_lower"],
        table["new_upper"],
        color=_RUN,
        alpha=0.13,
        linewidth=0,
        label=f"{100 * prob:g} % interval of a new run",
    )
    ax.fill_between(
        x,
        table["lower"],
        table["upper"],
        color=_MEAN,
        alpha=0.3,
        linewidth=0,
        label=f"{100 * prob:g} % interval of the mean",
    )
    ax.plot(x, table["median"], color=_MEAN, label="median of the mean")
    ax.plot(
        x,
        table["at_risk"],
        color=_LIMIT,
        linestyle=(0, (4, 1.5)),
        label=f"exceeded with probability {100 * risk:g} %",
    )
    ax.axhline(tolerance, color="black", linewidth=0.8, linestyle=(0, (1, 1)))
    low = max(float(min(0.0, table["new_lower"].min())), -_HEADROOM * tolerance - 1e-3)
    high = float(np.clip(table["new_upper"].max(), 1.25 * tolerance, _HEADROOM * tolerance + 1e-3))
    ax.set_ylim(low - 0.05 * (high - low), high)
    ax.annotate(
        f"tolerance {tolerance:.3g}",
        (0.0 if decision > 0.4 else 1.0, tolerance),
        xytext=(3 if decision > 0.4 else -3, 2),
        textcoords="offset points",
        ha="left" if decision > 0.4 else "right",
        fontsize="small",
    )
    ax.axvline(decision, color="black", linewidth=0.8)
    reached = float(np.interp(decision, x, table["at_risk"]))
    ax.plot([decision], [reached], marker="o", markersize=4, color="black", label="_decision")
    left = decision > 0.6
    ax.annotate(
        f"at most {percent_down(decision)} %",
        (decision, 0.985),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        fontweight="bold",
    )
    ax.set_xlim(0.0, 1.0)
    style.percent_axis(ax.xaxis)
    ax.set_xlabel("domain share of the mixture (%)")
    ax.set_ylabel("rise of general loss (nats/token)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    style.dress(ax)
    return ax
