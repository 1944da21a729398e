"""Draws before data: from the prior, and tables of runs simulated from any draw."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from bayescmr.model.scales import covariance
from bayescmr.model.spec import ModelSpec, Role, load_model
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.runs import RunTable

_CHAINS = 4


def prior_predictive(
    runs: RunTable, model: str | ModelSpec = "turning_point", *, seed: int, draws: int = 1000
) -> Posterior:
    """Draw from the prior of a model at the design of a run table; losses are not looked at.

    Parameters
    ----------
    runs : RunTable
        Gives sizes, domains, evaluation sets and the reference point.
    model : str or ModelSpec
        Name, path or specification.
    seed : int
        Same seed, same draws.
    draws : int
        Per chain; there are four chains of independent draws.

    Returns
    -------
    Posterior
        With ``kind = "prior"``; everything a posterior can answer, the prior can too.
    """
    # Loads PyTensor, which a posterior that is only read does not need.
    from bayescmr.model.data import hierarchy_of, reference_of

    spec = model if isinstance(model, ModelSpec) else load_model(model)
    reference = reference_of(runs.frame)
    blocks: dict[Role, BlockPosterior] = {}
    for stream, (role, block) in enumerate(spec.blocks.items()):
        rows = runs.select(role)
        if rows.empty:
            continue
        hierarchy = hierarchy_of(rows, block.size_length, reference)
        # A stream of its own: [seed, 0] would be that of default_rng(seed), which draws the noise
        # of simulated runs, and [seed, 1] that of effects of new groups.
        rng = np.random.default_rng([seed, 4, stream])
        shape = (_CHAINS, draws)
        n_par = len(block.parameters)
        ln_sd = np.log(block.effect_median) + block.effect_spread * rng.standard_normal(
            (*shape, n_par, 3)
        )
        sd = np.exp(ln_sd @ hierarchy.factor_columns)
        sd[..., :2] = np.sqrt(block.variances[:, :2])
        coef = sd * rng.standard_normal(sd.shape)
        coef[..., 0] += block.prior_mean
        noise = block.noise_mean + block.noise_scale * rng.standard_normal((*shape, 6))
        blocks[role] = BlockPosterior(block, hierarchy, coef, ln_sd, noise, xr.Dataset(), seed)
    return Posterior(
        spec, blocks, runs.frame, Provenance.of(runs, seed, {"kind": "prior"}), "prior"
    )


def simulate_runs(posterior: Posterior, *, draw: int, seed: int) -> pd.DataFrame:
    """Simulate the losses of the table's runs from one draw, run effects and noise included.

    Parameters
    ----------
    posterior : Posterior
        Posterior or prior.
    draw : int
        Index of the draw over all chains.
    seed : int
        Of the run effects and measurement errors.

    Returns
    -------
    DataFrame
        The run table in long form, with ``change`` replaced and ``loss``, ``base`` removed.
    """
    frame = posterior.frame.drop(columns=["loss", "base"])
    change = frame["change"].to_numpy(dtype=float, copy=True)
    rng = np.random.default_rng(seed)
    for index in frame.groupby(["run", "eval_set", "role"]).indices.values():
        rows = frame.iloc[index]
        first = rows.iloc[0]
        block = posterior.blocks[cast(Role, first["role"])]
        eval_set = str(first["eval_set"])
        size, domain, ratio = float(first["size"]), str(first["domain"]), float(first["ratio"])
        tokens = rows["tokens"].to_numpy(dtype=float)
        theta = {k: v[draw] for k, v in block.theta(size, domain, eval_set).items()}
        mean = block.spec.law.change(theta, tokens, np.array(ratio), block.hierarchy.reference)
        cov = covariance(
            block.scales[draw],
            np.log(tokens / block.hierarchy.reference.tokens),
            rows["se"].to_numpy(dtype=float) ** 2,
            ratio == 1.0,
        )
        change[index] = mean + np.linalg.cholesky(cov) @ rng.standard_normal(len(tokens))
    return frame.assign(change=change)
