"""Make the pictures of docs/estimands.md again, from real fits: `python tools/site/pictures.py`.

One fit of the published runs of Gu et al. 2024, which takes less than a minute. The same machine
makes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.report import plot_cmr, style
from bayescmr.words import percent, percent_down

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "docs" / "pictures"
RISK, PROB = 0.1, 0.9
#: Smaller than the paper's, so that it is met between shares that were trained.
TOLERANCE = 0.02
BLUE, RED, GREEN = style.ESTIMAND_COLOURS.values()


def main() -> None:
    """Fit the published runs and write three SVG files."""
    fit = bc.fit(bc.RunTable.from_frame(gu2024.trajectories(), source="gu2024"), seed=1)
    assert fit.converged, fit.verdict
    OUT.mkdir(exist_ok=True)
    with style.paper(), mpl.rc_context({"svg.hashsalt": "bayescmr", "svg.fonttype": "path"}):
        write("turning_point", 5.4, 3.4, lambda ax: turning_point(ax, fit))
        write("tolerance", 5.4, 3.4, lambda ax: tolerance(ax, fit))
        target = bc.Target(7e9, "finance", gu2024.BUDGET, gu2024.TOLERANCE)
        write("atoms", 5.4, 3.0, lambda ax: plot_cmr(fit.cmr(target), ax=ax))


def write(name: str, width: float, height: float, draw: object) -> None:
    """Draw one picture and write it without a date."""
    figure = style.new_figure(width, height)
    draw(figure.subplots())  # type: ignore[operator]
    figure.savefig(OUT / f"{name}.svg", metadata={"Date": None, "Creator": None})


def turning_point(ax: Axes, fit: bc.Posterior) -> None:
    """Rise against tokens at 3.1B: which shares have turned at the budget?"""
    size = max(gu2024.SIZES.values())
    budget = gu2024.BUDGET
    tokens = np.geomspace(2e8, 1e11, 160)
    shares = (0.125, 0.25, 1 / 3, 0.5, 0.75)
    top = 0.0
    for share, colour in zip(shares, style.ordered_colours(len(shares)), strict=True):
        rise = fit.changes(
            "general", size=size, domain="finance", tokens=tokens, ratio=np.full(160, share)
        )
        low, middle, high = np.quantile(rise, [0.05, 0.5, 0.95], axis=0)
        inside = tokens <= budget
        ax.fill_between(tokens, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(tokens[inside], middle[inside], color=colour, label=f"{100 * share:.3g} %")
        ax.plot(tokens[~inside], middle[~inside], color=colour, linestyle=(0, (3, 2)))
        peak = int(middle.argmax())
        if 0 < peak < len(tokens) - 1:
            ax.plot(tokens[peak], middle[peak], "o", color=colour, mec="black", mew=0.6, ms=4.5)
        top = max(top, float(middle[inside].max()))
    ax.axvline(budget, color=style.GREY, linewidth=0.8)
    ax.annotate(
        "budget", (budget, 0), xytext=(4, 3), textcoords="offset points", color=style.GREY, size=7
    )
    style.log_x(ax, tokens[0], tokens[-1])
    ax.set_ylim(0, 1.45 * top)
    ax.set_xlabel("CPT tokens")
    ax.set_ylabel("rise of the general loss (nats/token)")
    ax.legend(title="finance share", frameon=False, loc="upper left")
    style.dress(ax)


def tolerance(ax: Axes, fit: bc.Posterior) -> None:
    """Rise against the share at 3.1B and the budget: where does it cross the tolerance?"""
    size, domain, budget = max(gu2024.SIZES.values()), "finance", gu2024.BUDGET
    rows = fit.frame[(fit.frame["role"] == "general") & (fit.frame["size"] == size)]
    cmr = fit.cmr(bc.Target(size, domain, budget, TOLERANCE))
    shares = np.linspace(0, 0.8, 161)
    rise = fit.changes(
        "general", size=size, domain=domain, tokens=np.full(161, budget), ratio=shares
    )
    low, middle, high = np.quantile(rise, [0.05, 0.5, 0.95], axis=0)
    ax.fill_between(
        shares, low, high, color=BLUE, alpha=0.25, linewidth=0, label="90 % interval of the curve"
    )
    ax.plot(shares, middle, color=BLUE, label="median")
    ends = rows[(rows["tokens"] >= 0.999 * budget) & (rows["ratio"] <= 0.8)]
    ax.plot(
        ends["ratio"],
        ends["change"],
        "o",
        color="white",
        mec="black",
        ms=4.5,
        label="published runs",
    )
    ax.axhline(TOLERANCE, color=RED, linewidth=0.9)
    ax.annotate(
        "tolerance 0.02", (0.0, TOLERANCE), xytext=(4, 3), textcoords="offset points",
        color=RED, size=7,
    )  # fmt: skip
    summary = cmr.summary("tolerance", PROB)
    safe = cmr.decide(RISK)
    floor = float(min(low.min(), ends["change"].min(), 0.0))
    ax.plot([summary.lower, summary.upper], [floor, floor], color=BLUE, linewidth=3.5)
    ax.plot([summary.median], [floor], "|", color="black", ms=8, mew=1.3)
    ax.annotate(
        f"CMR {percent(summary.median, 0)} % [{percent(summary.lower, 0)},"
        f" {percent(summary.upper, 0)}]",
        (summary.upper, floor), xytext=(5, -2.5), textcoords="offset points", color=BLUE, size=7,
    )  # fmt: skip
    ax.axvline(safe, color=GREEN, linewidth=0.9, linestyle=(0, (3, 2)))
    ax.annotate(
        f"safe at 10 % risk: {percent_down(safe)} %", (safe, float(high.max())),
        xytext=(4, -6), textcoords="offset points", color=GREEN, size=7,
    )  # fmt: skip
    style.percent_axis(ax.xaxis)
    ax.set_xlim(0, 0.8)
    ax.set_xlabel(f"{domain} share (%)")
    ax.set_ylabel("rise of the general loss (nats/token)")
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.01, 0.04))
    style.dress(ax)


if __name__ == "__main__":
    main()
