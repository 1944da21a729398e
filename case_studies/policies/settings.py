"""What the studies of policies fix beforehand: spaces of runs, budgets, policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayescmr.cmr import Target
from bayescmr.design.acquisition import Information, PosteriorVariance, Straddle, VOptimal
from bayescmr.design.active import Active
from bayescmr.design.baselines import Bisection, Grid, Random, Sobol
from bayescmr.design.outlook import Option, Outlook
from bayescmr.design.policy import Pick, Policy
from bayescmr.design.refinement import Refinement
from bayescmr.design.stop_rules import StopRules
from bayescmr.model.spec import load_model
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import Space
from bayescmr.worlds import Rules

DOMAIN = "law"
TOKENS, SIZE, TOLERANCE = 20e9, 3.2e9, 0.05
SIZES = (5e7, 2e8, 8e8, SIZE)
RATIOS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
#: Of the grid: those of Gu et al. 2024 that the space has (1/3 is 3/8 here).
GRID_RATIOS = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0)
FULL_RUN = 6.0 * SIZE * TOKENS
MARKS = tuple(TOKENS / 2**k for k in range(7, -1, -1))
TARGET = Target(SIZE, DOMAIN, TOKENS, TOLERANCE)
#: The target's size can be afforded for a quarter of the target's tokens, smaller ones for all.
SPACE = Space(
    DOMAIN,
    SIZES,
    RATIOS,
    {size: MARKS if size < SIZE else MARKS[:-2] for size in SIZES},
    seeds=3,
    cost=Cost(training=6.0, evaluation_tokens=4e6, setup=FULL_RUN / 1000),
)
#: Two ratios and a duplicated seed at the smallest size, one run of the next: 3 % of a full run.
FIRST = (
    (SIZES[0], 0.25, 1, TOKENS / 4),
    (SIZES[0], 0.75, 1, TOKENS / 4),
    (SIZES[0], 0.75, 2, TOKENS / 4),
    (SIZES[1], 0.5, 1, TOKENS / 4),
)
#: Four full runs: what the paper's grid costs (3.5), the target's size at a quarter of the tokens.
BUDGET = 4.0 * FULL_RUN
LEVELS = tuple(BUDGET / 2 ** (k / 2) for k in range(10, -1, -1))
#: Those of the tables.
SHOWN = LEVELS[::2]
RISK = 0.1
WIDTH, ERROR = 0.08, 0.02
MODEL = load_model("turning_point")
RULES = Rules(FIRST, BUDGET, LEVELS, MODEL, picks=40, risk=RISK, stop=StopRules(width=WIDTH))


@dataclass(frozen=True)
class Among:
    """A policy that is offered only some ratios.

    Parameters
    ----------
    policy : Policy
        Chooses.
    ratios : tuple of float
        What it is offered.
    """

    policy: Policy
    ratios: tuple[float, ...]

    @property
    def name(self) -> str:
        """That of the policy."""
        return self.policy.name

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose among runs at these ratios."""
        kept = [i for i, t in enumerate(outlook.trajectories) if t.candidate.ratio in self.ratios]
        part = replace(outlook, trajectories=tuple(outlook.trajectories[i] for i in kept), pairs=())
        picks = self.policy.propose(part, budget=budget, batch=batch, rng=rng)
        return tuple(
            replace(pick, scores=replace(pick.scores, options=_named(pick.scores.options, kept)))
            for pick in picks
        )


def _named(options: tuple[Option, ...], kept: list[int]) -> tuple[Option, ...]:
    """Options by the numbers of the whole outlook."""
    return tuple(Option(tuple((kept[i], k) for i, k in option.parts)) for option in options)


#: By name; each is made for one world from its seed and the ratios of its grid. All that weigh a
#: benefit against cost do so with the default's exponent.
POLICIES: dict[str, Callable[[int, tuple[float, ...]], Policy]] = {
    "active": lambda seed, grid: Active(name="active"),
    "variance": lambda seed, grid: Active(
        PosteriorVariance(), refinement=Refinement(), name="variance"
    ),
    "v_optimal": lambda seed, grid: Active(VOptimal(), name="v_optimal"),
    "sobol": lambda seed, grid: Sobol(seed=seed),
    "random": lambda seed, grid: Random(),
    "grid": lambda seed, grid: Among(Grid(), grid),
    "d_optimal": lambda seed, grid: Active(Information(), name="d_optimal"),
    "straddle": lambda seed, grid: Active(Straddle(exponent=0.7), name="straddle"),
    "bisection": lambda seed, grid: Bisection(),
}
#: Those of the comparison; the others are there to be asked for.
COMPARED = (
    "active", "variance", "v_optimal", "sobol", "grid", "random", "d_optimal", "straddle"
)  # fmt: skip
#: Those that play where the law is wrong: a matter of how certain one becomes, which the
#: space-filling design shows as well.
WRONG_LAW = ("active", "sobol")
