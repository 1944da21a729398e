"""What a run would tell, from the covariance of draws alone: every stopping length at once.

With the checkpoints of a run in the order of tokens, A the covariance over draws of its expected
losses, S their noise, c their covariance with what is to be learnt and L the Cholesky factor of
A + S, z = L^-1 c has the leading blocks of L as the factors of the shorter runs. So

    V(k) = z_1^2 + ... + z_k^2

is the expected drop of posterior variance for a run stopped at checkpoint k (exactly for Gaussian
draws; the best linear predictor's, and so a lower bound, otherwise), and z_{k+1}^2 is what going on
to the next checkpoint adds. Runs whose losses are not yet in, and earlier picks of a batch, are
conditioned on by down-dating the covariance; their losses need not be known for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bayescmr.design.outlook import Option, Outlook, Trajectory
from bayescmr.design.targets import Targets
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

#: What keeps a factor real where columns coincide, relative to their variance; and the spread of
#: a target below which it counts as known, relative to its size.
_JITTER = 1e-12


@dataclass(frozen=True)
class Gain:
    """What runs would tell, for each stopping length.

    Parameters
    ----------
    reduction : ndarray, shape (..., columns)
        Expected drop of the variance of each target column; leading axes are runs and lengths.
    information : ndarray, shape (...)
        About all that the losses depend on, in nats.
    variance : ndarray, shape (columns,)
        Of each target column, before.
    weighing : ndarray, shape (columns,)
        How much each target column counts.
    excess_mean, excess_sd : ndarray, shape (...)
        Of the run's own rise over the tolerance at its last checkpoint, without noise; NaN for
        pairs.
    """

    reduction: Float
    information: Float
    variance: Float
    weighing: Float
    excess_mean: Float
    excess_sd: Float

    @property
    def cmr(self) -> Float:
        """Expected drop of the variance of the CMR, shape (...)."""
        return self.reduction[..., 0]

    @property
    def excess(self) -> Float:
        """Expected drop of the variance of the loss at each ratio, shape (..., columns - 1)."""
        return self.reduction[..., 1:]


@dataclass(frozen=True)
class Group:
    """Trajectories with equally many checkpoints, stacked.

    Parameters
    ----------
    members : ndarray, shape (runs,)
        Indices of the trajectories.
    rows : slice
        Their columns of losses, run by run.
    noise : ndarray, shape (runs, checkpoints, checkpoints)
        Covariance of what is measured.
    mean : ndarray, shape (runs, checkpoints)
        Posterior mean of the change.
    cost : ndarray, shape (runs, checkpoints)
        FLOPs.
    block : ndarray, shape (runs, checkpoints, checkpoints)
        Covariance of the expected losses over draws, given all that is conditioned on.
    """

    members: Index
    rows: slice
    noise: Float
    mean: Float
    cost: Float
    block: Float


@dataclass(frozen=True)
class Moments:
    """Means and covariances of candidates and targets, given pending runs and picks.

    Parameters
    ----------
    outlook : Outlook
        Draws.
    targets : Targets
        What is to be learnt.
    groups : tuple of Group
        Candidates by number of checkpoints.
    first : mapping from int to int
        Row of each trajectory's first checkpoint.
    rows : ndarray, shape (rows, draws)
        Expected losses, centred and scaled so that ``rows @ rows.T`` is their covariance.
    cross : ndarray, shape (rows, columns)
        Covariance of losses and targets, given what is conditioned on.
    variance : ndarray, shape (columns,)
        Of the targets, given what is conditioned on.
    factor : ndarray, shape (conditions, rows)
        What was subtracted: the covariance is ``rows @ rows.T - factor.T @ factor``.
    given : tuple of (ndarray, ndarray)
        Rows and noise covariance of each run conditioned on.
    """

    outlook: Outlook
    targets: Targets
    groups: tuple[Group, ...]
    first: dict[int, int]
    rows: Float
    cross: Float
    variance: Float
    factor: Float
    given: tuple[tuple[Index, Float], ...] = ()

    @classmethod
    def of(
        cls, outlook: Outlook, *, weights: Float | None = None, among: Iterable[int] | None = None
    ) -> Moments:
        """Moments of an outlook, given its pending runs.

        Parameters
        ----------
        outlook : Outlook
            Draws.
        weights : ndarray, shape (ratios,), optional
            To look at the excess too, and how much each ratio matters; see `Targets.of`.
        among : iterable of int, optional
            Trajectories to look at; all of them by default.

        Raises
        ------
        DesignError
            Draws are too few or not finite, or a noise covariance is not one.
        """
        if outlook.n_draws < 2:
            raise DesignError(f"outlook: got {outlook.n_draws} draws, expected at least two")
        targets = Targets.of(outlook, weights)
        if not np.isfinite(targets.draws).all():
            raise DesignError("outlook: CMR or excess: got values that are not finite")
        chosen = range(len(outlook.trajectories)) if among is None else sorted(set(among))
        by_length: dict[int, list[int]] = {}
        for i in chosen:
            by_length.setdefault(len(outlook.trajectories[i].cost), []).append(i)
        ordered = [i for length in sorted(by_length) for i in by_length[length]]
        runs = [outlook.trajectories[i] for i in ordered] + list(outlook.pending)
        ends = np.cumsum([len(t.cost) for t in runs])
        rows = np.empty((int(ends[-1]) if runs else 0, outlook.n_draws))
        for t, end in zip(runs, ends, strict=True):
            rows[end - len(t.cost) : end] = t.mean.T
        mean = rows.mean(1)
        _check_finite(mean, runs, ends)
        rows -= mean[:, None]
        scale = np.sqrt(outlook.n_draws - 1)
        rows /= scale
        goals = (targets.draws - targets.draws.mean(0)) / scale
        # Draws that are all equal differ from their mean by rounding, which nothing can explain.
        spread = np.abs(goals).max(0) * scale
        goals[:, spread <= _JITTER * np.abs(targets.draws).max(0)] = 0.0
        starts = ends - [len(t.cost) for t in runs]
        first = dict(zip(ordered, starts.tolist(), strict=False))  # pending runs have no index
        groups = tuple(
            _group(outlook, by_length[length], first, rows, mean) for length in sorted(by_length)
        )
        moments = cls(
            outlook,
            targets,
            groups,
            first,
            rows,
            rows @ goals,
            np.asarray((goals**2).sum(0)),
            np.empty((0, len(rows))),
        )
        for t, end in zip(outlook.pending, ends[len(ordered) :], strict=True):
            moments = moments._conditioned(np.arange(end - len(t.cost), end), t.noise)
        return moments

    def given_option(self, option: Option) -> Moments:
        """Moments once an option's losses will be in."""
        moments = self
        for i, k in option.parts:
            moments = moments._conditioned(*self.part(i, k))
        return moments

    def part(self, trajectory: int, checkpoint: int) -> tuple[Index, Float]:
        """Rows and noise of a run up to a checkpoint (0 is the first)."""
        start = self.first[trajectory]
        noise = self.outlook.trajectories[trajectory].noise
        return np.arange(start, start + checkpoint + 1), noise[: checkpoint + 1, : checkpoint + 1]

    def covariance(self, left: Index, right: Index) -> Float:
        """Covariance of rows over draws, given what is conditioned on."""
        return np.asarray(
            self.rows[left] @ self.rows[right].T - self.factor[:, left].T @ self.factor[:, right]
        )

    def _conditioned(self, at: Index, noise: Float) -> Moments:
        with_all = self.rows[at] @ self.rows.T - self.factor[:, at].T @ self.factor
        lower = cholesky(with_all[:, at] + noise)
        factor = np.linalg.solve(lower, with_all)
        goals = np.linalg.solve(lower, self.cross[at])
        groups = []
        for group in self.groups:
            n, k = group.cost.shape
            mine = factor[:, group.rows].reshape(len(at), n, k).transpose(1, 0, 2)
            groups.append(replace(group, block=group.block - mine.transpose(0, 2, 1) @ mine))
        return replace(
            self,
            groups=tuple(groups),
            cross=self.cross - factor.T @ goals,
            variance=np.maximum(self.variance - (goals**2).sum(0), 0.0),
            factor=np.concatenate([self.factor, factor]),
            given=(*self.given, (at, noise)),
        )

    def gain(self, group: Group) -> Gain:
        """What the runs of a group would tell; arrays of shape (runs, checkpoints, ...)."""
        n, k = group.cost.shape
        lower = cholesky(group.block + group.noise)
        z = np.linalg.solve(lower, self.cross[group.rows].reshape(n, k, -1))
        return Gain(
            np.cumsum(z**2, axis=1),
            np.cumsum(log_diagonal(lower) - log_diagonal(cholesky(group.noise)), axis=1),
            self.variance,
            self.targets.weighing,
            group.mean - self.outlook.tolerance,
            np.sqrt(np.maximum(np.diagonal(group.block, axis1=1, axis2=2), 0.0)),
        )

    def variance_given(self, options: Iterable[Option]) -> float:
        """Expected variance of the CMR once options' losses will be in, all at once.

        Parameters
        ----------
        options : iterable of Option
            Runs; none twice.
        """
        at, noise = stacked([self.part(i, k) for option in options for i, k in option.parts])
        z = np.linalg.solve(cholesky(self.covariance(at, at) + noise), self.cross[at, 0])
        return float(max(self.variance[0] - z @ z, 0.0))


