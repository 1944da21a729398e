"""What became of an attempt and what it is charged: every way to end."""

from __future__ import annotations

import pytest

from bayescmr.campaign.records import Attempt
from bayescmr.campaign.settlement import settlement
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import Space
from bayescmr.runners.base import Status

MARKS = (4096.0, 8192.0, 16384.0)
SETUP, SIZE = 1e8, 1e4
SPACE = Space("law", (SIZE,), (0.5,), {SIZE: MARKS}, cost=Cost(evaluation_tokens=1000, setup=SETUP))
#: FLOPs of a token (6 N) and of an evaluation (2 N on 1,000 tokens).
TOKEN, EVALUATION = 6e4, 2e7


def attempt(start=0.0, until=8192):
    return Attempt(
        key="aaaaaaaaaaaa-1", run="aaaaaaaaaaaa", number=1, round=1, size=SIZE, domain="law",
        ratio=0.5, seed=1, tokens=16384, checkpoints=tuple(map(int, MARKS)), until=until,
        cost=float(SPACE.flops(SIZE, start, [until])[0]), state="submitted", runner="local",
        handle={}, beats=0, reached_tokens=None, charge=None, exit_code=None, reason="",
    )  # fmt: skip


#: All from 0 tokens, to 8,192: the base and two checkpoints are measured.
WHOLE = SETUP + 8192 * TOKEN + 3 * EVALUATION
FIRST = SETUP + 4096 * TOKEN + 2 * EVALUATION
ENDS = {
    # what the runner says, tokens of the last loss: outcome, charge
    "reached": (("ended", 0), 8192, "done", WHOLE),
    "reached-then-killed": (("ended", -9), 8192, "done", WHOLE),
    "reached-then-lost": (("lost", None), 8192, "done", WHOLE),
    "beyond": (("ended", 0), 16384, "done", WHOLE),
    "liar": (("ended", 0), 4096, "failed", WHOLE),
    "liar-of-nothing": (("ended", 0), 0, "failed", FIRST),
    "stopped-at-a-checkpoint": (("ended", 75), 4096, "stopped", FIRST),
    "stopped-before-any": (("ended", 75), 0, "stopped", SETUP),
    "stopped-between": (("ended", 75), 5000, "stopped", WHOLE),
    "stopped-before-the-first": (("ended", 75), 2000, "stopped", FIRST),
    "diverged": (("ended", 4), 4096, "diverged", WHOLE),
    "diverged-at-its-end": (("ended", 4), 8192, "diverged", WHOLE),
    "failed": (("ended", 1), 4096, "failed", WHOLE),
    "killed": (("ended", -9), 0, "failed", FIRST),
    "lost": (("lost", None), 4096, "lost", WHOLE),
    "lost-at-once": (("lost", None), 0, "lost", FIRST),
    "wrong-input": (("ended", 2), 0, "failed", 0.0),
    "not-found": (("ended", 127), 0, "failed", 0.0),
    "not-executable": (("ended", 126), 0, "failed", 0.0),
    "wrong-input-later": (("ended", 2), 4096, "failed", WHOLE),
}


@pytest.mark.parametrize("name", ENDS)
def test_every_end(name):
    (state, code), reached, outcome, charge = ENDS[name]
    end = settlement(attempt(), Status(state, code, reason="last words"), SPACE, 0, reached)
    assert (end.outcome, end.reached) == (outcome, reached)
    assert end.charge == pytest.approx(charge, rel=1e-12)
    assert end.charge <= attempt().cost
    assert end.reason or outcome == "done"


def test_losses_that_break_the_contract_fail_it():
    end = settlement(attempt(), Status("ended", 0), SPACE, 0, 8192, "line 3: got rubbish")
    assert (end.outcome, end.reason) == ("failed", "line 3: got rubbish")
    assert end.charge == attempt().cost


def test_going_on_pays_no_tokens_twice():
    """From 4,096 to 16,384, stopped at 8,192: one set-up, 4,096 tokens, one evaluation."""
    end = settlement(attempt(4096, 16384), Status("ended", 75), SPACE, 4096, 8192)
    assert end.charge == pytest.approx(SETUP + 4096 * TOKEN + EVALUATION, rel=1e-12)
    idle = settlement(attempt(4096, 16384), Status("ended", 75), SPACE, 4096, 4096)
    assert idle.charge == SETUP
    # One that never began again costs nothing.
    never = settlement(attempt(4096, 16384), Status("ended", 127), SPACE, 4096, 4096)
    assert (never.outcome, never.charge) == ("failed", 0.0)


@pytest.mark.parametrize("cuts", [(4096,), (8192,), (4096, 8192)], ids=str)
def test_a_run_in_pieces_costs_its_whole_and_a_set_up_each(cuts):
    start, spent = 0, 0.0
    for stop in (*cuts, 16384):
        code = 0 if stop == 16384 else 75
        end = settlement(attempt(start, 16384), Status("ended", code), SPACE, start, stop)
        start, spent = stop, spent + end.charge
    whole = SETUP + 16384 * TOKEN + 4 * EVALUATION
    assert spent == pytest.approx(whole + len(cuts) * SETUP, rel=1e-12)
