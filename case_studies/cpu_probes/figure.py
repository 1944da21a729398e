"""Rise of the general loss against the ratio: posterior, grid, and fresh runs.

    python case_studies/cpu_probes/figure.py

Fits both laws again (some minutes) and mixes them by the committed weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import fit
import grid
import numpy as np

import bayescmr as bc
from bayescmr.posterior import StackedPosterior
from bayescmr.report import style

HERE = Path(__file__).parent
#: Beyond, the rise without replay dwarfs everything else.
MAX_RATIO = 0.75


def posterior() -> StackedPosterior:
    """Return the stack whose answers are in predictions.json."""
    weights = json.loads((HERE / "predictions.json").read_text())["weights"]
    fits = {name: bc.fit(fit.table(), model=name, seed=1) for name in fit.MODELS}
    return StackedPosterior.of(fits, weights, {"weights of": "predictions.json"})


def main() -> None:
    """Draw and save rises.png."""
    stacked = posterior()
    tables = {
        "grid": bc.read_runs(HERE / "runs.csv").select("general"),
        "fresh": bc.read_runs(HERE / "fresh.csv").select("general"),
    }
    ratios = np.linspace(0, MAX_RATIO, 61)
    with style.paper():
        figure = style.new_figure(7.0, 3.2)
        axes = figure.subplots(1, len(grid.DOMAINS), sharey=True)
        colours = style.ordered_colours(len(grid.SIZES))
        for ax, domain in zip(axes, grid.DOMAINS, strict=True):
            sizes = sorted(tables["grid"]["size"].unique())
            for size, name, colour in zip(sizes, grid.SIZES, colours, strict=True):
                band = stacked.predict(
                    "general", size=size, domain=domain, tokens=grid.TOKENS, ratio=ratios,
                    prob=fit.PROB,
                )  # fmt: skip
                ax.fill_between(
                    ratios, band["lower"], band["upper"], color=colour, alpha=0.25, lw=0
                )
                ax.plot(ratios, band["median"], color=colour, label=f"{name} parameters")
                for kind, marker in (("grid", "o"), ("fresh", "x")):
                    frame = tables[kind]
                    some = frame[
                        (frame["size"] == size)
                        & (frame["domain"] == domain)
                        & (frame["tokens"] == grid.TOKENS)
                        & (frame["ratio"] <= MAX_RATIO)
                    ]
                    ax.plot(
                        some["ratio"], some["change"], marker, color=colour, ms=3.5, mew=1,
                        mfc="none" if marker == "o" else None,
                    )  # fmt: skip
            ax.axhline(fit.TOLERANCE, color="0.4", lw=0.8, ls="--")
            ax.set_title(domain)
            ax.set_xlabel("domain share R")
            style.dress(ax)
        axes[0].set_ylabel("rise of the general loss (nats/token)")
        axes[0].plot([], [], "o", color="0.3", mfc="none", ms=3.5, label="run of the grid")
        axes[0].plot([], [], "x", color="0.3", ms=3.5, label="fresh run, not fitted")
        axes[0].plot([], [], "--", color="0.4", lw=0.8, label=f"tolerance {fit.TOLERANCE:g}")
        axes[0].legend(loc="upper left", frameon=False)
        figure.savefig(HERE / "rises.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
