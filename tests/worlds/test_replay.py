"""Replay: exactly the table's losses, and only what the table has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.cmr import Target
from bayescmr.errors import DesignError
from bayescmr.model.data import reference_of
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import Made
from bayescmr.worlds import ReplayWorld
from bayescmr.worlds.book import Book

TARGET = Target(4e8, "law", 8e9, 0.05)


def _frame(**changed):
    rng = np.random.default_rng(1)
    rows = [
        {
            "run": f"r{n:g}-{r}-{seed}", "size": n, "domain": "law", "ratio": r, "seed": seed,
            "tokens": t, "change_general": rng.normal(),
        }
        for n in (1e8, 4e8) for r in (0.25, 0.5) for seed in ((7, 9) if n < 2e8 else (7,))
        for t in (1e9, 2e9, 8e9)
    ]  # fmt: skip
    return bc.RunTable.from_frame(pd.DataFrame(rows)).frame.assign(**changed)


def _world(frame, target=TARGET):
    return ReplayWorld.of(frame, target, reference_of(frame), 0.4, cost=Cost(), min_tokens=2e9)


def test_gives_the_losses_of_the_table():
    frame = _frame()
    world = _world(frame)
    for number, seed in ((1, 7), (2, 9)):
        rows = frame[(frame["run"] == f"r1e+08-0.25-{seed}")].sort_values("tokens")
        np.testing.assert_array_equal(world.losses(1e8, 0.25, number), rows["change"])
    assert world.truth == 0.4
    assert world.space.checkpoints[1e8] == (1e9, 2e9, 8e9)


def test_stated_errors_go_with_the_losses():
    frame = _frame()
    frame["se"] = 1e-3 * np.arange(1, len(frame) + 1)
    world = _world(frame)
    (candidate,) = (c for c in world.space.candidates(()) if (c.size, c.ratio) == (4e8, 0.5))
    book = Book(world)
    book.buy(candidate, len(candidate.checkpoints) - 1, 1.0)
    book.deliver()
    rows = frame[frame["run"] == "r4e+08-0.5-7"].sort_values("tokens")
    bought = book.table()
    np.testing.assert_array_equal(bought["se_general"], rows["se"])
    np.testing.assert_array_equal(bought["change_general"], rows["change"])


def test_offers_what_the_table_has():
    world = _world(_frame())
    new = {(c.size, c.ratio, c.seed) for c in world.space.candidates(())}
    assert new == {(n, r, 1) for n in (1e8, 4e8) for r in (0.25, 0.5)}
    made = [Made("a", n, "law", 0.25, 1, 2e9) for n in (1e8, 4e8)]
    found = {(c.size, c.ratio, c.seed, c.reached) for c in world.space.candidates(made)}
    assert (1e8, 0.25, 2, 0.0) in found  # the second seed of the small size
    assert not any(n == 4e8 and seed == 2 for n, _, seed, _ in found)  # there is none
    assert {(1e8, 0.25, 1, 2e9), (4e8, 0.25, 1, 2e9)} <= found  # and what can be gone on with
    assert all(c.checkpoints[0] >= 2e9 for c in world.space.candidates(made))


def test_says_what_it_does_not_have():
    frame = _frame()
    with pytest.raises(DesignError, match=r"no run of size 4e\+08, ratio 0.25, seed 2"):
        _world(frame).losses(4e8, 0.25, 2)
    with pytest.raises(DesignError, match="no run of domain 'code'"):
        _world(frame, Target(4e8, "code", 8e9, 0.05))
    ragged = frame[(frame["run"] != "r1e+08-0.5-7") | (frame["tokens"] < 8e9)]
    with pytest.raises(DesignError, match=r"got checkpoints at 1e\+09, 2e\+09, expected those"):
        _world(ragged)
