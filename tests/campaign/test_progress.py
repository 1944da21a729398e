"""Where runs stand, when one is given up, and what a resume forgives."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from bayescmr.campaign.progress import (
    failures_in_a_row,
    is_given_up,
    runs_made,
    settled_since_resumed,
)
from bayescmr.campaign.records import Attempt, Event

CONFIG = SimpleNamespace(attempts=3)


def attempt(run="a", **changes):
    about = {
        "key": f"{run}-{changes.get('number', 1)}", "run": run, "number": 1, "round": 1,
        "size": 1e4, "domain": "law", "ratio": 0.5, "seed": 1, "tokens": 16384,
        "checkpoints": (4096, 8192, 16384), "until": 8192, "cost": 1e9, "state": "done",
        "runner": "local", "handle": {}, "beats": 0, "reached_tokens": None, "charge": None,
        "exit_code": None, "reason": "",
    }  # fmt: skip
    return Attempt(**{**about, **changes})


def tried(*states, **changes):
    return [attempt(number=i + 1, state=state, **changes) for i, state in enumerate(states)]


@pytest.mark.parametrize(
    ("states", "given_up", "row"),
    [
        (["failed", "failed"], False, 2),
        (["failed", "lost", "failed"], True, 3),
        (["failed", "failed", "stopped", "failed"], False, 1),
        (["failed", "failed", "failed", "submitted"], True, 3),
        (["done", "failed"], False, 1),
        (["diverged"], True, 0),
        (["diverged", "done"], True, 0),
        (["stopped", "stopped", "stopped"], False, 0),
        (["reserved"], False, 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else str(value),
)
def test_given_up(states, given_up, row):
    assert is_given_up(tried(*states), 3) is given_up
    assert failures_in_a_row(tried(*states)) == row


def test_a_command_that_says_all_is_well_is_not_asked_again():
    assert is_given_up([attempt(state="failed", exit_code=0)], 3)
    assert not is_given_up([attempt(state="failed", exit_code=1)], 3)


def table(**tokens):
    rows = [
        {"run": run, "size": 1e4, "domain": "law", "ratio": 0.5, "tokens": t, "loss_general": 3.0}
        for run, marks in tokens.items()
        for t in marks
    ]
    return pd.DataFrame(rows, columns=["run", "size", "domain", "ratio", "tokens", "loss_general"])


def test_runs_made_of_attempts_and_losses():
    attempts = [
        attempt("a", state="done", until=8192),
        attempt("a", number=2, state="submitted", until=16384),
        attempt("b", state="stopped", seed=2),
        attempt("c", state="done", until=16384),
        attempt("d", state="diverged"),
    ]
    found = runs_made(
        CONFIG, attempts, table(a=[0, 4096, 8192], b=[0, 4096], c=[16384], d=[4096], mine=[8192])
    )
    by_run = {made.run: made for made in found}
    assert (by_run["a"].reached, by_run["a"].until, by_run["a"].open) == (8192, 16384, True)
    assert (by_run["b"].reached, by_run["b"].until, by_run["b"].open) == (4096, None, True)
    assert by_run["b"].seed == 2
    assert not by_run["c"].open and not by_run["d"].open
    # A run of others: nobody's seed, and nobody goes on with it.
    assert (by_run["mine"].seed, by_run["mine"].open, by_run["mine"].reached) == (None, False, 8192)


def test_no_loss_yet():
    (made,) = runs_made(CONFIG, [attempt("a", state="submitted")], table())
    assert (made.reached, made.open) == (0.0, True)
    blank = table(a=[8192]).assign(loss_general=float("nan"))
    (made,) = runs_made(CONFIG, [attempt("a", state="failed")], blank)
    assert made.reached == 0.0


def test_a_resume_forgives_what_failed_before():
    def event(n, kind, **content):
        return Event(n, kind, "", content, "")

    events = [
        event(1, "settled", key="a-1"),
        event(2, "state", state="paused"),
        event(3, "settled", key="b-1"),
        event(4, "state", state="running"),
        event(5, "settled", key="c-1"),
    ]
    assert settled_since_resumed(events[:3]) == {"a-1", "b-1"}
    assert settled_since_resumed(events) == {"c-1"}
