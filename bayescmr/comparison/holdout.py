"""Predictions far from the runs that were fitted: of sizes left out, and forward in tokens.

The score is the continuous ranked probability score (CRPS) in nats/token, the mean
absolute error of a point forecast generalised to distributions; lower is better.
A log density would be dominated by the one draw that comes nearest: given only
draws of a new size's effects, the density of a smooth trajectory cannot be
computed. Gneiting, Raftery 2007, doi 10.1198/016214506000001437.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.comparison.steps import Progress, Step
from bayescmr.model.settings import Effort
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.pointwise import factors, trajectories
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.refit import refit

Float = npt.NDArray[np.float64]

#: Of a run's tokens, what the forward fit sees.
_SEEN = 0.5


def crps(errors: Float) -> Float:
    """CRPS of draws of a forecast minus what was measured.

    Parameters
    ----------
    errors : ndarray, shape (draws, points)

    Returns
    -------
    ndarray, shape (points,)
    """
    n = len(errors)
    ordered = np.sort(errors, axis=0)
    spread = (2.0 * np.arange(1, n + 1) - n - 1.0) @ ordered / n**2
    return np.asarray(np.abs(errors).mean(axis=0) - spread)


def run_scores(block: BlockPosterior, frame: pd.DataFrame, seen: pd.Series | None) -> Float:
    """Mean CRPS of every run over its checkpoints that were not seen.

    Parameters
    ----------
    block : BlockPosterior
        Draws that know nothing of the scored checkpoints.
    frame : DataFrame
        Rows of the runs to be predicted.
    seen : Series from run to float, optional
        Tokens up to which a run was fitted; the prediction of the rest is then
        conditional on them.

    Returns
    -------
    ndarray, shape (runs,)
        nats/token.
    """
    rng = np.random.default_rng([block.seed, 4])
    found: dict[str, list[float]] = {}
    for one in trajectories(block, frame, seen):
        known = 0 if seen is None else int(np.sum(one.tokens <= seen[one.run]))
        # Whitened: residuals of what was seen, fresh normals beyond.
        z = rng.standard_normal(one.residual.shape)
        errors = np.empty((len(z), z.shape[1] - known))
        for part, lower in factors(block.scales, one):
            seen_part = one.residual[part, :known, None]
            z[part, :known] = np.linalg.solve(lower[:, :known, :known], seen_part)[..., 0]
            forecast = np.einsum("dij,dj->di", lower, z[part])
            errors[part] = (forecast - one.residual[part])[:, known:]
        found.setdefault(one.run, []).extend(crps(errors))
    return np.array([np.mean(scores) for _, scores in sorted(found.items())])


def leave_one_size_out(
    posterior: Posterior, effort: Effort, progress: Progress | None = None
) -> float:
    """Mean CRPS of runs whose size was not fitted, nats/token; NaN where there is one size.

    The effects of the size are drawn afresh, from what the other sizes tell.
    """
    frame = posterior.frame
    general = (frame["role"] == "general").to_numpy()
    sizes = frame.loc[general, "size"].unique()
    if len(sizes) < 2:
        return float("nan")
    scores = []
    for done, size in enumerate(sizes, 1):
        if progress is not None:
            line = f"{posterior.model.name}: refit without size {size:g}"
            progress(Step(line, len(sizes) - done))
        own = (frame["size"] == size).to_numpy()
        if not set(frame[own & general]["eval_set"]) <= set(frame[~own & general]["eval_set"]):
            return float("nan")  # a general set of this size alone cannot be predicted
        fit = refit(posterior, ~own, f"without size {size:g}", effort)
        scores.append(run_scores(fit.general, frame[own & general], None))
    return float(np.concatenate(scores).mean())


def forward_in_tokens(
    posterior: Posterior, effort: Effort, progress: Progress | None = None
) -> float:
    """Mean CRPS beyond the first half of every run's tokens, nats/token, given that half.

    Runs without a checkpoint in either half cannot be scored; NaN where none can.
    """
    frame = posterior.frame
    rows = frame[frame["role"] == "general"]
    half = _SEEN * rows.groupby("run")["tokens"].max()
    first = rows.groupby("run")["tokens"].min()
    scored = half.index[first <= half]
    keep = (frame["run"].isin(scored) & (frame["tokens"] <= frame["run"].map(half))).to_numpy()
    later = rows[rows["run"].isin(scored)]
    if not keep.any() or not set(later["eval_set"]) <= set(frame.loc[keep, "eval_set"]):
        return float("nan")
    if progress is not None:
        progress(Step(f"{posterior.model.name}: refit to the first half of the tokens"))
    fit = refit(posterior, keep, "first half of the tokens", effort)
    return float(run_scores(fit.general, later, half).mean())
