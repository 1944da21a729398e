"""A small space, and draws from the prior, which answer like a posterior and need no sampler."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.design.stop_rules import StopRules
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import Made, Space
from bayescmr.planning.task import Task

SIZES = (2e4, 1e5, 3e5)
RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
MARKS = tuple(float(2048 * 2**k) for k in range(3, 9))


def _space(**changes) -> Space:
    given = {
        "domain": "law",
        "sizes": SIZES,
        "ratios": RATIOS,
        "checkpoints": dict.fromkeys(changes.get("sizes", SIZES), MARKS),
        "cost": Cost(evaluation_tokens=6e4, setup=1e9),
    }
    return Space(**{**given, **changes})


@pytest.fixture(scope="session")
def make_space() -> Callable[..., Space]:
    """Make a space; fields may be given."""
    return _space


@pytest.fixture(scope="session")
def space() -> Space:
    return _space()


@pytest.fixture(scope="session")
def target() -> bc.Target:
    return bc.Target(3e5, "law", MARKS[-1], 0.05)


@pytest.fixture(scope="session")
def task(space, target) -> Task:
    return Task(target, space, StopRules(width=0.08))


def _made(size=2e4, ratio=0.25, seed=1, reached=MARKS[2], **more) -> Made:
    return Made(f"{size:g}-{ratio:g}-{seed}", size, "law", ratio, seed, reached, **more)


@pytest.fixture(scope="session")
def make_made() -> Callable[..., Made]:
    """Make a run that was begun; its name is its size, ratio and seed."""
    return _made


def _rows(made: Made, change: Callable[[float], float], **more) -> list[dict[str, object]]:
    return [
        {
            "run": made.run,
            "size": made.size,
            "domain": made.domain,
            "ratio": made.ratio,
            "seed": made.seed,
            "tokens": tokens,
            "change_general": change(tokens),
            **more,
        }
        for tokens in MARKS
        if tokens <= made.reached
    ]


@pytest.fixture(scope="session")
def make_table() -> Callable[..., bc.RunTable]:
    """Make the run table of some runs, from a function of run and tokens."""

    def make(runs: Sequence[Made], change, **more) -> bc.RunTable:
        rows = [row for run in runs for row in _rows(run, lambda t, run=run: change(run, t))]
        return bc.RunTable.from_frame(pd.DataFrame(rows).assign(**more))

    return make


#: Two sizes of three, so that the target's own was never probed.
BEGUN = (
    _made(2e4, 0.25, 1, MARKS[-1]),
    _made(2e4, 0.25, 2, MARKS[1]),
    _made(2e4, 0.75, 1, MARKS[3]),
    _made(1e5, 0.25, 1, MARKS[2]),
    _made(1e5, 1.0, 1, MARKS[1]),
)


@pytest.fixture(scope="session")
def begun() -> tuple[Made, ...]:
    return BEGUN


@pytest.fixture(scope="session")
def prior(make_table) -> bc.Posterior:
    """Prior draws; some runs have shown changes, with standard errors."""
    table = make_table(BEGUN, lambda run, t: 0.03 * run.ratio + 1e-8 * t, se_general=0.002)
    return bc.prior_predictive(table, seed=3, draws=400)
