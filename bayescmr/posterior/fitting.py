"""Fit a model to a run table."""

from __future__ import annotations

import time
from dataclasses import asdict

from bayescmr.errors import ModelError, RunTableError
from bayescmr.laws import Reference
from bayescmr.model.settings import Attempt, Sampler, Settings, Timing
from bayescmr.model.spec import ModelSpec, Role, load_model
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.runs import RunTable


def fit(
    runs: RunTable,
    *,
    seed: int,
    model: str | ModelSpec = "turning_point",
    draws: int = Settings.draws,
    tune: int = Settings.tune,
    chains: int = Settings.chains,
    target_accept: float = Settings.target_accept,
    retries: int = Settings.retries,
    cores: int | None = Settings.cores,
    sampler: Sampler = Settings.sampler,
    progress: bool = Settings.progress,
    reference: Reference | None = None,
) -> Posterior:
    """Sample the posterior of a model given a run table.

    Parameters
    ----------
    runs : RunTable
        From :func:`bayescmr.read_runs`.
    seed : int
        Same seed, same draws.
    model : str or ModelSpec
        A shipped name, the path of a YAML file, or a specification.
    draws, tune, chains : int
        Kept and warm-up draws per chain; chains.
    target_accept : float
        Acceptance rate that the step size aims at.
    retries : int
        How often a loss whose draws diverged is sampled again in smaller steps;
        ``.provenance.settings["attempts"]`` records it.
    cores : int, optional
        Default: all.
    sampler : {"nutpie", "pymc"}
        nutpie is many times faster.
    progress : bool
        Show a progress bar.
    reference : Reference, optional
        Point at which priors are stated; default: the centre of the table. A fit to a part
        of a table that is compared with the fit to all of it keeps that fit's.

    Returns
    -------
    Posterior
        Marked as not converged where R-hat, ESS, divergences or E-BFMI say so:
        look at ``.converged`` and ``.verdict``.

    Raises
    ------
    RunTableError, ModelError
        Before any sampling.
    SamplingError
        The sampler failed.
    """
    if not isinstance(runs, RunTable):
        raise RunTableError(
            f"runs: got a {type(runs).__name__}, expected a RunTable; use read_runs(path) or"
            " RunTable.from_frame(frame)"
        )
    # Loading the sampler takes seconds; whoever only reads a posterior is spared them.
    from bayescmr.model.data import block_data, hierarchy_of, reference_of
    from bayescmr.model.engine import sample_block

    settings = Settings(
        seed=seed,
        draws=draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        retries=retries,
        cores=cores,
        sampler=sampler,
        progress=progress,
    )
    spec = model if isinstance(model, ModelSpec) else load_model(model)
    if runs.select("general").empty:
        raise ModelError(f"{runs.source}: no general loss, expected at least one general set")
    timing = Timing()
    centre = reference_of(runs.frame) if reference is None else reference
    blocks: dict[Role, BlockPosterior] = {}
    attempts: dict[Role, tuple[Attempt, ...]] = {}
    for role, block in spec.blocks.items():
        rows = runs.select(role)
        if rows.empty:
            continue
        started = time.perf_counter()
        hierarchy = hierarchy_of(rows, block.size_length, centre)
        data = block_data(rows, hierarchy)
        timing.build += time.perf_counter() - started
        sampled = sample_block(block, hierarchy, data, settings, timing)
        started = time.perf_counter()
        attempts[role] = sampled.attempts
        blocks[role] = BlockPosterior(
            spec=block,
            hierarchy=hierarchy,
            coef=sampled.posterior["coef"].to_numpy(),
            ln_effect_sd=sampled.posterior["ln_effect_sd"].to_numpy(),
            noise=sampled.posterior["noise"].to_numpy(),
            statistics=sampled.statistics,
            seed=seed,
        )
        timing.post_process += time.perf_counter() - started
    started = time.perf_counter()
    record = asdict(settings) | {
        "attempts": {role: [asdict(a) for a in made] for role, made in attempts.items()}
    }
    provenance = Provenance.of(runs, seed, record)
    posterior = Posterior(spec, blocks, runs.frame, provenance, timing=timing)
    # Computed here, so that nobody meets the cost later.
    _ = posterior.verdict
    timing.post_process += time.perf_counter() - started
    return posterior
