"""Fit a model to a run table."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import pandas as pd

from bayescmr.errors import ModelError, RunTableError
from bayescmr.laws import Reference
from bayescmr.model.settings import Sampler, Settings, Timing
from bayescmr.model.spec import BlockSpec, ModelSpec, Role, load_model
from bayescmr.model.thinning import thinning_notes
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.posterior import Posterior, Provenance
from bayescmr.posterior.remedy import Attempt, remedied
from bayescmr.posterior.warm import check_previous, last_draws
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
    max_checkpoints: int = Settings.max_checkpoints,
    cores: int | None = Settings.cores,
    sampler: Sampler = Settings.sampler,
    progress: bool = Settings.progress,
    reference: Reference | None = None,
    previous: Posterior | None = None,
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
        Kept and warm-up draws per chain, in the first attempt; chains.
    target_accept : float
        Acceptance rate that the step size aims at.
    retries : int
        How often a loss whose draws have not converged is sampled again, in
        smaller steps or for longer; ``.provenance.settings["attempts"]`` records it.
    max_checkpoints : int
        Trajectories of more checkpoints are averaged within as many equal steps
        of ln tokens, which ``.provenance.notes`` says. The time of a fit grows
        with the cube of this number.
    cores : int, optional
        Default: all.
    sampler : {"nutpie", "pymc"}
        nutpie is many times faster.
    progress : bool
        Show a progress bar.
    reference : Reference, optional
        Point at which priors are stated; default: the centre of the table. A fit to a part
        of a table that is compared with the fit to all of it keeps that fit's.
    previous : Posterior, optional
        An earlier fit of the same model to most of these runs. Where sizes, domains and
        evaluation sets are the same, its draws take the place of the first four fifths of the
        warm-up; a loss that has then not converged is sampled again from scratch.
        The posterior is the same, its draws are not.
        ``.provenance.settings["previous"]`` is the fingerprint of its table.

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
    from bayescmr.model.data import reference_of

    settings = Settings(
        seed=seed,
        draws=draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        retries=retries,
        max_checkpoints=max_checkpoints,
        cores=cores,
        sampler=sampler,
        progress=progress,
    )
    spec = model if isinstance(model, ModelSpec) else load_model(model)
    if previous is not None:
        check_previous(previous, spec)
    if runs.select("general").empty:
        raise ModelError(f"{runs.source}: no general loss, expected at least one general set")
    timing = Timing()
    centre = reference_of(runs.frame) if reference is None else reference
    blocks: dict[Role, BlockPosterior] = {}
    attempts: dict[Role, list[Attempt]] = {}
    for role, block in spec.blocks.items():
        rows = runs.select(role)
        if not rows.empty:
            blocks[role], attempts[role] = fit_block(
                block, rows, centre, settings, timing, previous
            )
    started = time.perf_counter()
    record = asdict(settings) | {
        "previous": None if previous is None else previous.provenance.fingerprint,
        "attempts": {role: [a.to_dict() for a in made] for role, made in attempts.items()},
    }
    notes = thinning_notes(runs.frame, max_checkpoints)
    if previous is not None:
        notes += tuple(
            f"{role} loss: sampled from scratch, for the previous fit had other sizes, domains or"
            " evaluation sets, or this sampler or law cannot start from draws"
            for role, made in attempts.items()
            if not made[0].warm
        )
    seconds: dict[str, float] = {}
    provenance = replace(Provenance.of(runs, seed, record, notes), seconds=seconds)
    posterior = Posterior(spec, blocks, runs.frame, provenance, timing=timing)
    # Computed here, so that nobody meets the cost later.
    _ = posterior.verdict
    timing.post_process += time.perf_counter() - started
    # Only now are all stages over; the verdict that took the last of them belongs to the posterior.
    seconds.update({stage: round(value, 3) for stage, value in asdict(timing).items()})
    return posterior


def fit_block(
    spec: BlockSpec,
    rows: pd.DataFrame,
    reference: Reference,
    settings: Settings,
    timing: Timing,
    previous: Posterior | None = None,
) -> tuple[BlockPosterior, list[Attempt]]:
    """Sample one loss until it has converged or nothing is left to try.

    Parameters
    ----------
    spec : BlockSpec
        Model of the loss.
    rows : DataFrame
        Its rows in canonical form: run, eval_set, size, domain, ratio, tokens, change, se.
    reference : Reference
        Where covariates are centred.
    settings : Settings
        Of the first attempt.
    timing : Timing
        Grows by the seconds of each stage.
    previous : Posterior, optional
        An earlier fit of the model; see :func:`fit`.

    Returns
    -------
    BlockPosterior, list of Attempt
        Draws of the last attempt, and what came of each.
    """
    # Loading the sampler takes seconds; whoever only reads a posterior is spared them.
    from bayescmr.model.data import block_data, hierarchy_of
    from bayescmr.model.engine import prepare_block, sample_block, starts_from_draws

    started = time.perf_counter()
    hierarchy = hierarchy_of(rows, spec.size_length, reference)
    data = block_data(rows, hierarchy, settings.max_checkpoints)
    timing.build += time.perf_counter() - started
    last = None
    if previous is not None and starts_from_draws(spec.law, settings):
        last = last_draws(previous, spec.role, hierarchy)
    attempts: list[Attempt] = []
    following: Settings | None = settings
    while following is not None:
        used = following
        if not attempts or attempts[-1].warm:
            prepared = prepare_block(spec, hierarchy, data, settings.seed, timing, last)
        sampled = sample_block(prepared, used, timing)
        started = time.perf_counter()
        block = BlockPosterior(
            spec=spec,
            hierarchy=hierarchy,
            coef=sampled.posterior["coef"].to_numpy(),
            ln_effect_sd=sampled.posterior["ln_effect_sd"].to_numpy(),
            noise=sampled.posterior["noise"].to_numpy(),
            statistics=sampled.statistics,
            seed=used.seed,
        )
        attempts.append(Attempt.of(used, block.verdict, warm=last is not None))
        # Whatever kept the chains from converging, the next ones shall not have it from there.
        last = None
        following = remedied(used, block.verdict)
        timing.post_process += time.perf_counter() - started
    return block, attempts
