"""The least that must have been probed before any result of a campaign may be certified."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from bayescmr.errors import DesignError

# A law has a slope in ln size and a scatter about it: two sizes cannot tell these apart.
MIN_SIZES = 3
# One seed says nothing of the run effect.
MIN_SEEDS = 2
# Target's size over the largest probed: beyond it the gap is stated.
MAX_GAP = 8.0


@dataclass(frozen=True)
class Floor:
    """What has been probed, as far as certification asks.

    Parameters
    ----------
    sizes, sizes_offered : int
        Sizes that were probed, and that the space of candidates has.
    seeds, seeds_offered : int
        Most seeds that were run at any one size and ratio, and that the space has.
    below, above : bool
        Whether a probed ratio is lower, and one higher, than the decision.
    largest, target : float
        Largest probed size, and the size of the target (non-embedding parameters).
    """

    sizes: int
    sizes_offered: int
    seeds: int
    seeds_offered: int
    below: bool
    above: bool
    largest: float
    target: float

    @property
    def lacks(self) -> tuple[str, ...]:
        """What is still to be probed, a phrase each; empty where the floor is reached."""
        found = []
        if self.sizes < (wanted := min(MIN_SIZES, self.sizes_offered)):
            found.append(f"{wanted} sizes (so far {self.sizes})")
        if self.seeds < (wanted := min(MIN_SEEDS, self.seeds_offered)):
            found.append(f"{wanted} seeds of one size and ratio (so far {self.seeds})")
        if not self.below:
            found.append("a ratio below the decision")
        if not self.above:
            found.append("a ratio above the decision")
        return tuple(found)

    @property
    def gap(self) -> str:
        """A sentence on how far the target is from the largest probe; "" where it is near."""
        if self.largest * MAX_GAP >= self.target:
            return ""
        return (
            f"The target is {self.target / self.largest:.0f} times larger than the largest probe"
            f" ({self.largest:.3g} parameters): how the law goes on from there is not measured."
        )


def floor(
    runs: Iterable[tuple[float, float, int]],
    *,
    decision: float,
    target: float,
    sizes_offered: int,
    seeds_offered: int,
) -> Floor:
    """Look at what has been probed.

    Parameters
    ----------
    runs : iterable of (float, float, int)
        Size, ratio and seed of every probe of the target's domain with a loss.
    decision : float
        Ratio that would be launched. At 0 nothing can be below it, at 1 nothing above.
    target : float
        Size that would be launched.
    sizes_offered, seeds_offered : int
        Different ones among candidates and runs.

    Raises
    ------
    DesignError
        Where there is no run.
    """
    seeds: dict[tuple[float, float], set[int]] = defaultdict(set)
    for size, ratio, seed in runs:
        seeds[size, ratio].add(seed)
    if not seeds:
        raise DesignError("floor design: got no run, expected at least one with a loss")
    return Floor(
        sizes=len({size for size, _ in seeds}),
        sizes_offered=sizes_offered,
        seeds=max(map(len, seeds.values())),
        seeds_offered=seeds_offered,
        below=decision <= 0 or any(ratio < decision for _, ratio in seeds),
        above=decision >= 1 or any(ratio > decision for _, ratio in seeds),
        largest=max(size for size, _ in seeds),
        target=target,
    )
