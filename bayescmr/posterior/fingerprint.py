"""Identity of draws: what was computed from them belongs to them alone."""

from __future__ import annotations

import hashlib
import json

import numpy as np

from bayescmr.posterior.answers import Answers
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.stacked import StackedPosterior


def draws_fingerprint(posterior: Answers) -> str:
    """SHA-256 of all draws, models and the fingerprint of the run table.

    Parameters
    ----------
    posterior : Posterior or StackedPosterior
        Of a fit, or from the prior.
    """
    weights = posterior.weights if isinstance(posterior, StackedPosterior) else {}
    digest = hashlib.sha256(posterior.provenance.fingerprint.encode())
    digest.update(json.dumps(weights, sort_keys=True).encode())
    for name, fit in models_of(posterior).items():
        digest.update(f"{name} {fit.kind} {fit.model.fingerprint}".encode())
        for role, block in fit.blocks.items():
            digest.update(role.encode())
            for values in (block.coef, block.ln_effect_sd, block.noise):
                digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()


def models_of(posterior: Answers) -> dict[str, Posterior]:
    """Return the posterior of every model, by name."""
    if isinstance(posterior, StackedPosterior):
        return posterior.components
    assert isinstance(posterior, Posterior)
    return {posterior.model.name: posterior}
