"""Does the promise hold? Fresh probes at the ratios that the posterior calls safe, and above.

    python case_studies/cpu_probes/verify.py --work build/cpu_probes --workers 2

Reads predictions.json, which was written before any of these runs was made. For every size and
domain, at the ratios whose risk of breaking the tolerance is 0.1, 0.5 and 0.9 by the stacked
posterior, it trains with data seeds that the fit has never seen. Writes fresh.csv (the run table)
and verification.json.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import grid
from fit import TOLERANCE
from scipy.stats import binom

import bayescmr as bc

HERE = Path(__file__).parent
#: Data seeds of the fresh runs; the fit has seen 1, 2, 11, 12, 21 and 22.
SEEDS = (101, 102)


def fresh(predictions: dict[str, Any]) -> list[tuple[float, grid.Probe]]:
    """Return risk and probe of every fresh run. Ratios are rounded down to 1e-4."""
    sizes = sorted({one["size"] for one in predictions["answers"]["stacked"]})
    names = dict(zip(sizes, grid.SIZES, strict=True))
    return [
        (
            float(risk),
            grid.Probe(names[one["size"]], one["domain"], math.floor(1e4 * ratio) / 1e4, seed),
        )
        for one in predictions["answers"]["stacked"]
        for risk, ratio in one["ratio_at_risk"].items()
        for seed in SEEDS
    ]


def judged(predictions: dict[str, Any]) -> list[dict[str, Any]]:
    """Return for each fresh run what was promised and what came."""
    rises = bc.read_runs(HERE / "fresh.csv").select("general")
    rises = rises[rises["tokens"] == grid.TOKENS]
    sizes = sorted(rises["size"].unique())
    found = []
    for risk, probe in fresh(predictions):
        row = rises[
            (rises["size"] == sizes[grid.SIZES.index(probe.size)])
            & (rises["domain"] == probe.domain)
            & ((rises["ratio"] - probe.ratio).abs() < 1e-9)
            & (rises["seed"] == probe.seed)
        ]
        rise = float(row["change"].item())
        found.append({**vars(probe), "risk": risk, "rise": rise, "held": rise <= TOLERANCE})
    return found


def counts(runs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return by risk how often the tolerance held."""
    found = {}
    for risk in sorted({one["risk"] for one in runs}):
        held = [one["held"] for one in runs if one["risk"] == risk]
        promised = round(1 - risk, 10)
        found[f"{risk:g}"] = {
            "promised": promised,
            "held": sum(held),
            "runs": len(held),
            "range": expected_range(promised, len(held)),
        }
    return found


def expected_range(promised: float, runs: int) -> list[int]:
    """Return a range that a count of kept promises lies in with 90 % at least, equal-tailed.

    As if runs were independent. Those of one cell share their posterior error, so counts
    scatter more.
    """
    return [int(binom.ppf(q, runs, promised)) for q in (0.05, 0.95)]


def main() -> None:
    """Train, measure, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path("build/cpu_probes"))
    parser.add_argument("--workers", type=int, default=2)
    words = parser.parse_args()
    predictions = json.loads((HERE / "predictions.json").read_text(encoding="utf-8"))
    commands = [grid.probe_command(words.work, probe, "fresh") for _, probe in fresh(predictions)]
    grid.run_all(commands, words.workers)
    grid.run_all([["collect", str(words.work / "fresh"), "--out", str(HERE / "fresh.csv")]], 1)
    runs = judged(predictions)
    data = {"tolerance": TOLERANCE, "by_risk": counts(runs), "runs": runs}
    (HERE / "verification.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    for risk, one in data["by_risk"].items():
        print(f"risk {risk}: held {one['held']} of {one['runs']}, promised {one['promised']:.0%}")


if __name__ == "__main__":
    main()
