"""What draws of a posterior say about runs that could be made: the input of every rule of design.

Plain arrays, so that a rule needs no model: any posterior draws, any functional to be learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """A run that could be made, or one that could be gone on with.

    Parameters
    ----------
    size : float
        Non-embedding parameters (count).
    domain : str
        Domain corpus.
    ratio : float
        Domain share, in [0, 1].
    seed : int
        Of the data order.
    checkpoints : tuple of float
        CPT tokens at which losses would be measured and the run may stop, ascending; those
        already measured are not among them.
    reached : float
        CPT tokens trained already; 0 for a new run.
    """

    size: float
    domain: str
    ratio: float
    seed: int
    checkpoints: tuple[float, ...]
    reached: float = 0.0

    def __post_init__(self) -> None:
        if not self.checkpoints or list(self.checkpoints) != sorted(set(self.checkpoints)):
            raise DesignError(
                f"checkpoints: got {self.checkpoints!r}, expected tokens in ascending order"
            )
        if not self.reached < self.checkpoints[0]:
            raise DesignError(
                f"reached: got {self.reached:g} tokens, expected less than the first checkpoint"
                f" still to come, {self.checkpoints[0]:g}"
            )

    @property
    def is_new(self) -> bool:
        """True for a run not yet begun."""
        return self.reached == 0.0


@dataclass(frozen=True)
class Trajectory:
    """What is expected of a candidate, checkpoint by checkpoint.

    Parameters
    ----------
    candidate : Candidate
        The run.
    mean : ndarray, shape (draws, checkpoints)
        Its change of the general loss (nats/token) without noise, for each draw. For a run that
        is gone on with: given what it has shown, its run effect included.
    noise : ndarray, shape (checkpoints, checkpoints)
        Covariance of what is measured about it, (nats/token)^2, averaged over draws. For a run
        that is gone on with: given what it has shown.
    cost : ndarray, shape (checkpoints,)
        FLOPs from where it stands to each checkpoint, ascending, set-up and evaluations included.
    """

    candidate: Candidate
    mean: Float
    noise: Float
    cost: Float

    def __post_init__(self) -> None:
        k = len(self.candidate.checkpoints)
        shapes = self.mean.shape[1:], self.noise.shape, self.cost.shape
        if shapes != ((k,), (k, k), (k,)):
            raise DesignError(
                f"trajectory: got shapes {shapes}, expected those of {k} checkpoints:"
                f" {((k,), (k, k), (k,))}"
            )
        if not (np.diff(self.cost) > 0).all() or not self.cost[0] > 0:
            raise DesignError("trajectory: cost: expected FLOPs > 0 that grow with the checkpoint")


@dataclass(frozen=True)
class Option:
    """One thing to do next: some runs, each to one of its checkpoints.

    Parameters
    ----------
    parts : tuple of (int, int)
        Index of the trajectory, and of the checkpoint at which it stops (0 is the first).
        One part is a run or a run gone on with; two are a pair whose worth is joint.
    """

    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Outlook:
    """All that a rule of design looks at.

    Parameters
    ----------
    trajectories : tuple of Trajectory
        Candidates.
    cmr : ndarray, shape (draws,)
        Critical mixture ratio at the target: what is to be learnt.
    next_run : ndarray, shape (draws,)
        That of the next run: with its run effect, which no probe can tell; what decides.
    grid : ndarray, shape (ratios,)
        Ratios at which ``excess`` is given, ascending.
    excess : ndarray, shape (draws, ratios)
        Rise of the general loss minus its tolerance at the target's size and tokens, nats/token.
    pairs : tuple of (int, int)
        Trajectories that are also considered two at a time.
    pending : tuple of Trajectory
        Runs that are paid for and whose losses are not yet in.
    tolerance : float
        Allowed rise of the general loss, nats/token, which ``excess`` is counted from. Only rules
        that look at the candidates' own rise (straddle) need it.
    """

    trajectories: tuple[Trajectory, ...]
    cmr: Float
    next_run: Float
    grid: Float
    excess: Float
    pairs: tuple[tuple[int, int], ...] = ()
    pending: tuple[Trajectory, ...] = ()
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        draws = {len(self.cmr), len(self.next_run), len(self.excess)}
        draws |= {len(t.mean) for t in (*self.trajectories, *self.pending)}
        if len(draws) != 1:
            raise DesignError(f"outlook: got {sorted(draws)} draws, expected the same everywhere")
        for name in ("cmr", "next_run", "excess"):
            _finite(f"outlook: {name}", getattr(self, name))
        known = range(len(self.trajectories))
        for pair in self.pairs:
            if pair[0] == pair[1] or not set(pair) <= set(known):
                raise DesignError(
                    f"outlook: pairs: got {pair}, expected two different trajectories of the"
                    f" {len(known)} there are"
                )

    @property
    def n_draws(self) -> int:
        """Posterior draws."""
        return len(self.cmr)

    @property
    def censored(self) -> float:
        """Share of draws whose CMR is 0 or 1: they say on which side it lies, not where."""
        return float(((self.cmr == 0.0) | (self.cmr == 1.0)).mean())

    @cached_property
    def variance(self) -> float:
        """Posterior variance of the CMR."""
        return float(np.var(self.cmr, ddof=1))

    def cost(self, option: Option) -> float:
        """FLOPs of an option."""
        return float(sum(self.trajectories[i].cost[k] for i, k in option.parts))


def _finite(what: str, values: Float) -> None:
    """Refuse what no rule can weigh, before linear algebra fails on it without a word."""
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DesignError(
            f"{what}: got {bad} of {values.size} values that are not finite, expected numbers; the"
            " law cannot be computed at some draws: see whether the fit has converged"
        )
