"""Fits of a campaign: the run table of its store, the posterior, and the file it is kept in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayescmr.campaign.config import Config
from bayescmr.cmr import Target
from bayescmr.errors import BayesCMRError, CampaignError
from bayescmr.laws import Reference
from bayescmr.planning.space import Space
from bayescmr.posterior import Posterior, fit, load
from bayescmr.runs import RunTable


def table_of(config: Config, frame: pd.DataFrame) -> RunTable | None:
    """Validate the run table of a campaign; None where no loss is in yet that can be fitted.

    Raises
    ------
    CampaignError
        It cannot be fitted, for reasons that its messages name.
    """
    least = config.space.min_tokens
    measured = frame[[name for name in frame if str(name).startswith(("loss", "change"))]]
    used = frame[(frame["tokens"] == 0) | (frame["tokens"] >= least)]
    if not ((frame["tokens"] >= max(least, 1.0)) & measured.notna().any(axis=1)).any():
        return None
    try:
        return RunTable.from_frame(
            used.reset_index(drop=True), source=f"campaign {config.name}", min_tokens=least
        )
    except BayesCMRError as error:
        raise CampaignError(str(error)) from None


def fit_seed(config: Config, number: int) -> int:
    """Return the seed of a round's fit: the same whenever the round is made again."""
    return int(np.random.SeedSequence([config.seed, number]).generate_state(1)[0])


def fit_round(config: Config, runs: RunTable, number: int) -> Posterior:
    """Fit general losses; keep the posterior in ``fits/round-NNNN.nc`` of the campaign's folder.

    It starts from scratch, so that the store alone decides what comes out, whatever was killed.
    Domain losses have no part in a CMR: to fit them takes time, and a decision would wait for
    them to converge.

    Raises
    ------
    PosteriorFileError, SamplingError
        The file cannot be written; the sampler failed.
    """
    posterior = fit(
        replace(runs, frame=runs.select("general")),
        seed=fit_seed(config, number),
        model=config.model,
        reference=centre_of(config.space, config.target),
    )
    posterior.save(fit_file(config, number))
    return posterior


def centre_of(space: Space, target: Target) -> Reference:
    """Point at which priors are stated: the centre of all that could be run, and of the target.

    That of the table would move with every run, and the priors with it.
    """
    from bayescmr.model.data import reference_of

    rows = [
        {"size": size, "ratio": ratio, "tokens": tokens}
        for size in (*space.sizes, float(target.size))
        for ratio in space.ratios
        for tokens in space.checkpoints.get(size, (float(target.tokens),))
        if tokens >= space.min_tokens
    ]
    return reference_of(pd.DataFrame(rows))


def last_fit(config: Config, number: int) -> Posterior | None:
    """Return the posterior of a round as it was kept; None where its file is gone."""
    path = fit_file(config, number)
    try:
        found = load(path)
    except BayesCMRError:
        return None
    return found if isinstance(found, Posterior) else None


def fit_file(config: Config, number: int) -> Path:
    """Return where the posterior of a round is kept."""
    return config.folder / "fits" / f"round-{number:04d}.nc"
