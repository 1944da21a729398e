"""What baselines share: whole runs as options, and picks in an order that is fixed beforehand."""

from __future__ import annotations

import numpy as np

from bayescmr.design.outlook import Float, Option, Outlook
from bayescmr.design.policy import Pick, Scores
from bayescmr.errors import DesignError
from bayescmr.values import is_number


def whole_runs(outlook: Outlook) -> tuple[Option, ...]:
    """Every trajectory, to its last checkpoint."""
    return tuple(
        Option(((i, len(t.candidate.checkpoints) - 1),)) for i, t in enumerate(outlook.trajectories)
    )


def costs(outlook: Outlook, options: tuple[Option, ...]) -> Float:
    """FLOPs of each option, shape (options,)."""
    return np.array([outlook.cost(option) for option in options], float)


def require_request(budget: float, batch: int) -> None:
    """Refuse a budget or a batch that no policy could mean.

    Raises
    ------
    DesignError
        Unless the budget is a number of FLOPs >= 0 and the batch a whole number >= 1.
    """
    if not is_number(budget, infinite=True) or budget < 0:
        raise DesignError(f"budget: got {budget!r}, expected FLOPs >= 0")
    if not is_number(batch) or batch != int(batch) or batch < 1:
        raise DesignError(f"batch: got {batch!r}, expected a whole number >= 1")


def pick_in_order(
    outlook: Outlook, options: tuple[Option, ...], place: Float, *, budget: float, batch: int
) -> tuple[Pick, ...]:
    """Take the options by their place, passing over what the budget no longer pays for.

    Parameters
    ----------
    outlook : Outlook
        Candidates.
    options : tuple of Option
        One for each trajectory.
    place : ndarray, shape (options,)
        Lowest first; of equal places the earlier option.
    budget : float
        FLOPs for the batch.
    batch : int
        Picks at most.

    Returns
    -------
    tuple of Pick
        Propensity 1 for what is picked: nothing here is left to chance.

    Raises
    ------
    DesignError
        See `require_request`.
    """
    require_request(budget, batch)
    cost = costs(outlook, options)
    free = np.ones(len(options), bool)
    picks: list[Pick] = []
    while len(picks) < batch:
        score = np.where(free & (cost <= budget), -place, -np.inf)
        if not np.isfinite(score).any():
            break
        best = int(np.argmax(score))
        picks.append(
            Pick(best, Scores(options, -place, cost, score), np.eye(1, len(options), best)[0])
        )
        free[best] = False
        budget -= float(cost[best])
    return tuple(picks)


def places(keys: list[tuple[object, ...]]) -> Float:
    """Rank of each key in ascending order, 0 first, shape (keys,)."""
    order = sorted(range(len(keys)), key=keys.__getitem__)
    place = np.empty(len(keys))
    place[order] = np.arange(len(keys))
    return place
