"""The active policy: score, pick, take the pick as known, score again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bayescmr.design.acquisition import Acquisition, LossVariance
from bayescmr.design.exploration import Exploration
from bayescmr.design.outlook import Outlook
from bayescmr.design.policy import Pick
from bayescmr.design.refinement import Refinement
from bayescmr.errors import DesignError


@dataclass(frozen=True)
class Active:
    """Pick by what runs are worth per cost, given those that are paid for and picked already.

    Parameters
    ----------
    acquisition : Acquisition
        What a run is worth.
    exploration : Exploration
        How often another than the best is tried.
    refinement : Refinement, optional
        A second look at the best options before each pick, for `PosteriorVariance`.
    name : str
        What the policy is called; that of its acquisition by default.
    """

    acquisition: Acquisition = field(default_factory=LossVariance)
    exploration: Exploration = field(default_factory=Exploration)
    refinement: Refinement | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", f"active:{self.acquisition.name}")

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next; see `Policy`.

        Raises
        ------
        DesignError
            Draws, noise, budget or batch are ill-formed.
        """
        if batch < 1 or np.isnan(budget):
            raise DesignError(
                f"batch and budget: got {batch} and {budget}, expected batch >= 1 and FLOPs"
            )
        moments = self.acquisition.moments(outlook)
        picks: list[Pick] = []
        taken: set[int] = set()
        while len(picks) < batch:
            scores = self.acquisition.score(moments, budget=budget, taken=taken)
            if not np.isfinite(scores.score).any():
                break
            if self.refinement is not None:
                scores = self.refinement.refine(self.acquisition, moments, scores, rng)
            propensities = self.exploration.propensities(scores)
            pick = Pick(int(rng.choice(len(propensities), p=propensities)), scores, propensities)
            picks.append(pick)
            budget -= pick.cost
            taken.update(i for i, _ in pick.chosen.parts)
            if len(picks) < batch:
                moments = moments.given_option(pick.chosen)
        return tuple(picks)
