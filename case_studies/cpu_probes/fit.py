"""Posterior CMR of every size and domain of the grid, and the decisions that it supports.

    python case_studies/cpu_probes/fit.py

Writes results.json and the figures. Needs runs.csv only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grid

import bayescmr as bc

HERE = Path(__file__).parent
TOLERANCE = 0.05
#: Allowed probability that a new run breaks the tolerance: safe, even odds, and hardly ever kept.
RISKS = (0.1, 0.5, 0.9)
PROB = 0.9


def fitted() -> dict[str, Any]:
    """Fit every law, and the stack of them by leave-one-run-out."""
    runs = bc.read_runs(HERE / "runs.csv")
    comparison = bc.compare(runs, models=("turning_point", "shift_gain"), seed=1)
    return {**comparison.posteriors, "stacked": comparison.stacked}


def cells(runs: bc.RunTable) -> list[tuple[float, str]]:
    """Return sizes and domains."""
    return [(size, domain) for size in runs.sizes for domain in runs.domains]


def answer(posterior: Any, size: float, domain: str) -> dict[str, Any]:
    """Ask one posterior for one cell."""
    cmr = posterior.cmr(
        bc.Target(size=size, domain=domain, tokens=grid.TOKENS, tolerance=TOLERANCE)
    )
    interval = cmr.interval(PROB, estimand="tolerance")
    return {
        "size": size,
        "domain": domain,
        "median": cmr.median,
        "lower": interval[0],
        "upper": interval[1],
        "prob": PROB,
        "ratio_at_risk": {f"{risk:g}": cmr.decide(risk=risk) for risk in RISKS},
    }
