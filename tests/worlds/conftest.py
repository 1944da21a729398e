"""A small space of runs, and one world in it."""

from __future__ import annotations

import pytest

from bayescmr.cmr import Target
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import Space
from bayescmr.worlds import prior_world

TOKENS = 8e9
SIZES = (1e8, 4e8)
FULL_RUN = 6 * SIZES[-1] * TOKENS


@pytest.fixture(scope="session")
def space():
    marks = (1e9, 2e9, 4e9, 8e9)
    return Space(
        "law",
        SIZES,
        (0.0, 0.25, 0.5, 0.75, 1.0),
        {SIZES[0]: marks, SIZES[1]: marks[:-1]},
        seeds=2,
        cost=Cost(6.0, 1e6, FULL_RUN / 1000),
    )


@pytest.fixture(scope="session")
def target():
    return Target(SIZES[-1], "law", TOKENS, 0.05)


@pytest.fixture(scope="session")
def make_world(space, target):
    return lambda seed: prior_world(space, target, "turning_point", seed)


@pytest.fixture(scope="session")
def inside(make_world):
    """The first world of the prior whose CMR lies well inside (0, 1)."""
    return next(w for w in map(make_world, range(100)) if 0.2 < w.truth < 0.8)
