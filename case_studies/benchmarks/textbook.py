"""The same model the obvious way: plain PyMC, every run effect a parameter, independent residuals.

Law, hierarchy, priors and noise scales are those of ``models/turning_point.yaml``,
read from it, at the same reference point. Run offsets u and slopes v are sampled;
the residual is independent between checkpoints. It leaves out the drift of a run,
which would add a sampled path to every run: to the advantage of the textbook.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

import bayescmr as bc
from bayescmr.model.data import hierarchy_of, reference_of
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import FACTORS, NOISE, BlockSpec, ModelSpec, load_model
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.priors import Prior


@dataclass(frozen=True)
class Textbook:
    """A PyMC model and what leads back from its draws to a posterior."""

    model: pm.Model
    spec: ModelSpec
    hierarchy: Hierarchy
    runs: bc.RunTable

    @property
    def block(self) -> BlockSpec:
        """Priors of the general loss."""
        return self.spec.blocks["general"]


def textbook(runs: bc.RunTable) -> Textbook:
    """Write the model of the general loss of a table down as a textbook would."""
    spec = load_model("turning_point")
    block = spec.blocks["general"]
    rows = runs.select("general")
    reference = reference_of(runs.frame)
    hierarchy = hierarchy_of(rows, block.size_length, reference)
    firsts = rows.drop_duplicates("run").set_index("run")
    run = firsts.index.get_indexer(rows["run"])
    groups = firsts[["size", "domain", "eval_set"]].itertuples(index=False, name=None)
    design = hierarchy.design(list(groups))
    x = np.log(rows["tokens"].to_numpy() / reference.tokens)
    # Scatter of a run without replay is wider.
    no_replay = (firsts["ratio"] == 1.0).to_numpy(dtype=float)
    coords = {
        "parameter": [p.name for p in block.parameters],
        "term": hierarchy.terms,
        "factor": list(FACTORS),
        "quantity": list(NOISE),
        "run": firsts.index.to_list(),
    }
    with pm.Model(coords=coords) as model:
        raw = pm.Normal("raw", dims=("parameter", "term"))
        spread = pm.Normal("spread", sigma=block.effect_spread, dims=("parameter", "factor"))
        noise = pm.Normal("noise", block.noise_mean, block.noise_scale, dims="quantity")
        effect_sd = block.effect_median * pt.exp(spread)
        sd = pt.concatenate(
            [np.sqrt(block.variances[:, :2]), (effect_sd @ hierarchy.factor_columns)[:, 2:]], axis=1
        )
        mean = np.zeros((len(block.parameters), len(hierarchy.terms)))
        mean[:, 0] = block.prior_mean
        coef = pm.Deterministic("coef", mean + sd * raw, dims=("parameter", "term"))
        sampled = coef @ design.T
        theta = {p.name: p.natural(sampled[i], pt)[run] for i, p in enumerate(block.law.parameters)}
        curve = block.law.change(
            theta, rows["tokens"].to_numpy(), rows["ratio"].to_numpy(), reference, pt
        )
        widen = pt.exp(noise[NOISE.index("no_replay_factor")] * no_replay)
        u = pm.Normal("u_raw", dims="run") * widen * pt.exp(noise[NOISE.index("run_offset")])
        v = pm.Normal("v_raw", dims="run") * widen * pt.exp(noise[NOISE.index("run_slope")])
        scatter = pt.exp(noise[NOISE.index("residual")])
        sigma = pt.sqrt(scatter**2 + rows["se"].to_numpy() ** 2)
        pm.Normal("change", curve + u[run] + v[run] * x, sigma, observed=rows["change"].to_numpy())
    return Textbook(model, spec, hierarchy, runs)


def sample(book: Textbook, sampler: str, seed: int, **settings: Any) -> tuple[Posterior, float]:
    """Sample with the defaults of PyMC on one core; the posterior and its leapfrog steps a draw."""
    with book.model, warnings.catch_warnings():
        # R-hat and divergences are reported by us; JAX sees one device where there is one core.
        warnings.simplefilter("ignore")
        tree = pm.sample(
            nuts_sampler=sampler,
            chains=4,
            cores=1,
            random_seed=seed,
            progressbar=False,
            compute_convergence_checks=False,
            **settings,
        )
    draws = tree["posterior"].to_dataset()
    statistics = tree["sample_stats"].to_dataset()
    kept = {"diverging": statistics["diverging"].astype(np.int8), "energy": statistics["energy"]}
    block = BlockPosterior(
        spec=book.block,
        hierarchy=book.hierarchy,
        coef=draws["coef"].to_numpy(),
        ln_effect_sd=np.log(book.block.effect_median) + draws["spread"].to_numpy(),
        noise=draws["noise"].to_numpy(),
        statistics=xr.Dataset(kept),
        seed=seed,
    )
    provenance = Provenance.of(book.runs, seed, {"sampler": sampler})
    posterior = Posterior(book.spec, {"general": block}, book.runs.frame, provenance)
    return posterior, float(statistics["n_steps"].mean())


def driftless(spec: ModelSpec) -> ModelSpec:
    """Our model without the drift that the textbook lacks, for comparing posteriors."""
    block = spec.blocks["general"]
    # Next to nothing: runs at R = 1 multiply the drift by a factor that may grow to hundreds.
    noise = {**block.noise, "measurement_share": Prior("logitnormal", 1.0 - 1e-12, 0.1)}
    return replace(spec, blocks={"general": replace(block, noise=noise)})
