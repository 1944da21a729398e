"""Simulation-based calibration: intervals hold the truth as often as they say, or do not.

Draw parameters from the prior, simulate a run table, fit it, and rank the
truth among draws of the posterior. If prior, simulator, sampler and
post-processing agree, every rank is uniform: Talts et al. 2018, arXiv
1804.06788. The log likelihood joins the quantities, since it sees errors that
no parameter alone shows: Modrak et al. 2023, doi 10.1214/23-BA1404.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.journal import Journal, Record
from bayescmr.checks.mapping import Executor, map_indices
from bayescmr.checks.sbc_result import SBCResult
from bayescmr.checks.uniformity import rank
from bayescmr.cmr import Target
from bayescmr.cmr.extrapolation import SIZE_FACTOR, TOKENS_FACTOR
from bayescmr.errors import CheckError
from bayescmr.model.settings import Settings
from bayescmr.model.spec import ModelSpec, load_model
from bayescmr.posterior import Posterior, fit, prior_predictive, simulate_runs
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]

#: L of Talts et al.: a converged fit has 400 effective draws or more, so 99 of them, evenly
#: spaced, are nearly independent, and a rank is a percentile.
RANKED_DRAWS = 99
TOLERANCE = 0.05
LOG_LIKELIHOOD = "log likelihood"
#: Packages whose version may change a draw.
_PACKAGES = ("bayescmr", "nutpie", "numba", "numpy", "scipy")


def default_design() -> RunTable:
    """Return a small design: 2 sizes x 4 ratios x 8 checkpoints, one domain, the general loss."""
    rows = [
        {
            "run": f"{size:g}-{ratio}",
            "size": size,
            "domain": "law",
            "ratio": ratio,
            "tokens": tokens,
            "change_general": 0.0,
        }
        for size in (1e8, 4e8)
        for ratio in (0.1, 0.3, 0.5, 0.8)
        for tokens in np.geomspace(1e9, 20e9, 8)
    ]
    return RunTable.from_frame(pd.DataFrame(rows), source="default design")


@dataclass(frozen=True)
class Simulation:
    """One simulation as a function of its index, the same wherever it runs.

    Parameters
    ----------
    model : ModelSpec
        Simulated from and fitted.
    runs : RunTable
        Design; its losses are not looked at.
    seed : int
        Of the study.
    draws, tune : int
        Kept and warm-up draws of each of four chains.
    """

    model: ModelSpec
    runs: RunTable
    seed: int
    draws: int = Settings.draws
    tune: int = Settings.tune

    @property
    def targets(self) -> dict[str, Target]:
        """Where the CMR is asked: at the largest probed size and tokens, and beyond both."""
        rows = self.runs.select("general")
        size, tokens = float(rows["size"].max()), float(rows["tokens"].max())
        domain = str(rows["domain"].iloc[0])
        return {
            "probed": Target(size, domain, tokens, TOLERANCE),
            "unprobed": Target(SIZE_FACTOR * size, domain, TOKENS_FACTOR * tokens, TOLERANCE),
        }

    def header(self) -> dict[str, Any]:
        """All that a result depends on, besides its index."""
        return {
            "bayescmr_sbc": 1,
            "model": self.model.name,
            "model_fingerprint": self.model.fingerprint,
            "design": self.runs.source,
            "design_fingerprint": self.runs.fingerprint,
            "seed": self.seed,
            "draws": self.draws,
            "tune": self.tune,
            "chains": Settings.chains,
            "target_accept": Settings.target_accept,
            "retries": Settings.retries,
            "ranked_draws": RANKED_DRAWS,
            "targets": {name: asdict(target) for name, target in self.targets.items()},
            "versions": {name: version(name) for name in _PACKAGES},
            "quantities": list(self.quantities(self._prior(self.seed), self.runs.frame, [0])),
        }

    def _prior(self, seed: int) -> Posterior:
        return prior_predictive(self.runs, self.model, seed=seed, draws=1)

    def quantities(
        self, posterior: Posterior, frame: pd.DataFrame, draws: list[int]
    ) -> dict[str, Float]:
        """Everything that is ranked, by name, each of shape (draws,)."""
        found: dict[str, Float] = {}
        for block in posterior.blocks.values():
            for name, values in block.quantities().items():
                found[name] = values.ravel()[draws]
        for where, target in self.targets.items():
            for estimand, values in posterior.cmr(target).draws.items():
                found[f"CMR {estimand}, {where} target"] = values.ravel()[draws]
        by_loss = [
            run_log_likelihood(block.take(draws), frame[frame["role"] == role])[1].sum(axis=0)
            for role, block in posterior.blocks.items()
        ]
        found[LOG_LIKELIHOOD] = np.sum(by_loss, axis=0)
        return found

    def __call__(self, index: int) -> Record:
        """Simulate, fit and rank.

        An error is a result too: what cannot be fitted is counted and shown.
        """
        started = time.perf_counter()
        # Three independent streams: prior, noise, and fit with all that follows from it.
        seeds = [int(s) for s in np.random.SeedSequence([self.seed, index]).generate_state(3)]
        record: Record = {"index": index, "largest_change": None, "error": None}
        try:
            prior = self._prior(seeds[0])
            frame = simulate_runs(prior, draw=0, seed=seeds[1])
            record["largest_change"] = float(np.abs(frame["change"]).max())
            posterior = fit(
                RunTable.from_frame(frame),
                seed=seeds[2],
                model=self.model,
                draws=self.draws,
                tune=self.tune,
                cores=1,
            )
        # Whatever goes wrong in one simulation of hundreds must be counted, not end the study.
        except Exception as error:
            record["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            record |= self._ranks(prior, posterior, frame, seeds[2])
        return record | {"seconds": round(time.perf_counter() - started, 2)}

    def _ranks(
        self, prior: Posterior, posterior: Posterior, frame: pd.DataFrame, seed: int
    ) -> Record:
        n = posterior.general.n_draws
        thinned = [int(i) for i in np.linspace(0, n - 1, RANKED_DRAWS).round()]
        rng = np.random.default_rng([seed, 5])
        truths = self.quantities(prior, frame, [0])
        found = self.quantities(posterior, frame, thinned)
        verdict = posterior.verdict
        statistics = [block.statistics for block in posterior.blocks.values()]
        return {
            "converged": verdict.converged,
            "problems": list(verdict.problems),
            "leapfrog_steps": float(np.mean([s["n_steps"].mean() for s in statistics])),
            "attempts": {
                role: len(made) for role, made in posterior.provenance.settings["attempts"].items()
            },
            "ranks": [rank(found[name], float(truths[name][0]), rng) for name in truths],
        }


def sbc(
    model: str | ModelSpec = "turning_point",
    *,
    seed: int,
    simulations: int = 200,
    runs: RunTable | None = None,
    out: str | Path | None = None,
    draws: int = Settings.draws,
    tune: int = Settings.tune,
    executor: Executor = "processes",
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> SBCResult:
    """Check the calibration of a model by simulation.

    Parameters
    ----------
    model : str or ModelSpec
        Name, path or specification.
    seed : int
        Simulation i of a seed is the same in every study, on every executor.
    simulations : int
        How many.
    runs : RunTable, optional
        Design, whose losses are not looked at. Default: 2 sizes, 4 ratios, 8 checkpoints.
    out : path, optional
        File (.jsonl) of results. If it has some of the same study, these are kept.
    draws, tune : int
        Of each of the four chains of a fit.
    executor : {"processes", "ray", "serial"}
        Where simulations run, see :func:`bayescmr.checks.mapping.map_indices`; a script that uses
        ``processes`` needs ``if __name__ == "__main__"``.
    workers : int, optional
        How many at once.
    progress : callable, optional
        Told the number of finished simulations.

    Returns
    -------
    SBCResult
        Verdict, one test per quantity, and what failed.

    Raises
    ------
    CheckError
        Results in ``out`` are of another study, or a worker died.
    ModelError
        Unknown model.
    """
    count: Any = simulations
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise CheckError(f"simulations: got {simulations!r}, expected a whole number >= 1")
    spec = model if isinstance(model, ModelSpec) else load_model(model)
    task = Simulation(spec, default_design() if runs is None else runs, seed, draws, tune)
    header = task.header()
    if out is None:
        records: dict[int, Record] = {}
        for record in map_indices(task, range(simulations), executor=executor, workers=workers):
            records[record["index"]] = record
            if progress:
                progress(len(records))
        return SBCResult(header, [records[i] for i in sorted(records)])
    with Journal(Path(out), header) as journal:
        wanted = [i for i in range(simulations) if i not in journal.records]
        if progress:
            progress(simulations - len(wanted))
        for record in map_indices(task, wanted, executor=executor, workers=workers):
            journal.append(record)
            if progress:
                progress(sum(i < simulations for i in journal.records))
        return SBCResult(header, [journal.records[i] for i in range(simulations)])
