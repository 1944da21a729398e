"""Do the runs look like what the model predicts, with and without having seen them?

The probability integral transform (PIT) of a measured loss is the predictive probability of
a smaller one: uniform where the model is right. Gelman et al. 2013, Bayesian Data Analysis,
section 6.3; Gabry et al. 2019, doi 10.1111/rssa.12378.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from bayescmr.comparison.loo import LeaveOneOut
from bayescmr.model.scales import covariance
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.intervals import PROB
from bayescmr.posterior.pointwise import trajectories
from bayescmr.posterior.posterior import Posterior

Float = npt.NDArray[np.float64]

#: A rule of thumb of this package: runs are few and their checkpoints alike, so the share of
#: losses inside intervals scatters widely around their probability.
COVERAGE_SLACK = 0.1


def checkpoint_pits(posterior: Posterior, loo: LeaveOneOut | None = None) -> pd.DataFrame:
    """PIT of every general loss that was fitted, each checkpoint by itself.

    Parameters
    ----------
    posterior : Posterior
        Fit of one model.
    loo : LeaveOneOut, optional
        Its weights take each run out of the posterior that predicts it.

    Returns
    -------
    DataFrame
        run, eval_set, size, domain, ratio, tokens, expected (mean of the law, nats/token),
        measured (change of loss, nats/token), pit, and pit_loo (NaN without ``loo``, and for
        runs whose weights are unreliable). Long trajectories are averaged as for the fit.
    """
    block = posterior.general
    rows = posterior.frame[posterior.frame["role"] == "general"]
    facts = rows.drop_duplicates(["run", "eval_set"]).set_index(["run", "eval_set"])
    weights: dict[str, Float] = {}
    if loo is not None:
        trusted = zip(loo.table["run"], loo.log_weights, loo.reliable, strict=True)
        weights = {str(run): np.exp(w) for run, w, reliable in trusted if reliable}
    parts = []
    for eval_set in block.hierarchy.eval_sets:
        for one in trajectories(block, rows[rows["eval_set"] == eval_set]):
            place = facts.loc[(one.run, eval_set)]
            below = _below(block, one.residual, one.x, one.variance, one.averaged, one.no_replay)
            law = block.change(
                float(place["size"]), str(place["domain"]), eval_set, one.tokens, place["ratio"]
            )
            parts.append(
                pd.DataFrame(
                    {
                        "run": one.run,
                        "eval_set": eval_set,
                        "size": float(place["size"]),
                        "domain": place["domain"],
                        "ratio": float(place["ratio"]),
                        "tokens": one.tokens,
                        "expected": law.mean(axis=0),
                        "measured": one.residual[0] + law[0],
                        "pit": below.mean(axis=0),
                        "pit_loo": weights[one.run] @ below if one.run in weights else np.nan,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def coverage_by_group(pits: pd.DataFrame, prob: float = PROB) -> pd.DataFrame:
    """Share of losses inside the predictive intervals, for each size and domain.

    Parameters
    ----------
    pits : DataFrame
        From :func:`checkpoint_pits`.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        size, domain, runs, losses, mean_residual (measured minus expected, nats/token),
        inside, losses_loo, inside_loo (of the runs that could be left out; NaN for none).
    """
    found = []
    for (size, domain), group in pits.groupby(["size", "domain"], sort=True):
        without = group["pit_loo"].dropna()
        found.append(
            {
                "size": float(size),
                "domain": str(domain),
                "runs": int(group["run"].nunique()),
                "losses": len(group),
                "mean_residual": float((group["measured"] - group["expected"]).mean()),
                "inside": float(inside(group["pit"], prob).mean()),
                "losses_loo": len(without),
                "inside_loo": float(inside(without, prob).mean()) if len(without) else np.nan,
            }
        )
    return pd.DataFrame(found)


def inside(pit: pd.Series, prob: float) -> pd.Series:
    """Whether each PIT lies in the central ``prob``."""
    return (pit - 0.5).abs() <= prob / 2


def _below(
    block: BlockPosterior, residual: Float, x: Float, variance: Float, averaged: Float, alone: bool
) -> Float:
    """Probability of a smaller loss under each draw, run effects and noise included."""
    found = np.empty_like(residual)
    for k in range(len(x)):
        at = slice(k, k + 1)
        own = covariance(block.scales, x[at], variance[at], alone, averaged[at])[:, 0, 0]
        found[:, k] = norm.cdf(residual[:, k] / np.sqrt(own))
    return found
