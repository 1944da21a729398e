"""What two runs would tell together, for all their lengths.

Target information is not submodular: of two runs neither may tell much alone, and both a lot (a
control without domain text, and a treated run). Greedy picks would never find them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bayescmr.design.moments import Gain, Moments, cholesky, log_diagonal

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


def joint_gains(moments: Moments) -> Iterator[tuple[list[int], Gain, Float]]:
    """What pairs would tell.

    Parameters
    ----------
    moments : Moments
        Of the outlook whose pairs are looked at.

    Yields
    ------
    tuple of (list of int, Gain, ndarray)
        Pairs with equally many checkpoints (indices into ``outlook.pairs``), what they would tell
        and their cost in FLOPs, both of shape (pairs, lengths of the first, of the second, ...).
    """
    outlook = moments.outlook
    by_length: dict[tuple[int, int], list[int]] = {}
    for p, (i, j) in enumerate(outlook.pairs):
        if i in moments.first and j in moments.first:
            lengths = len(outlook.trajectories[i].cost), len(outlook.trajectories[j].cost)
            by_length.setdefault(lengths, []).append(p)
    for pairs in by_length.values():
        yield pairs, *_joint(moments, [outlook.pairs[p] for p in pairs])


def _joint(moments: Moments, pairs: list[tuple[int, int]]) -> tuple[Gain, Float]:
    runs = moments.outlook.trajectories
    own = [_stack(moments, [pair[side] for pair in pairs]) for side in (0, 1)]
    (at, block, noise, cross), (at_2, block_2, noise_2, cross_2) = own
    between = np.stack(
        [moments.covariance(left, right) for left, right in zip(at, at_2, strict=True)]
    )
    lower = cholesky(block + noise)
    z, shared = np.linalg.solve(lower, cross), np.linalg.solve(lower, between)
    # Given the first run up to each of its checkpoints: rows of `shared` are its prefixes too.
    taken = np.cumsum(shared[..., :, None] * shared[..., None, :], axis=1)
    told = np.cumsum(shared[..., :, None] * z[..., None, :], axis=1)
    lower_2 = cholesky((block_2 + noise_2)[:, None] - taken)
    z_2 = np.linalg.solve(lower_2, cross_2[:, None] - told)
    reduction = np.cumsum(z**2, axis=1)[:, :, None] + np.cumsum(z_2**2, axis=2)
    information = (
        np.cumsum(log_diagonal(lower) - log_diagonal(cholesky(noise)), axis=1)[:, :, None]
        + np.cumsum(log_diagonal(lower_2) - log_diagonal(cholesky(noise_2))[:, None], axis=2)
    )  # fmt: skip
    nowhere = np.full(information.shape, np.nan)
    cost = np.stack([runs[i].cost[:, None] + runs[j].cost[None, :] for i, j in pairs])
    weighing = moments.targets.weighing
    return Gain(reduction, information, moments.variance, weighing, nowhere, nowhere), cost


def _stack(moments: Moments, members: list[int]) -> tuple[Index, Float, Float, Float]:
    """Rows, covariances, noise and covariances with the targets of runs of one length."""
    length = len(moments.outlook.trajectories[members[0]].cost)
    at = np.array([moments.first[i] for i in members])[:, None] + np.arange(length)
    group = next(g for g in moments.groups if g.cost.shape[1] == length)
    place = np.searchsorted(group.members, members)
    return at, group.block[place], group.noise[place], moments.cross[at]
