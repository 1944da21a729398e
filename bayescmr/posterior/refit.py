"""The same model fitted to some rows of a posterior, to learn what it says without the rest."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bayescmr.model.settings import Effort
from bayescmr.model.spec import ModelSpec
from bayescmr.posterior.fitting import fit
from bayescmr.posterior.posterior import Posterior
from bayescmr.runs import RunTable
from bayescmr.runs.fingerprint import fingerprint


def refit(
    posterior: Posterior,
    keep: npt.NDArray[np.bool_],
    why: str,
    effort: Effort,
    model: ModelSpec | None = None,
) -> Posterior:
    """Fit the general loss of some rows, with seed, settings and reference point of a posterior.

    The reference point stays, since priors are statements about it: another one
    would be another prior. Chains start from the posterior where levels are the same.

    Parameters
    ----------
    posterior : Posterior
        Of the whole table.
    keep : ndarray of bool, shape (rows of ``posterior.frame``,)
        Which rows; of these the general losses are fitted.
    why : str
        Note in the provenance of the refit.
    effort : Effort
        Draws.
    model : ModelSpec, optional
        Default: the model of the posterior.
    """
    frame = posterior.frame
    rows = frame[keep & (frame["role"] == "general").to_numpy()].reset_index(drop=True)
    runs = RunTable(rows, (), (why,), fingerprint(rows, None), posterior.provenance.source)
    settings = posterior.provenance.settings
    return fit(
        runs,
        seed=posterior.provenance.seed,
        model=model or posterior.model,
        draws=effort.draws,
        tune=effort.tune,
        chains=settings["chains"],
        target_accept=settings["target_accept"],
        retries=settings["retries"],
        max_checkpoints=settings["max_checkpoints"],
        cores=settings["cores"],
        sampler=settings["sampler"],
        reference=posterior.general.hierarchy.reference,
        # Other priors are another model, whose posterior may be elsewhere.
        previous=posterior if model is None else None,
    )
