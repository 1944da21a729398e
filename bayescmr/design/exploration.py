"""Randomness of a choice: most of the time the best option, now and then another; how likely each.

Without it nothing can be said afterwards about rules that would have chosen otherwise, and a law
that is wrong where the rule never looks is never found out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.design.policy import Scores
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]

#: Of the exploration share, what is spread evenly, so that no option is next to impossible.
_EVEN = 0.5


@dataclass(frozen=True)
class Exploration:
    """How often another option than the best is tried.

    Parameters
    ----------
    share : float
        Probability of not simply taking the best, in [0, 1). Half of it is spread evenly over all
        options that can be had, half in proportion to ``score ** (1 / temperature)``.
    temperature : float
        Above 0; small values stay near the best.
    """

    share: float = 0.1
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.share < 1.0:
            raise DesignError(f"exploration share: got {self.share}, expected 0 <= share < 1")
        if not self.temperature > 0.0:
            raise DesignError(f"temperature: got {self.temperature}, expected a number above 0")

    def propensities(self, scores: Scores) -> Float:
        """Probability of each option.

        Parameters
        ----------
        scores : Scores
            At least one of them can be had (score above -inf).

        Returns
        -------
        ndarray, shape (options,)
            Sums to 1; at least ``share / (2 n)`` for each of the n options that can be had, and 0
            for the others.
        """
        can = np.isfinite(scores.score)
        probability = np.zeros(len(scores.score))
        probability[can] = self.share * (
            _EVEN / can.sum() + (1.0 - _EVEN) * self._soft(scores.score[can])
        )
        probability[best(scores)] += 1.0 - self.share
        return probability / probability.sum()

    def _soft(self, score: Float) -> Float:
        top = float(score.max())
        if not top > 0.0:  # scores say nothing about how much better one is
            return np.full(len(score), 1.0 / len(score))
        weight = np.maximum(score / top, 0.0) ** (1.0 / self.temperature)
        return np.asarray(weight / weight.sum())


def best(scores: Scores) -> int:
    """Index of the best option; of equals the cheapest, then the first."""
    top = np.flatnonzero(scores.score == scores.score.max())
    return int(top[np.argmin(scores.cost[top])])
