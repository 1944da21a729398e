"""Whether each probe was what was predicted of it before it was made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bayescmr.design.outlook import Candidate
from bayescmr.design.prequential import predict
from bayescmr.planning.task import Task
from bayescmr.planning.view import View
from bayescmr.posterior import Posterior
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]

#: Effective draws below which re-weighted ones predict nothing.
MIN_DRAWS = 100.0


def pit_of_new(posterior: Posterior, task: Task, runs: RunTable) -> Float:
    """Probability integral transforms of losses that a fit had not seen.

    Each checkpoint is judged given those before and the other new runs before it, so that all
    values are independent and uniform if the model is right, however the runs were chosen. Where
    too few draws are left that told the ones before, none is given: a choice by the past alone,
    so that those that are given are uniform all the same.

    Parameters
    ----------
    posterior : Posterior
        Of the table as it was.
    task : Task
        Question; its domain's runs are looked at.
    runs : RunTable
        The table as it is now.

    Returns
    -------
    ndarray, shape (values,)
        By run, then by tokens.
    """
    frame = runs.frame
    rows = frame[(frame["role"] == "general") & (frame["domain"] == task.target.domain)]
    sizes = [float(size) for size in rows["size"].unique()]
    view = View.of(posterior, posterior.cmr(task.target), task.estimand, sizes)
    found: list[Float] = []
    weights = None
    for run, own in rows[rows["eval_set"] == view.eval_set].groupby("run", sort=True):
        seen = view.seen(str(run))
        new = own[own["tokens"] > (0.0 if seen is None else seen.tokens[-1])].sort_values("tokens")
        if new.empty:
            continue
        first = new.iloc[0]
        candidate = Candidate(
            size=float(first["size"]),
            domain=str(first["domain"]),
            ratio=float(first["ratio"]),
            seed=0,
            checkpoints=tuple(new["tokens"].astype(float)),
            reached=0.0 if seen is None else float(seen.tokens[-1]),
        )
        mean, noise = view.expected(candidate, seen)
        noise = noise + np.diag(new["se"].to_numpy(dtype=float) ** 2)
        judged = predict(mean, noise, new["change"].to_numpy(dtype=float), weights)
        weights = judged.log_weights
        found.append(judged.pit[judged.effective >= MIN_DRAWS])
    return np.concatenate(found) if found else np.empty(0)
