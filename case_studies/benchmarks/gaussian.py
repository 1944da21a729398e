"""Could a Gaussian approximation with importance weights replace sampling? The best one cannot.

    python case_studies/benchmarks/gaussian.py > case_studies/benchmarks/gaussian.json

Laplace, Pathfinder and variational fits all propose from a Gaussian, and are to be trusted
where the Pareto k-hat of their importance weights is at most 0.7 (Vehtari et al. 2024). No
Gaussian fits better than the one with the mean and covariance of the posterior itself,
taken here from the draws of NUTS in the coordinates in which chains move. Its k-hat is
what such a method could reach at best.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats

import bayescmr as bc
from bayescmr import gu2024
from bayescmr.model import density
from bayescmr.model.data import block_data, hierarchy_of, reference_of
from bayescmr.model.engine import prepare_block, sample_block
from bayescmr.model.settings import Settings, Timing
from bayescmr.model.spec import Role, load_model
from bayescmr.model.start import log_density
from bayescmr.posterior.predictive import simulate_runs

PROPOSALS = 4000
LIMIT = 0.7


def khat(runs: bc.RunTable, role: Role) -> dict[str, float]:
    """Pareto k-hat and effective share of proposals from the posterior's own Gaussian."""
    spec = load_model("turning_point").blocks[role]
    rows = runs.select(role)
    hierarchy = hierarchy_of(rows, spec.size_length, reference_of(runs.frame))
    prepared = prepare_block(spec, hierarchy, block_data(rows, hierarchy), 1, Timing())
    sampled = sample_block(prepared, Settings(seed=1, draws=2000), Timing())
    coordinates = sampled.coordinates
    kept = [sampled.posterior[name].to_numpy() for name in ("coef", "ln_effect_sd", "noise")]
    draws = coordinates.points(*(values.reshape(8000, *values.shape[2:]) for values in kept))
    model = density.nutpie_model(coordinates, {**prepared.runs, **coordinates.arrays()})
    factor = np.linalg.cholesky(np.cov(draws.T))
    normals = np.random.default_rng(1).standard_normal((PROPOSALS, draws.shape[1]))
    evaluate = log_density(model)
    target = np.array([evaluate(p)[0] for p in draws.mean(axis=0) + normals @ factor.T])
    log_weights = target + 0.5 * np.sum(normals**2, axis=1)
    # A proposal without density weighs nothing; the smoothing wants a number.
    log_weights = np.maximum(log_weights, log_weights.max() - 700.0)
    smoothed, k = array_stats.psislw(log_weights - log_weights.max())
    share = 1.0 / np.sum(np.exp(smoothed) ** 2) / PROPOSALS
    return {"dimension": draws.shape[1], "khat": float(k), "effective_share": float(share)}


def small_tables() -> Iterator[bc.RunTable]:
    """Two sizes, four ratios, eight checkpoints, from the prior."""
    rows = [
        {"run": f"{n:g}-{r}", "size": n, "domain": "law", "ratio": r, "tokens": t,
         "change_general": 0.0}
        for n in (1e8, 3e8)
        for r in (0.1, 0.3, 0.5, 0.8)
        for t in np.geomspace(1e9, 20e9, 8)
    ]  # fmt: skip
    prior = bc.prior_predictive(bc.RunTable.from_frame(pd.DataFrame(rows)), seed=11, draws=100)
    for i in range(5):
        yield bc.RunTable.from_frame(simulate_runs(prior, draw=20 * i, seed=i))


if __name__ == "__main__":
    published = bc.RunTable.from_frame(gu2024.trajectories())
    found = {
        "limit": LIMIT,
        "proposals": PROPOSALS,
        "published, general loss": khat(published, "general"),
        "published, domain loss": khat(published, "domain"),
    }
    for i, runs in enumerate(small_tables()):
        found[f"small table {i}, general loss"] = khat(runs, "general")
    print(json.dumps(found, indent=2))
