"""A low-discrepancy design over size, ratio and length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from bayescmr.design.baselines.common import pick_in_order
from bayescmr.design.outlook import Float, Option, Outlook, Trajectory
from bayescmr.design.policy import Pick

Int = npt.NDArray[np.intp]

# Points of the sequence that are looked at: with 1,000 cells each is hit some 30 times.
_LOG2_POINTS = 15


@dataclass(frozen=True)
class Sobol:
    """A scrambled Sobol sequence over (ln size, ratio, ln length, domain).

    Each point falls into a cell: the nearest size (in ln), the nearest ratio and one domain, of
    those among the candidates. Every run has a fixed place in the sequence: a run with the r-th
    seed has that of the r-th point in its cell, and is trained to the affordable checkpoint that
    is nearest to that point's length. The policy takes runs by their places. So it has no state:
    which points are used up can be seen from which runs are no longer on offer, whoever made
    them, and a campaign that was stopped goes on where it was.

    A run that was begun has used its point; it is gone on with only when no new run can be had.
    When all runs of a size or a ratio are gone, its neighbours' cells grow.

    Parameters
    ----------
    seed : int
        Of the scrambling; the `rng` of `propose` is not used.
    """

    seed: int = 0
    name: str = "sobol"

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next, see `bayescmr.design.policy.Policy`."""
        place, tokens = self._sequence(outlook)
        options = tuple(
            Option(((i, _stop(t, length, budget)),))
            for i, (t, length) in enumerate(zip(outlook.trajectories, tokens, strict=True))
        )
        return pick_in_order(outlook, options, place, budget=budget, batch=batch)

    def _sequence(self, outlook: Outlook) -> tuple[Float, Float]:
        """Place of each trajectory in the sequence, and the tokens that its point asks for."""
        runs = [t.candidate for t in outlook.trajectories]
        seeds = sorted({t.candidate.seed for t in (*outlook.trajectories, *outlook.pending)})
        place, tokens = np.empty(len(runs)), np.empty(len(runs))
        if not runs:
            return place, tokens
        points = _points(self.seed)
        length = np.exp(_spread(points[:, 2], np.log([t for r in runs for t in r.checkpoints])))
        domains = sorted({r.domain for r in runs})
        of_point, of_run = _cells(
            points[:, [0, 1, 3]],
            np.log([r.size for r in runs]),
            np.array([r.ratio for r in runs]),
            np.array([domains.index(r.domain) for r in runs], float),
        )
        for i, run in enumerate(runs):
            hits = np.flatnonzero(of_point == of_run[i])
            rank = seeds.index(run.seed)
            beyond = max(rank + 1 - len(hits), 0)  # No point is left for this seed: it comes last.
            point = 0 if beyond else int(hits[rank])
            place[i] = point + len(points) * (beyond + (0 if run.is_new else len(seeds) + 1))
            tokens[i] = length[point]
        return place, tokens


@lru_cache(maxsize=4)
def _points(seed: int) -> Float:
    """The beginning of the sequence, shape (2**_LOG2_POINTS, 4), in [0, 1)."""
    return qmc.Sobol(d=4, scramble=True, rng=seed).random_base2(_LOG2_POINTS)


def _cells(points: Float, *axes: Float) -> tuple[Int, Int]:
    """Cell of each point and of each run: the nearest value on every axis, as one number."""
    of_point, of_run = np.zeros(len(points), np.intp), np.zeros(len(axes[0]), np.intp)
    for u, values in zip(points.T, axes, strict=True):
        levels, own = np.unique(values, return_inverse=True)
        middles = (levels[1:] + levels[:-1]) / 2
        nearest = np.searchsorted(middles, _spread(u, values))
        of_point = of_point * len(levels) + nearest
        of_run = of_run * len(levels) + own
    return of_point, of_run


def _spread(u: Float, values: Float) -> Float:
    """Points of [0, 1) over the range of an axis's values.

    Half a step is added at both ends: else the outermost values would get half as many points.
    """
    levels = np.unique(values)
    if len(levels) == 1:
        return np.full(len(u), levels[0])
    low = levels[0] - (levels[1] - levels[0]) / 2
    high = levels[-1] + (levels[-1] - levels[-2]) / 2
    spread: Float = low + u * (high - low)
    return spread


def _stop(trajectory: Trajectory, tokens: float, budget: float) -> int:
    """Index of the affordable checkpoint nearest to so many tokens, in ln; 0 if there is none."""
    distance = np.abs(np.log(trajectory.candidate.checkpoints) - np.log(tokens))
    return int(np.argmin(np.where(trajectory.cost <= budget, distance, np.inf)))
