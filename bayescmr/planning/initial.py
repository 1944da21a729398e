"""The first runs, before there is a posterior to design with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bayescmr.design.outlook import Candidate
from bayescmr.errors import DesignError
from bayescmr.planning.space import Made, Space

#: Ratios of the first runs: far enough apart for a slope, not at the ends.
RATIOS = (0.3, 0.7)
#: Share of the budget that one of the first runs may cost; longer ones are cut.
SHARE = 0.04
#: Runs of the domain that make a first design unnecessary.
ENOUGH = 4


@dataclass(frozen=True)
class First:
    """A run of the first design, to one of its checkpoints.

    Parameters
    ----------
    candidate : Candidate
        The run.
    checkpoint : int
        Index of the checkpoint at which it stops.
    cost : float
        FLOPs.
    """

    candidate: Candidate
    checkpoint: int
    cost: float


def initial_design(space: Space, made: Sequence[Made], budget: float) -> tuple[First, ...]:
    """Choose the first runs: two cheap sizes at two ratios, and a second seed of the cheapest.

    Each is cut to what may be spent on it. Little is decided here; the runs are there so that the
    first fit knows the scale of the noise, and which way the loss goes.

    Parameters
    ----------
    space : Space
        What could be run.
    made : sequence of Made
        Runs begun so far; nothing is chosen where these are enough.
    budget : float
        FLOPs that are left.

    Returns
    -------
    tuple of First
        Empty where there is nothing to do.

    Raises
    ------
    DesignError
        The budget does not reach for the first runs.
    """
    own = [run for run in made if run.domain == space.domain]
    if len(own) >= ENOUGH:
        return ()
    # Of a size whose first checkpoint alone costs too much there is no candidate.
    offered = {candidate.size for candidate in space.candidates([])}
    sizes = sorted(offered, key=space.full_cost)[:2]
    inner = [ratio for ratio in space.ratios if 0 < ratio < 1] or list(space.ratios)
    ratios = dict.fromkeys(min(inner, key=lambda r: abs(r - wish)) for wish in RATIOS)
    wanted = Counter((size, ratio) for size in sizes for ratio in ratios)
    if space.seeds > 1:
        wanted[next(iter(wanted))] += 1
    begun = list(own)
    found: list[First] = []
    left = budget
    for setting, runs in wanted.items():
        for _ in range(runs - sum((run.size, run.ratio) == setting for run in own)):
            # A run that came to nothing may stand there again, behind the new one.
            candidate = next(
                c for c in space.candidates(begun) if c.is_new and (c.size, c.ratio) == setting
            )
            first = _cut(space, candidate, budget)
            if first.cost > left:
                raise DesignError(
                    f"budget: got {budget:.3g} FLOPs, of which {left:.3g} are left, expected"
                    f" {first.cost:.3g} more for one of the first runs ({setting[0]:g} parameters);"
                    " raise the budget, or offer smaller sizes or earlier checkpoints"
                )
            left -= first.cost
            found.append(first)
            begun.append(
                Made(
                    f"first {len(found)}",
                    candidate.size,
                    candidate.domain,
                    candidate.ratio,
                    candidate.seed,
                    0.0,
                    open=False,
                )
            )
    return tuple(found)


def _cut(space: Space, candidate: Candidate, budget: float) -> First:
    costs = space.flops(candidate.size, 0.0, candidate.checkpoints)
    within = [i for i, cost in enumerate(costs) if cost <= SHARE * budget]
    last = within[-1] if within else 0
    return First(candidate, last, float(costs[last]))
