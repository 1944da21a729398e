"""Log likelihood of a run table under draws of a posterior, on numpy."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.model.scales import covariance
from bayescmr.model.spec import Role
from bayescmr.posterior.block import Theta
from bayescmr.posterior.posterior import Posterior

Float = npt.NDArray[np.float64]


def log_likelihood(posterior: Posterior, frame: pd.DataFrame, draws: npt.NDArray[np.intp]) -> Float:
    """Log likelihood of all runs together, run effects integrated out, for some draws.

    The same density as the compiled kernel that the sampler uses, written anew from
    :func:`bayescmr.model.scales.covariance`: a test holds the two to each other.

    Parameters
    ----------
    posterior : Posterior
        Posterior or prior.
    frame : DataFrame
        A run table in canonical form; groups need not have been probed.
    draws : ndarray of int, shape (n,)
        Indices over all chains.

    Returns
    -------
    ndarray, shape (n,)
        In nats, summed over runs, evaluation sets and losses.
    """
    total = np.zeros(len(draws))
    groups: dict[tuple[str, float, str, str], Theta] = {}
    for index in frame.groupby(["run", "eval_set", "role"]).indices.values():
        rows = frame.iloc[index]
        first = rows.iloc[0]
        role, eval_set = cast(Role, first["role"]), str(first["eval_set"])
        size, domain, ratio = float(first["size"]), str(first["domain"]), float(first["ratio"])
        block = posterior.blocks[role]
        key = (role, size, domain, eval_set)
        if key not in groups:
            theta = block.theta(size, domain, eval_set)
            groups[key] = {name: value[draws][:, None] for name, value in theta.items()}
        tokens = rows["tokens"].to_numpy(dtype=float)
        reference = block.hierarchy.reference
        mean = block.spec.law.change(groups[key], tokens, np.array(ratio), reference)
        cov = covariance(
            block.scales[draws],
            np.log(tokens / reference.tokens),
            rows["se"].to_numpy(dtype=float) ** 2,
            ratio == 1.0,
        )
        factor = np.linalg.cholesky(cov)
        residual = rows["change"].to_numpy(dtype=float) - mean
        z = np.linalg.solve(factor, residual[..., None])[..., 0]
        log_det = np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1)
        total -= 0.5 * (z**2).sum(axis=-1) + log_det + 0.5 * len(tokens) * np.log(2.0 * np.pi)
    return total
