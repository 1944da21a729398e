"""An earlier posterior as the start of the next, when runs were added."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayescmr.errors import ModelError
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import ModelSpec, Role
from bayescmr.posterior.posterior import Posterior

if TYPE_CHECKING:
    from bayescmr.model.engine import Draws

#: Enough for the covariances of a hundred coordinates.
_DRAWS = 1000


def check_previous(previous: Posterior, spec: ModelSpec) -> None:
    """Refuse what cannot be the start of a fit of ``spec``.

    Raises
    ------
    ModelError
        Not a posterior of this model.
    """
    if not isinstance(previous, Posterior):
        raise ModelError(
            f"previous: got a {type(previous).__name__}, expected the Posterior of an earlier fit"
        )
    if previous.kind != "posterior":
        raise ModelError(f"previous: got draws of the {previous.kind}, expected a fit")
    if previous.model.fingerprint != spec.fingerprint:
        raise ModelError(
            f"previous: a fit of the model {previous.model.name}"
            f" ({previous.model.fingerprint[:8]}), expected one of {spec.name}"
            f" ({spec.fingerprint[:8]}) with the same priors; leave it out to start afresh"
        )


def last_draws(previous: Posterior, role: Role, hierarchy: Hierarchy) -> Draws | None:
    """Return draws of an earlier posterior in the terms of a hierarchy.

    None where sizes, domains or evaluation sets are others: what a new level will turn out
    to be is not in those draws.

    Parameters
    ----------
    previous : Posterior
        Of the same model.
    role : {"general", "domain"}
        Which loss.
    hierarchy : Hierarchy
        Of the table that is fitted now.
    """
    # Loading the sampler takes seconds; whoever only reads a posterior is spared them.
    from bayescmr.model.engine import Draws

    block = previous.blocks.get(role)
    if block is None or replace(block.hierarchy, reference=hierarchy.reference) != hierarchy:
        return None
    count = min(_DRAWS, block.n_draws)
    few = block.take(np.linspace(0, block.n_draws - 1, count, dtype=int).tolist())
    coef = few.coef[0].copy()
    # The mean is that at the reference size.
    coef[..., 0] += coef[..., 1] * np.log(hierarchy.reference.size / block.hierarchy.reference.size)
    return Draws(coef, few.ln_effect_sd[0], few.noise[0])
