"""The best ratio where domain tokens are what is scarce (Que et al. 2024, Usage 2).

All D domain tokens are used once, so a run at ratio R sees D / R tokens: a small
R means long training on thin domain data, R = 1 short training on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bayescmr.cmr.target import check_count
from bayescmr.errors import TargetError
from bayescmr.posterior.intervals import KIND, PROB, interval
from bayescmr.values import is_number

if TYPE_CHECKING:
    from bayescmr.posterior.block import BlockPosterior
    from bayescmr.posterior.posterior import Posterior

Float = npt.NDArray[np.float64]
#: Ratios that are looked at first; the lowest is then refined between its neighbours.
_POINTS = 129
#: Golden sections: a step of the grid times 0.618^30 is below 1e-8.
_SECTIONS = 30
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True)
class BestRatio:
    """Posterior of the ratio with the lowest domain loss, given all domain tokens there are.

    Parameters
    ----------
    draws : ndarray, shape (chains, draws)
        Best ratio of each draw. An end of the allowed range is an atom.
    ratios : tuple of float
        Allowed range.
    """

    draws: Float
    ratios: tuple[float, float]

    @property
    def median(self) -> float:
        """Median over the draws."""
        return float(np.median(self.draws))

    def interval(self, prob: float = PROB) -> tuple[float, float]:
        """Equal-tailed interval of probability ``prob``."""
        return interval(self.draws, prob)

    @property
    def p_lowest(self) -> float:
        """Probability that the lowest allowed ratio is best."""
        return float((self.draws == self.ratios[0]).mean())

    @property
    def p_highest(self) -> float:
        """Probability that the highest allowed ratio is best."""
        return float((self.draws == self.ratios[1]).mean())

    def summary(self, prob: float = PROB) -> dict[str, float | str]:
        """Median, interval with its probability and kind, and both atoms."""
        lower, upper = self.interval(prob)
        return {
            "median": self.median,
            "lower": lower,
            "upper": upper,
            "prob": prob,
            "kind": KIND,
            "p_lowest": self.p_lowest,
            "p_highest": self.p_highest,
        }


def best_ratio(
    posterior: Posterior,
    *,
    size: float,
    domain: str,
    domain_tokens: float,
    ratios: tuple[float, float] = (0.1, 1.0),
) -> BestRatio:
    """Ratio that minimises the domain loss when every domain token is used once.

    Parameters
    ----------
    posterior : Posterior
        With a domain loss, of any law.
    size : float
        Non-embedding parameters (count); need not have been probed.
    domain : str
        Domain; need not have been probed.
    domain_tokens : float
        Domain tokens in all (count); a run at ratio R sees ``domain_tokens / R`` tokens.
    ratios : tuple of two floats
        Allowed range, 0 < lowest < highest <= 1. The lowest says how long a run
        may be: ``domain_tokens / ratios[0]`` tokens.

    Returns
    -------
    BestRatio
        For the expected loss; the scatter of a run shifts all ratios alike.

    Raises
    ------
    TargetError
        No domain loss was fitted, or an argument is outside its range.
    """
    return best_ratio_of_block(
        posterior.domain_block(),
        size=size,
        domain=domain,
        domain_tokens=domain_tokens,
        ratios=ratios,
    )


def best_ratio_of_block(
    block: BlockPosterior,
    *,
    size: float,
    domain: str,
    domain_tokens: float,
    ratios: tuple[float, float],
) -> BestRatio:
    """As :func:`best_ratio`, for the draws of the domain loss alone."""
    check_count("domain_tokens", domain_tokens)
    low, high = ratios
    if not (is_number(low) and is_number(high) and 0 < low < high <= 1):
        raise TargetError(
            f"ratios: got {ratios!r}, expected a range of domain shares, for example (0.1, 1.0)"
        )
    law, ref = block.spec.law, block.hierarchy.reference
    theta = block.theta(size, domain, block.hierarchy.eval_sets[0])

    def loss(ratio: Float) -> Float:
        return np.asarray(law.change(theta, domain_tokens / ratio, ratio, ref))

    grid = np.linspace(low, high, _POINTS)
    values = np.asarray(loss(grid[:, None]))
    lowest = values.argmin(axis=0)
    left, right = grid[np.maximum(lowest - 1, 0)], grid[np.minimum(lowest + 1, _POINTS - 1)]
    for _ in range(_SECTIONS):
        width = _GOLDEN * (right - left)
        inner, outer = right - width, left + width
        falls = loss(inner) > loss(outer)
        left, right = np.where(falls, inner, left), np.where(falls, right, outer)
    inside = 0.5 * (left + right)
    # An end is best where nothing inside is lower: the section only creeps up to it.
    for end, value in ((low, values[0]), (high, values[-1])):
        inside = np.where(value <= loss(inside), end, inside)
    return BestRatio(inside.reshape(block.shape), (float(low), float(high)))
