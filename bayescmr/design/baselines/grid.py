"""The grid of the CMR paper: every size with every ratio, each run at full length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescmr.design.baselines.common import pick_in_order, places, whole_runs
from bayescmr.design.outlook import Outlook
from bayescmr.design.policy import Pick


@dataclass(frozen=True)
class Grid:
    """Sizes ascending, ratios ascending within a size, whole runs; then the next seed.

    A run that was begun has the place of its size, ratio and seed. What the budget does not
    pay for is passed over. The order depends on nothing but the candidates, so a campaign that
    was stopped goes on where it was.

    References
    ----------
    Gu et al. 2024, arXiv 2407.17467, section 4: a grid of sizes and ratios.
    """

    name: str = "grid"

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next, see `bayescmr.design.policy.Policy`."""
        options = whole_runs(outlook)
        runs = [t.candidate for t in outlook.trajectories]
        place = places([(r.seed, r.size, r.ratio, r.domain) for r in runs])
        return pick_in_order(outlook, options, place, budget=budget, batch=batch)
