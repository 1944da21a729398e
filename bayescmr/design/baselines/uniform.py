"""Chance alone: any affordable run, at full length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescmr.design.baselines.common import costs, require_request, whole_runs
from bayescmr.design.outlook import Outlook
from bayescmr.design.policy import Pick, Scores


@dataclass(frozen=True)
class Random:
    """Uniform over the runs that the budget pays for, each at full length."""

    name: str = "random"

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next, see `bayescmr.design.policy.Policy`."""
        require_request(budget, batch)
        options = whole_runs(outlook)
        cost = costs(outlook, options)
        value = np.zeros(len(options))
        free = np.ones(len(options), bool)
        picks: list[Pick] = []
        while len(picks) < batch and (open_ := free & (cost <= budget)).any():
            chosen = int(rng.choice(np.flatnonzero(open_)))
            scores = Scores(options, value, cost, np.where(open_, 0.0, -np.inf))
            picks.append(Pick(chosen, scores, open_ / open_.sum()))
            free[chosen] = False
            budget -= float(cost[chosen])
        return tuple(picks)
