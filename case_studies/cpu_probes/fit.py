"""Posterior CMR of every size and domain of the grid, and the decisions that it supports.

    python case_studies/cpu_probes/fit.py

Needs runs.csv only. Writes predictions.json and the figures.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import grid

import bayescmr as bc

HERE = Path(__file__).parent
MODELS = ("turning_point", "shift_gain")
TOLERANCE = 0.05
#: Before, warm-up and the jump of the first steps show, which no law here describes.
MIN_TOKENS = 32_000
#: Allowed probability that a new run breaks the tolerance: safe, even odds, hardly ever kept.
RISKS = (0.1, 0.5, 0.9)
PROB = 0.9


@cache
def comparison() -> bc.Comparison:
    """Fit every law and weigh them by what they predict of left-out runs."""
    return bc.compare(table(), models=MODELS, seed=1, progress=print)


def table() -> bc.RunTable:
    """Return the run table of the grid."""
    return bc.read_runs(HERE / "runs.csv", min_tokens=MIN_TOKENS)


def answer(posterior: Any, size: float, domain: str) -> dict[str, Any]:
    """Ask one posterior for one cell."""
    target = bc.Target(size=size, domain=domain, tokens=grid.TOKENS, tolerance=TOLERANCE)
    cmr = posterior.cmr(target)
    summary = cmr.summary("tolerance", PROB)
    return {
        "size": size,
        "domain": domain,
        "tokens": grid.TOKENS,
        "tolerance": TOLERANCE,
        "median": summary.median,
        "lower": summary.lower,
        "upper": summary.upper,
        "prob": summary.prob,
        "kind": summary.kind,
        "converged": cmr.converged,
        "ratio_at_risk": {f"{risk:g}": cmr.decide(risk=risk) for risk in RISKS},
    }


def main() -> None:
    """Fit, ask, write."""
    runs = table()
    found = comparison()
    posteriors = {**found.fits, "stacked": found.stacked}
    data = {
        "runs": {"fingerprint": runs.fingerprint, "n_runs": runs.n_runs},
        "weights": found.weights,
        "answers": {
            name: [
                answer(posterior, size, domain) for domain in runs.domains for size in runs.sizes
            ]
            for name, posterior in posteriors.items()
        },
    }
    (HERE / "predictions.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    for name, answers in data["answers"].items():
        print(name, data["weights"].get(name, ""))
        for one in answers:
            print(
                f"  {one['domain']:6} {one['size']:8.0f} {one['median']:.3f}"
                f" [{one['lower']:.3f}, {one['upper']:.3f}] safe {one['ratio_at_risk']['0.1']:.3f}"
                f" converged {one['converged']}"
            )


if __name__ == "__main__":
    main()
