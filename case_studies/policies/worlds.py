"""The worlds of the studies, each a function of its number."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from settings import MODEL, SPACE, TARGET, TOLERANCE

from bayescmr.runs.schema import MAX_LOSS
from bayescmr.worlds import SimulatedWorld, prior_world
from bayescmr.worlds.departures import HeavyTails, NonMonotone, SizeByTime
from bayescmr.worlds.simulated import off_law

#: Truths of misspecified worlds lie strictly between: elsewhere hardly anything can go wrong.
INSIDE = (0.05, 0.95)


def well_specified(seed: int) -> SimulatedWorld:
    """A draw from the prior, whatever its truth."""
    return prior_world(SPACE, TARGET, MODEL, seed)


def _size_by_time(world: SimulatedWorld, rng: np.random.Generator) -> SimulatedWorld:
    return world.departing(SizeByTime(float(rng.choice([-0.02, 0.02]))))


def _heavy_tails(world: SimulatedWorld, rng: np.random.Generator) -> SimulatedWorld:
    return world.departing(HeavyTails(3.0))


def _non_monotone(world: SimulatedWorld, rng: np.random.Generator) -> SimulatedWorld:
    return world.departing(NonMonotone(0.6 * TOLERANCE, float(rng.uniform(0.15, 0.7))))


def _off_law(world: SimulatedWorld, rng: np.random.Generator) -> SimulatedWorld:
    return off_law(world, float(rng.choice([-2.0, 2.0])))


#: By name: how a world departs from its law.
KINDS: dict[str, Callable[[SimulatedWorld, np.random.Generator], SimulatedWorld]] = {
    "size_by_time": _size_by_time,
    "heavy_tails": _heavy_tails,
    "non_monotone": _non_monotone,
    "off_law": _off_law,
}


def _largest(world: SimulatedWorld) -> float:
    """Largest change of loss, either sign, of all runs that could be bought."""
    runs = itertools.product(SPACE.sizes, SPACE.ratios, range(1, SPACE.seeds + 1))
    return max(float(np.abs(world.losses(*run)).max()) for run in runs)


def misspecified(kind: str, seed: int) -> SimulatedWorld:
    """The first draw from the prior whose truth, the departure included, lies inside.

    And whose losses a language model can have: tails of a noise prior, made heavier, pass what a
    run table takes.
    """
    for number in range(1000):
        entropy = np.random.SeedSequence([seed, number])
        world = well_specified(int(entropy.generate_state(1)[0] // 2))
        found = KINDS[kind](world, np.random.default_rng(entropy.spawn(1)[0]))
        if INSIDE[0] < found.truth < INSIDE[1] and _largest(found) < MAX_LOSS:
            return found
    raise AssertionError(f"{kind}: no truth inside in 1000 draws")
