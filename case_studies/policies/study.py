"""Which policy finds the critical ratio for the fewest FLOPs, and whether its answer holds.

    python case_studies/policies/study.py prior --worlds 100 --workers 2
    python case_studies/policies/study.py misspecified --worlds 24 --workers 2
    python case_studies/policies/study.py posterior --worlds 15 --workers 2
    python case_studies/policies/study.py replay --worlds 5 --workers 2
    python case_studies/policies/study.py published --worlds 5 --workers 2

Every policy plays in every world: same first runs, same losses, same fits. Traces go to
build/policies/, where a killed study goes on; summary.py makes the numbers of the page of them.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from replays import REPLAYS, alike, grid_ratios, replay
from settings import COMPARED, GRID_RATIOS, POLICIES, RULES, SPACE, WRONG_LAW
from worlds import KINDS, misspecified, well_specified

from bayescmr.checks.journal import Journal
from bayescmr.checks.mapping import map_indices
from bayescmr.worlds import Rules, World, opening, play

ROOT = Path(__file__).resolve().parents[2]
#: Not 5: in those worlds the default was chosen, here it is judged.
SEED = 6
#: Of the code that chooses, fits and judges: a change there makes other traces, and another study.
VERSION = 4
PLAYED = {
    "prior": COMPARED,
    "misspecified": WRONG_LAW,
    "replay": COMPARED,
    "published": COMPARED,
    "posterior": COMPARED,
}
STUDIES: dict[str, tuple[str, ...]] = {
    "prior": ("well_specified",),
    "misspecified": tuple(KINDS),
    "replay": ("cpu_legal", "cpu_code"),
    "published": ("gu2024",),
    "posterior": ("cpu_legal", "cpu_code"),
}


@dataclass(frozen=True)
class Plays:
    """All policies in one world, as a function of its index over kinds and worlds.

    Parameters
    ----------
    study : str
        One of STUDIES.
    policies : tuple of str
        Names; the first of COMPARED alone plays in worlds whose CMR is 0 or 1, too.
    """

    study: str
    policies: tuple[str, ...]

    def world(self, index: int) -> tuple[str, int, World, Rules]:
        """Kind, seed, world and rules of an index."""
        number, which = divmod(index, len(STUDIES[self.study]))
        kind = STUDIES[self.study][which]
        seed = int(np.random.SeedSequence([SEED, number, *kind.encode()]).generate_state(1)[0] // 2)
        if self.study == "prior":
            return kind, seed, well_specified(seed), RULES
        if self.study == "misspecified":
            return kind, seed, misspecified(kind, seed), RULES
        if self.study == "posterior":
            return kind, seed, *alike(kind, seed)
        return kind, seed, *replay(kind)

    def __call__(self, index: int) -> dict[str, Any]:
        """Play."""
        started = time.perf_counter()
        kind, seed, world, rules = self.world(index)
        grid = grid_ratios(kind) if kind in REPLAYS else GRID_RATIOS
        opened = opening(world, rules, seed)
        # Where no ratio is critical there is nothing to reach: only calibration asks for a play.
        inside = 0.0 < world.truth < 1.0
        names = [name for name in self.policies if inside or name == COMPARED[0]]
        traces = {
            name: play(world, POLICIES[name](seed, grid), rules, seed, opened).to_dict()
            for name in names
        }
        return {
            "index": index,
            "kind": kind,
            "seed": seed,
            "truth": world.truth,
            "traces": traces,
            "seconds": round(time.perf_counter() - started, 1),
        }


def header(study: str, policies: tuple[str, ...]) -> dict[str, Any]:
    """All that a trace depends on."""
    rules = asdict(replace(RULES, stop=None, model="turning_point"))
    return {
        "version": VERSION,
        "policies": list(policies),
        "study": study,
        "kinds": list(STUDIES[study]),
        "seed": SEED,
        "rules": rules | {"stop": None if RULES.stop is None else asdict(RULES.stop)},
        "space": {
            "sizes": list(SPACE.sizes),
            "ratios": list(SPACE.ratios),
            "seeds": SPACE.seeds,
            "cost": asdict(SPACE.cost),
        },
    }


def run(study: str, options: argparse.Namespace) -> None:
    """Play what is missing."""
    policies = tuple(options.policies.split(",")) if options.policies else PLAYED[study]
    unknown = [name for name in policies if name not in POLICIES]
    if unknown:
        raise SystemExit(f"--policies: got {unknown[0]!r}, expected some of {', '.join(POLICIES)}")
    path = options.results or ROOT / "build/policies" / f"{study}.jsonl"
    with Journal(path, header(study, policies)) as journal:
        # Round after round over all kinds: a study cut short has the same number of each.
        numbers = range(options.first * len(STUDIES[study]), options.worlds * len(STUDIES[study]))
        wanted = [i for i in numbers if i not in journal.records]
        results = map_indices(
            Plays(study, policies), wanted, executor=options.executor, workers=options.workers
        )
        for done, record in enumerate(results, 1):
            journal.append(record)
            print(
                f"{done} of {len(wanted)}: {record['kind']} {record['index']},"
                f" truth {record['truth']:.3f}, {record['seconds']:.0f} s",
                flush=True,
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=tuple(STUDIES))
    parser.add_argument("--worlds", type=int, default=100, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first world")
    parser.add_argument("--policies", default="", help="names, with commas between; default: all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--executor", default="processes", choices=("processes", "ray", "serial"))
    parser.add_argument("--results", type=Path, help="file of traces")
    options = parser.parse_args()
    run(options.study, options)


if __name__ == "__main__":
    main()
