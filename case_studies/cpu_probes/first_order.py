"""The first-order critical ratio against the zero of the general-loss change after few steps.

    python case_studies/cpu_probes/first_order.py --work build/cpu_probes

For every base and domain: `influence`, then real runs of 32 steps with AdamW as CPT has it (kept
moments), three data seeds at each ratio; the change of the general loss after 2, 8 and 32 steps
is averaged over the seeds and its zero in R found by linear interpolation. Writes
first_order.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import grid
import numpy as np
import torch

from bayescmr.probes import CorpusUse, Execution, ProbeConfig, run
from bayescmr.probes.defaults import probe_training
from bayescmr.probes.influence import influence

HERE = Path(__file__).parent
RATIOS = (0.0, 0.25, 0.5, 1.0)
SEEDS = (201, 202, 203)
STEPS = 32
#: Learning rates, in units of that at which the base ended: as in CPT, and nearly infinitesimal.
RATES = (1.0, 0.1)
#: Larger batches than the grid's, to see the mean of a step and not its noise.
SEQUENCES = 64
PROB = 0.9


def zero(changes: np.ndarray) -> float:
    """Return the first ratio at which the change becomes positive; 0 or 1 where there is none."""
    if changes[0] > 0:
        return 0.0
    above = np.flatnonzero(changes > 0)
    if not above.size:
        return 1.0
    k = above[0]
    low, high = changes[k - 1], changes[k]
    return float(RATIOS[k - 1] + (RATIOS[k] - RATIOS[k - 1]) * -low / (high - low))


def study(work: Path, size: str, domain: str, rate: float) -> dict[str, Any]:
    """Compare both for one base, domain and learning rate, in units of the base's last rate."""
    base = grid.base_folder(work, size, 1)
    training = probe_training(base, 1)
    training = replace(
        training,
        learning_rate=rate * training.learning_rate,
        sequences=SEQUENCES,
        warmup_tokens=0,
    )
    tokens = STEPS * training.tokens_per_step
    config = ProbeConfig(
        base=str(base),
        domain=domain,
        domain_corpora=(CorpusUse(str(work / "corpora" / domain)),),
        general=(CorpusUse(str(work / "corpora" / "general")),),
        ratio=0.0,
        tokens=tokens,
        seed=SEEDS[0],
        training=training,
        checkpoints=4,
    )
    found = {
        name: influence(config, batches=32, sequences=32, preconditioner=name)
        for name in ("adam", "identity")
    }
    changes: dict[int, list[list[float]]] = {}
    for ratio in RATIOS:
        by_step: dict[int, list[float]] = {}
        for seed in SEEDS:
            result = run(
                replace(config, ratio=ratio, seed=seed), work / "first", Execution(device="cpu")
            )
            rows = [r for r in result.data["measurements"] if r["role"] == "general"]
            for row in rows[1:]:
                step = row["tokens"] // training.tokens_per_step
                by_step.setdefault(step, []).append(row["loss"] - rows[0]["loss"])
        for step, values in by_step.items():
            changes.setdefault(step, []).append(values)
    return {
        "size": size,
        "domain": domain,
        "rate": rate,
        "prob": PROB,
        "influence": {
            name: dict(zip(("lower", "upper"), one.interval(PROB), strict=True), ratio=one.ratio)
            for name, one in found.items()
        },
        "zero_after_steps": {
            str(step): zero(np.array(values).mean(axis=1)) for step, values in changes.items()
        },
        "change_after_steps": {str(step): values for step, values in changes.items()},
    }


def main() -> None:
    """Run the study and write its result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path("build/cpu_probes"))
    words = parser.parse_args()
    torch.set_num_threads(1)
    results = []
    for size, domain, rate in product(("25k", "100k"), grid.DOMAINS, RATES):
        results.append(study(words.work, size, domain, rate))
        print({k: v for k, v in results[-1].items() if k != "change_after_steps"}, flush=True)
        text = json.dumps({"ratios": RATIOS, "seeds": SEEDS, "results": results}, indent=2)
        (HERE / "first_order.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
