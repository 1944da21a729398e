"""Log densities of draws: of every run, with its run effects integrated out, and of the prior.

A run is one observation: its checkpoints share a data order and are not
independent, and several evaluation sets of a run are independent only given the
law's parameters. So what is left out, and what is summed over, are runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from bayescmr.model.groups import Groups
from bayescmr.model.scales import covariance
from bayescmr.model.thinning import thin
from bayescmr.posterior.block import BlockPosterior

Float = npt.NDArray[np.float64]

#: Covariance entries held in memory at once.
_CHUNK = 2_000_000
_LOG_TAU = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Trajectory:
    """Losses of one run on one evaluation set, and what the draws say about them.

    Parameters
    ----------
    run : str
        Name of the run.
    residual : ndarray, shape (draws, checkpoints)
        Measured change minus the law, nats/token.
    x : ndarray, shape (checkpoints,)
        ln(tokens / reference tokens).
    variance : ndarray, shape (checkpoints,)
        Square of the stated standard error.
    averaged : ndarray, shape (checkpoints,)
        How many losses each is the mean of.
    tokens : ndarray, shape (checkpoints,)
        CPT tokens.
    no_replay : bool
        Whether ratio = 1.
    """

    run: str
    residual: Float
    x: Float
    variance: Float
    averaged: Float
    tokens: Float
    no_replay: bool


def trajectories(
    block: BlockPosterior, frame: pd.DataFrame, seen: pd.Series | None = None
) -> Iterator[Trajectory]:
    """Trajectories of the rows of one role, by run and evaluation set.

    Groups that the block never saw get the fresh effects of :meth:`BlockPosterior.theta`;
    long trajectories are averaged as for a fit (:mod:`bayescmr.model.thinning`), before and
    beyond the tokens ``seen`` of each run by themselves.
    """
    reference = block.hierarchy.reference
    for (run, eval_set), rows in frame.sort_values("tokens").groupby(["run", "eval_set"]):
        first = rows.iloc[0]
        ratio = float(first["ratio"])
        late = np.zeros(len(rows)) if seen is None else rows["tokens"].to_numpy() > seen[str(run)]
        tokens, change, variance, averaged = np.hstack(
            [
                thin(*part[["tokens", "change", "se"]].to_numpy(float).T)
                for _, part in rows.groupby(late)
            ]
        )
        mean = block.change(
            float(first["size"]), str(first["domain"]), str(eval_set), tokens, ratio
        )
        yield Trajectory(
            run=str(run),
            residual=change - mean,
            x=np.log(tokens / reference.tokens),
            variance=variance,
            averaged=averaged,
            tokens=tokens,
            no_replay=ratio == 1.0,
        )


def run_log_likelihood(block: BlockPosterior, frame: pd.DataFrame) -> tuple[list[str], Float]:
    """Log likelihood of every run at every draw, run effects integrated out.

    Parameters
    ----------
    block : BlockPosterior
        Draws.
    frame : DataFrame
        Rows of the block's role, of runs fitted or not.

    Returns
    -------
    runs : list of str, sorted
    values : ndarray, shape (runs, draws)
    """
    totals: dict[str, Float] = {}
    for one in trajectories(block, frame):
        value = normal_log_density(block.scales, one)
        totals[one.run] = totals.get(one.run, 0.0) + value
    runs = sorted(totals)
    return runs, np.array([totals[run] for run in runs])


def factors(scales: Float, one: Trajectory) -> Iterator[tuple[slice, Float]]:
    """Cholesky factors of a trajectory's covariance, some draws at a time.

    Yields
    ------
    draws : slice
    factor : ndarray, shape (draws, checkpoints, checkpoints)
    """
    step = max(1, _CHUNK // len(one.x) ** 2)
    for low in range(0, len(scales), step):
        part = slice(low, low + step)
        own = covariance(scales[part], one.x, one.variance, one.no_replay, one.averaged)
        yield part, np.linalg.cholesky(own)


def normal_log_density(scales: Float, one: Trajectory) -> Float:
    """Log density of a trajectory's residuals, shape (draws,)."""
    n = len(one.x)
    found = np.empty(len(scales))
    for part, lower in factors(scales, one):
        z = np.linalg.solve(lower, one.residual[part, :, None])[..., 0]
        log_det = np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
        found[part] = -0.5 * (z**2).sum(axis=-1) - log_det - 0.5 * n * _LOG_TAU
    return found


def log_prior(block: BlockPosterior, groups: Groups) -> dict[str, Float]:
    """Log prior density of the parameters at every draw, in parts.

    The parameters are those that the likelihood reads: values of the anchor
    groups given the sds of their effects, these sds (as logs), and the noise
    quantities. It is not the density in the coordinates of the sampler, whose
    centring adds a Jacobian that depends on the sds
    (:mod:`bayescmr.model.centring`): scaling that by a power would scale the sampler.

    Parameters
    ----------
    block : BlockPosterior
        Draws.
    groups : Groups
        Anchors of the runs that were fitted: ``block_data(...).groups``.

    Returns
    -------
    dict from {"law", "effect_sd", "noise"} to ndarray, shape (chains, draws)
    """
    spec = block.spec
    anchors = np.einsum("cdpt,at->cdpa", block.coef, groups.rows)
    anchors = anchors - spec.prior_mean[:, None] * groups.rows[:, 0]
    law = np.zeros(block.shape)
    for p in range(len(spec.parameters)):
        variances = np.broadcast_to(spec.variances[p], (*block.shape, spec.variances.shape[1]))
        variances = np.concatenate(
            [variances[..., :2], np.exp(2.0 * block.ln_effect_sd[:, :, p])], axis=-1
        )
        lower = np.linalg.cholesky(np.einsum("cdf,fij->cdij", variances, groups.components))
        z = np.linalg.solve(lower, anchors[:, :, p, :, None])[..., 0]
        log_det = np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
        law -= 0.5 * (z**2).sum(axis=-1) + log_det + 0.5 * z.shape[-1] * _LOG_TAU
    sds = np.asarray(
        norm.logpdf(block.ln_effect_sd, np.log(spec.effect_median), spec.effect_spread)
    )
    noise = np.asarray(norm.logpdf(block.noise, spec.noise_mean, spec.noise_scale))
    return {"law": law, "effect_sd": sds.sum(axis=(-2, -1)), "noise": noise.sum(axis=-1)}
