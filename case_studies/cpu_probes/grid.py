"""The grid: which bases and probes there are, each made by one `bayescmr probe` command.

    python case_studies/cpu_probes/grid.py --work build/cpu_probes --workers 2

A run that is done is not made again, and one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZES = ("25k", "100k", "330k")
DOMAINS = ("legal", "code")
RATIOS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)
BASE_TOKENS = 2_500_000
TOKENS = 524_288
#: A data seed for each domain: its runs share the order of their replay, and the two runs at
#: R = 0 of one size are two runs.
SEEDS = {"legal": 1, "code": 2}
#: Settings with two further data seeds.
REPLICATED = (
    ("25k", "legal", 0.25),
    ("25k", "code", 0.25),
    ("100k", "legal", 0.5),
    ("100k", "code", 0.25),
    ("330k", "legal", 0.25),
)
#: Settings that are repeated from a second base.
SECOND_BASE = (("100k", "legal", 0.25), ("100k", "legal", 0.5), ("100k", "code", 0.25))
#: Run tables, and the folder whose results each holds.
TABLES = {"runs": "probes", "second_base": "second_base"}


@dataclass(frozen=True)
class Probe:
    """One run of the grid."""

    size: str
    domain: str
    ratio: float
    seed: int
    base_seed: int = 1


def probes() -> list[Probe]:
    """Return every run: the grid, its replicates, and those from the second base."""
    grid = [
        Probe(size, domain, ratio, SEEDS[domain])
        for size in SIZES
        for domain in DOMAINS
        for ratio in RATIOS
    ]
    replicates = [
        Probe(*setting, SEEDS[setting[1]] + 10 * k) for setting in REPLICATED for k in (1, 2)
    ]
    second = [Probe(*setting, SEEDS[setting[1]], base_seed=2) for setting in SECOND_BASE]
    return grid + replicates + second


def base_folder(work: Path, size: str, seed: int) -> Path:
    """Return where a base lies."""
    return work / "bases" / (size if seed == 1 else f"{size}-seed{seed}")


def base_command(work: Path, size: str, seed: int) -> list[str]:
    """Return the command that makes a base."""
    return [
        "base", "--size", size, "--general", str(work / "corpora" / "general"),
        "--tokens", str(BASE_TOKENS), "--seed", str(seed),
        "--out", str(base_folder(work, size, seed)),
    ]  # fmt: skip


def probe_command(work: Path, probe: Probe, out: str | None = None) -> list[str]:
    """Return the command that makes a probe."""
    if out is None:
        out = TABLES["runs" if probe.base_seed == 1 else "second_base"]
    return [
        "run", "--base", str(base_folder(work, probe.size, probe.base_seed)),
        "--general", str(work / "corpora" / "general"),
        "--domain-corpus", str(work / "corpora" / probe.domain),
        "--ratio", str(probe.ratio), "--tokens", str(TOKENS), "--seed", str(probe.seed),
        "--out", str(work / out),
    ]  # fmt: skip


def run_all(commands: list[list[str]], workers: int) -> None:
    """Run `bayescmr probe` commands, some at a time; stop at the first that fails."""

    def one(command: list[str]) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "bayescmr", "probe", *command],
            capture_output=True, text=True, env=environment,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"bayescmr probe {' '.join(command)}\n{done.stderr}")
        print("done:", " ".join(command), flush=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, commands))


def costs(work: Path) -> dict[str, Any]:
    """Return what the bases are, and what base and probe of each size cost."""
    found = {}
    for size in SIZES:
        base = json.loads((base_folder(work, size, 1) / "result.json").read_text())
        probes = [
            result
            for path in (work / TABLES["runs"]).glob("*/result.json")
            if (result := json.loads(path.read_text()))["size"] == base["size"]
        ]
        found[size] = {
            "size": base["size"],
            "base_loss": base["measurements"][-1]["loss"],
            "last_learning_rate": base["config"]["training"]["final_learning_rate"],
            "base_cpu_seconds": base["seconds"]["cpu"],
            "probes": len(probes),
            "probe_cpu_seconds": statistics.median(p["seconds"]["cpu"] for p in probes),
            "general_se": statistics.median(
                row["change_se"]
                for p in probes
                for row in p["measurements"]
                if row["role"] == "general" and row["tokens"] == TOKENS and p["domain_share"] < 1
            ),
        }
    return found


def main() -> None:
    """Make corpora, bases and probes, then the run table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, default=Path("build/cpu_probes"))
    parser.add_argument("--workers", type=int, default=2)
    words = parser.parse_args()
    run_all([["corpora", "general", *DOMAINS, "--out", str(words.work / "corpora")]], 1)
    bases = sorted({(probe.size, probe.base_seed) for probe in probes()})
    run_all([base_command(words.work, *base) for base in bases], words.workers)
    run_all([probe_command(words.work, probe) for probe in probes()], words.workers)
    for table, folder in TABLES.items():
        run_all([["collect", str(words.work / folder), "--out", str(HERE / f"{table}.csv")]], 1)
    text = json.dumps(costs(words.work), indent=2)
    (HERE / "costs.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
