"""The demonstration: published runs of Gu et al. (2024) in, posterior, table and figures out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayescmr import gu2024
from bayescmr.cmr import CMR, ESTIMANDS, Estimand, Target
from bayescmr.posterior.intervals import PROB
from bayescmr.runs import RunTable

if TYPE_CHECKING:
    from bayescmr.posterior import Posterior

DOMAIN = "finance"
#: A size nobody trained.
UNTRAINED = 7e9
RISK = 0.1
SOURCE = "Gu et al. 2024, Table 4"
#: The published ratios are turning-point CMRs; the tolerance does not bind, so they are Gu's too.
_PUBLISHED: tuple[Estimand, ...] = ("turning_point", "gu")
_COLUMNS = [
    "size",
    "domain",
    "tokens",
    "tolerance",
    "estimand",
    "median",
    "lower",
    "upper",
    "prob",
    "published",
    "safe_ratio",
    "risk",
]


def demo_runs() -> RunTable:
    """Run table of the 24 published runs."""
    return RunTable.from_frame(gu2024.trajectories(), source=SOURCE)


def demo_cmrs(posterior: Posterior) -> dict[float, CMR]:
    """Answer for the four sizes and for the untrained one, at the paper's budget and tolerance."""
    return {
        size: posterior.cmr(Target(size, DOMAIN, gu2024.BUDGET, gu2024.TOLERANCE))
        for size in (*gu2024.SIZES.values(), UNTRAINED)
    }


def demo_table(cmrs: Mapping[float, CMR]) -> pd.DataFrame:
    """Tabulate the answers: one row per size and estimand, the columns of ``demo/cmr.csv``.

    Parameters
    ----------
    cmrs : mapping from size to CMR
        From :func:`demo_cmrs`.

    Returns
    -------
    DataFrame
        size, domain, tokens, tolerance, estimand, median, lower, upper, prob, published (NaN
        where there is nothing to compare with), safe_ratio, risk.
    """
    rows = []
    for size, cmr in cmrs.items():
        for estimand in ESTIMANDS:
            summary = cmr.summary(estimand)
            known = estimand in _PUBLISHED and size != UNTRAINED
            rows.append(
                {
                    "size": size,
                    "domain": DOMAIN,
                    "tokens": gu2024.BUDGET,
                    "tolerance": gu2024.TOLERANCE,
                    "estimand": estimand,
                    "median": summary.median,
                    "lower": summary.lower,
                    "upper": summary.upper,
                    "prob": PROB,
                    "published": gu2024.published_cmr(size) if known else np.nan,
                    "safe_ratio": cmr.decide(RISK, estimand),
                    "risk": RISK,
                }
            )
    return pd.DataFrame(rows)[_COLUMNS]


def write_table(table: pd.DataFrame, path: Path) -> Path:
    """Write the table, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    table.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    os.replace(partial, path)
    return path


def write_figures(posterior: Posterior, folder: Path) -> list[Path]:
    """Draw the figures of the demonstration.

    Returns
    -------
    list of Path
        PNG and PDF of the trajectories, of the CMR against tokens and against size.
    """
    from bayescmr.report import plot_cmr_size, plot_cmr_tokens, plot_trajectories, style

    published = pd.DataFrame(
        [
            {"size": size, "tokens": gu2024.BUDGET, "ratio": gu2024.published_cmr(size)}
            for size in gu2024.SIZES.values()
        ]
    )
    files: list[Path] = []
    with style.paper():
        figure = style.new_figure(style.PAGE, 5.6)
        plot_trajectories(posterior, domain=DOMAIN, ax=figure.subplots(2, 2).ravel())
        files += style.save(figure, folder, "trajectories")

        figure = style.new_figure(style.COLUMN, 3.0)
        plot_cmr_tokens(
            posterior,
            domain=DOMAIN,
            sizes=[*gu2024.SIZES.values(), UNTRAINED],
            tokens=[float(t) for t in np.geomspace(2e9, 3 * gu2024.BUDGET, 30)],
            tolerance=gu2024.TOLERANCE,
            estimand="turning_point",
            points=published,
            ax=figure.subplots(),
        )
        files += style.save(figure, folder, "cmr_tokens")

        figure = style.new_figure(style.COLUMN, 3.0)
        plot_cmr_size(
            posterior,
            domain=DOMAIN,
            tokens=gu2024.BUDGET,
            tolerance=gu2024.TOLERANCE,
            estimand="turning_point",
            points=published,
            ax=figure.subplots(),
        )
        files += style.save(figure, folder, "cmr_size")
    return files