def stacked(parts: Sequence[tuple[Index, Float]]) -> tuple[Index, Float]:
    """Rows of several runs one after the other, and their noise: independent between runs."""
    at = np.concatenate([np.empty(0, dtype=np.intp), *(rows for rows, _ in parts)])
    noise = np.zeros((len(at), len(at)))
    end = 0
    for rows, own in parts:
        start, end = end, end + len(rows)
        noise[start:end, start:end] = own
    return at, noise


def cholesky(matrix: Float) -> Float:
    """Lower factors of covariances, shape (..., n, n).

    Raises
    ------
    DesignError
        One of them is not positive definite.
    """
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    ridge = _JITTER * np.abs(diagonal).max(axis=-1, initial=0.0)[..., None, None]
    try:
        return np.asarray(np.linalg.cholesky(matrix + ridge * np.eye(matrix.shape[-1])))
    except np.linalg.LinAlgError as error:
        raise DesignError(
            "noise: got a covariance that is not positive definite, expected one with a scatter"
            " of its own at each checkpoint"
        ) from error


def log_diagonal(lower: Float) -> Float:
    """Logarithms of the diagonals, shape (..., n)."""
    return np.asarray(np.log(np.diagonal(lower, axis1=-2, axis2=-1)))


def _group(
    outlook: Outlook, members: list[int], first: dict[int, int], rows: Float, mean: Float
) -> Group:
    runs = [outlook.trajectories[i] for i in members]
    n, k = len(runs), len(runs[0].cost)
    at = slice(first[members[0]], first[members[0]] + n * k)
    stacked = rows[at].reshape(n, k, -1)
    return Group(
        np.array(members),
        at,
        np.stack([t.noise for t in runs]),
        mean[at].reshape(n, k),
        np.stack([t.cost for t in runs]),
        stacked @ stacked.transpose(0, 2, 1),
    )


def _check_finite(mean: Float, runs: list[Trajectory], ends: npt.NDArray[np.int_]) -> None:
    if np.isfinite(mean).all():
        return
    run = runs[int(np.searchsorted(ends, np.argmin(np.isfinite(mean)), side="right"))].candidate
    raise DesignError(
        f"trajectory: size {run.size:g}, domain {run.domain}, ratio {run.ratio:g}: got expected"
        " losses that are not finite"
    )
