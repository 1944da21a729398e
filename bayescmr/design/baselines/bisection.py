"""Probabilistic bisection: ask where the CMR is thought to be, at the largest size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayescmr.design.baselines.common import pick_in_order, places, whole_runs
from bayescmr.design.outlook import Outlook
from bayescmr.design.policy import Pick


@dataclass(frozen=True)
class Bisection:
    """The largest affordable size, at the ratio nearest the posterior median of the CMR.

    Whole runs. The other picks of a batch are the next seeds there, then the next nearest ratios:
    before losses come in the median does not move.

    References
    ----------
    Waeber, Frazier & Henderson 2013, SIAM J. Control Optim. 51(3): asking at the posterior
    median is entropy-optimal where the target itself can be asked. Probes are mostly smaller
    than the target, so this is a baseline and not a recommendation.
    """

    name: str = "bisection"

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next, see `bayescmr.design.policy.Policy`."""
        options = whole_runs(outlook)
        median = float(np.median(outlook.cmr))
        runs = [t.candidate for t in outlook.trajectories]
        place = places([(-r.size, abs(r.ratio - median), r.seed, r.domain) for r in runs])
        return pick_in_order(outlook, options, place, budget=budget, batch=batch)
