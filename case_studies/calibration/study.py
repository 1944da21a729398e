"""Coverage of CMR intervals where it hurts: ours, without run effects, by bootstrap, stacked laws.

    python case_studies/calibration/study.py --replicates 60 --workers 2

Results of replicates go to build/calibration/, where a killed run goes on; the
summary goes to docs/calibration/coverage.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from least_squares import REPLICATES, Curve
from scenarios import SCENARIOS, TOLERANCE
from worlds import NARROW, variant

from bayescmr.checks.journal import Journal
from bayescmr.checks.mapping import map_indices
from bayescmr.cmr import CMR
from bayescmr.comparison.loo import leave_one_run_out
from bayescmr.comparison.weights import stacking_weights
from bayescmr.model.settings import Settings
from bayescmr.model.spec import ModelSpec
from bayescmr.posterior import Posterior, fit
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import interval
from bayescmr.posterior.stacked import StackedPosterior
from bayescmr.runs import RunTable

ROOT = Path(__file__).resolve().parents[2]
PROBS = (0.5, 0.8, 0.9)
ESTIMANDS = ("tolerance", "turning_point")
SEED = 1
#: Run effects off: what is left of a checkpoint is measurement error alone.
IID = {
    "run_offset": (1e-7, 0.1),
    "run_slope": (1e-7, 0.1),
    "measurement_share": (1 - 1e-9, 0.1),
}
#: Ends of intervals are found to 1e-9.
_XTOL = 2e-9


def _fit(
    model: str | ModelSpec, runs: RunTable, seed: int, retries: int = Settings.retries
) -> Posterior:
    return fit(runs, seed=seed, model=model, retries=retries, cores=1)


def _stacked(fits: list[Posterior]) -> Answers:
    """Weigh fits by what they predict of left-out runs, as ``bayescmr.compare`` does."""
    good = {fit.model.name: fit for fit in fits if fit.converged}
    if len(good) < 2:
        return next(iter(good.values()), fits[0])
    loos = [leave_one_run_out(fit) for fit in good.values()]
    weights, _ = stacking_weights(np.array([loo.table["elpd"].to_numpy(float) for loo in loos]))
    return StackedPosterior.of(good, dict(zip(good, weights, strict=True)), {})


@dataclass(frozen=True)
class Replicate:
    """One replicate of one scenario, as a function of its index over both."""

    names: tuple[str, ...]

    def __call__(self, index: int) -> dict[str, Any]:
        """Simulate, then ask every method for its intervals."""
        number, which = divmod(index, len(self.names))
        name = self.names[which]
        scenario = SCENARIOS[name]
        # By name, so that a new scenario leaves the replicates of the others alone.
        entropy = [SEED, number, *name.encode()]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0] // 2)
        runs, truth = scenario.simulate(seed)
        ours = _fit(scenario.fitted, runs, seed + 2)
        answers: dict[str, Answers] = {
            "ours": ours,
            # Too sharp to converge more often than not; nobody who fits so would try again.
            "iid": _fit(variant(scenario.fitted, noise=IID), runs, seed + 2, retries=0),
            "bootstrap": Curve(variant(scenario.fitted), runs).bootstrap(seed + 2),
        }
        if scenario.other:
            answers["stacked"] = _stacked([ours, _fit(scenario.other, runs, seed + 2)])
        methods: dict[str, Any] = {}
        for method, posterior in answers.items():
            cmr = posterior.cmr(scenario.target)
            converged = method == "bootstrap" or posterior.converged
            methods[method] = _record(cmr, converged)
            # By least squares runs have no effects: the next run is their mean.
            if method in ("ours", "stacked"):
                methods[f"{method}_next"] = _record(cmr.next_run, converged)
        return {"index": index, "scenario": name, "truth": truth, "methods": methods}


def _record(cmr: CMR, converged: bool) -> dict[str, Any]:
    return {
        "converged": converged,
        "intervals": {
            e: {f"{p:g}": interval(cmr.draws[e].ravel(), p) for p in PROBS} for e in ESTIMANDS
        },
    }


def summarise(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Coverage and mean width with their Monte Carlo errors, by scenario, method and estimand.

    ``stretch`` is the factor by which all intervals of a kind would have to be stretched about
    their middles to cover as often as they say.
    """
    found: dict[str, Any] = {}
    for name, scenario in SCENARIOS.items():
        own = [r for r in records if r["scenario"] == name]
        if not own:
            continue
        truths = {e: np.array([r["truth"][e] for r in own]) for e in ESTIMANDS}
        methods = list(own[0]["methods"])
        found[name] = {
            "title": scenario.title,
            "what": scenario.what,
            "replicates": len(own),
            "truth": {
                e: {
                    "median": float(np.median(v)),
                    "at_zero": float((v == 0).mean()),
                    "at_one": float((v == 1).mean()),
                }
                for e, v in truths.items()
            },
            "not_converged": {
                m: sum(not r["methods"][m]["converged"] for r in own) for m in methods
            },
            "methods": {
                m: {e: _coverage(own, m, e, truths[e]) for e in ESTIMANDS} for m in methods
            },
        }
    return found


def _coverage(
    records: list[dict[str, Any]], method: str, estimand: str, truth: np.ndarray
) -> dict[str, Any]:
    answer = {}
    for p in PROBS:
        ends = np.array([r["methods"][method]["intervals"][estimand][f"{p:g}"] for r in records])
        hit = (ends[:, 0] - _XTOL <= truth) & (truth <= ends[:, 1] + _XTOL)
        width = ends[:, 1] - ends[:, 0]
        n = len(records)
        # How many times wider, about its middle, each interval would just have held the truth.
        off = np.abs(truth - ends.mean(axis=1))
        needed = np.where(hit & (width == 0), 0.0, off / np.maximum(0.5 * width, 1e-12))
        stretch = float(np.quantile(needed, p))
        answer[f"{p:g}"] = {
            "hits": int(hit.sum()),
            "coverage": float(hit.mean()),
            # Of the nominal value: that of the observed one is 0 where all are hit.
            "mc_error": float(np.sqrt(p * (1 - p) / n)),
            "width": float(width.mean()),
            # None where a point would have to become an interval.
            "stretch": stretch if stretch < 1e6 else None,
            "width_mc_error": float(width.std(ddof=1) / np.sqrt(n)) if n > 1 else None,
        }
    return answer


def header(names: tuple[str, ...]) -> dict[str, Any]:
    """All that a replicate depends on."""
    return {
        "coverage": 2,
        "seed": SEED,
        "bootstrap_replicates": REPLICATES,
        "tolerance": TOLERANCE,
        "prior_narrowed_to": NARROW,
        "scenarios": list(names),
    }


def main() -> None:
    """Run what is missing, then write the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--executor", default="processes", choices=("processes", "ray", "serial"))
    parser.add_argument("--results", type=Path, default=ROOT / "build/calibration/coverage.jsonl")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/calibration/coverage.json")
    options = parser.parse_args()
    names = tuple(SCENARIOS)
    with Journal(options.results, header(names)) as journal:
        # Round after round over all scenarios: a study cut short has the same number of each.
        total = options.replicates * len(names)
        wanted = [i for i in range(total) if i not in journal.records]
        task = Replicate(names)
        for done, record in enumerate(
            map_indices(task, wanted, executor=options.executor, workers=options.workers), 1
        ):
            journal.append(record)
            print(f"{done} of {len(wanted)}: {record['scenario']}", flush=True)
        records = [journal.records[i] for i in range(total)]
    summary = {"study": header(names), "scenarios": summarise(records)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(summary, indent=2) + "\n")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
