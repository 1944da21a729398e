"""Are ranks uniform? ECDFs against simultaneous bands (Sailynoja, Burkner, Vehtari 2022).

doi 10.1007/s11222-022-10090-6. Under calibration the rank of the true value
among L independent draws is uniform on 0..L, so the ECDF of many ranks stays,
everywhere at once and with known probability, within bands whose pointwise
probability is adjusted for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

#: Null ECDFs simulated: p-values of 3e-4 are then known to within a third (two sds).
_NULLS = 100_000
_CHUNK = 10_000


def rank(draws: Float, truth: float, rng: np.random.Generator) -> int:
    """Rank of the truth among draws, 0 to len(draws); ties, as at an atom, are broken at random."""
    below = int(np.sum(draws < truth))
    return below + int(rng.integers(int(np.sum(draws == truth)) + 1))


@dataclass(frozen=True)
class Null:
    """What the ECDF of uniform ranks does.

    Parameters
    ----------
    simulations : int
        Number of ranks.
    draws : int
        L: ranks lie in 0..L.
    """

    simulations: int
    draws: int

    @property
    def points(self) -> Float:
        """Where the ECDF is looked at: 1/(L+1) ... L/(L+1), shape (L,)."""
        return np.arange(1, self.draws + 1) / (self.draws + 1)

    def counts(self, ranks: Int) -> Int:
        """How many ranks lie below each point, shape (..., L)."""
        return np.asarray(np.sum(ranks[..., None] < np.arange(1, self.draws + 1), axis=-2))

    def departure(self, counts: Int) -> Float:
        """Smallest pointwise tail probability of an ECDF, over points and both sides."""
        lower, upper = _tails(self.simulations, self.draws)
        points = np.arange(self.draws)
        return np.asarray(np.minimum(lower[counts, points], upper[counts, points]).min(axis=-1))

    def p_value(self, ranks: Int) -> float:
        """Probability that uniform ranks depart as much as these do."""
        null = _null_departures(self.simulations, self.draws)
        # Ties are real: counts are discrete.
        as_small = int(np.searchsorted(null, self.departure(self.counts(ranks)), side="right"))
        return (as_small + 1) / (len(null) + 1)

    def band(self, prob: float) -> tuple[Float, Float]:
        """Simultaneous band of probability ``prob``: lower and upper ECDF, shape (L,)."""
        from arviz_stats.ecdf_utils import get_pointwise_confidence_band

        null = _null_departures(self.simulations, self.draws)
        # arviz's own search for this number rounds counts down by one now and then.
        tail = float(np.quantile(null, 1.0 - prob))
        lower, upper = get_pointwise_confidence_band(
            1.0 - 2.0 * tail, self.simulations, self.points
        )
        return np.asarray(lower), np.asarray(upper)


@cache
def _tails(simulations: int, draws: int) -> tuple[Float, Float]:
    """P(count <= k) and P(count >= k) at each point, shape (simulations + 1, draws)."""
    k = np.arange(simulations + 1)[:, None]
    points = Null(simulations, draws).points
    upper = np.ones((simulations + 1, draws))
    upper[1:] = 1.0 - bdtr(k[:-1], simulations, points)
    return np.asarray(bdtr(k, simulations, points), dtype=float), upper


@cache
def _null_departures(simulations: int, draws: int) -> Float:
    """Departures of simulated uniform ranks, sorted."""
    null = Null(simulations, draws)
    rng = np.random.default_rng([simulations, draws])
    cells = np.full(draws + 1, 1.0 / (draws + 1))
    found = [
        null.departure(rng.multinomial(simulations, cells, size=_CHUNK).cumsum(axis=1)[:, :-1])
        for _ in range(_NULLS // _CHUNK)
    ]
    return np.sort(np.concatenate(found))
