"""What can be checked and fitted again: the posterior of one model, given runs."""

from __future__ import annotations

from bayescmr.errors import TargetError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.posterior import Posterior


def one_posterior(posterior: Answers) -> Posterior:
    """Return the posterior if it is one model's.

    Raises
    ------
    TargetError
        Draws from the prior, or several models stacked.
    """
    if not isinstance(posterior, Posterior):
        raise TargetError(
            f"posterior: got a {type(posterior).__name__}, expected the posterior of one model;"
            " check each of .components by itself"
        )
    if posterior.kind == "prior":
        raise TargetError("posterior: got draws from the prior, expected a fit to runs")
    return posterior
