"""Processes that tests of the store start, race and kill."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import bayescmr.campaign.store  # noqa: F401 (now: open_store would import it after each fork)
from bayescmr.campaign import open_store
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.records import (
    LossRow,
    NewAttempt,
    OptionRecord,
    Part,
    PickRecord,
    RoundRecord,
)
from bayescmr.errors import BudgetError

COST = 1e9


def together(tasks: list[Callable[[], None]]) -> None:
    """Do all at the same moment, each in a process of its own; fail if one does.

    Forks, since a new interpreter would take seconds each; nothing is open before.
    """
    reader, writer = os.pipe()
    children = []
    for task in tasks:
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)  # until the other end is closed
            try:
                task()
                os._exit(0)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        children.append(child)
    os.close(writer)
    ends = [os.waitpid(child, 0)[1] for child in children]
    os.close(reader)
    if any(ends):
        raise SystemExit("a process failed")


def new(run: str, seed: int, until: int = 8192) -> NewAttempt:
    return NewAttempt(run, 25e3, "law", 0.25, seed, 16384, (8192, 16384), until, COST)


def hold(url: str, name: str) -> None:
    """Hold a campaign, and be killed."""
    store = open_store(url)
    store.acquire(name, "holder", 60.0)
    os.kill(os.getpid(), signal.SIGKILL)


def spend(url: str, name: str, token: str, wanted: str) -> None:
    """Reserve one attempt after the other, in two processes with the lease of the test."""

    def one(who: int) -> None:
        with open_store(url) as store:
            lease = Lease(store._database, name, "both", int(token))
            for i in range(int(wanted)):
                with contextlib.suppress(BudgetError):
                    store.reserve(name, lease, 1, [new(f"{who}-{i}", 100 * who + i)])

    together([lambda: one(1), lambda: one(2)])


def open_(url: str, times: str) -> None:
    """Open a store that nobody has opened before, all at once."""

    def one(number: int) -> None:
        with open_store(url) as store:
            store.create(f"number-{number}", {})

    together([functools.partial(one, i) for i in range(int(times))])


def work(url: str, name: str, told: int) -> None:
    """Go on with a campaign as a controller does, until killed; a byte before each write."""

    def next_is(write: Callable[..., Any], *words: Any) -> None:
        os.write(told, b"x")
        write(*words)

    with open_store(url) as store:
        os.write(told, b"x")
        lease = store.acquire(name, f"process {os.getpid()}", 0.0)
        while True:
            next_is(lease.beat)
            for attempt in store.attempts(name, open_only=True):
                if attempt.state == "reserved":
                    # Whether it was submitted nobody knows: the runner gives the same handle.
                    next_is(store.submitted, attempt.key, lease, "local", {"key": attempt.key})
                rows = [
                    LossRow(tokens, "general", "general", "loss", 3.0 + attempt.seed / 1e6)
                    for tokens in (0, 8192)
                ]
                next_is(store.record_losses, attempt.run, lease, rows[:1])
                next_is(store.record_losses, attempt.run, lease, rows)
                end = (attempt.key, lease, "done", attempt.until, 0.9 * COST, 0, "")
                next_is(store.settle, *end)
            number = len(store.rounds(name))
            if 2 * number > len(store.attempts(name)):
                # The last round chose two runs that were not yet reserved.
                wanted = [new(f"{number}a", number), new(f"{number}b", 10_000 + number)]
                next_is(store.reserve, name, lease, number, wanted)
                continue
            number += 1
            part = Part(f"{number}a", 25e3, "law", 0.25, number, 8192)
            options = tuple(OptionRecord((part,), 1.0 * i, 1.0, COST, 0.125) for i in range(8))
            picks = (PickRecord(options, 7),)
            record = RoundRecord(number, "f", {}, number, "p", "0", 0.0, None, {}, picks)
            next_is(store.add_round, name, lease, record)


def killed(url: str, name: str, times: str, seed: str) -> None:
    """Start `work` that many times, and kill it each time at a random moment."""
    rng = random.Random(int(seed))
    for _ in range(int(times)):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            try:
                work(url, name, writer)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os.close(writer)
        # In the middle of some write, or between two: a write takes some milliseconds.
        for _ in range(rng.randint(1, 15)):
            os.read(reader, 1)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            raise SystemExit("a worker ended by itself")


if __name__ == "__main__":
    verbs = {"hold": hold, "spend": spend, "open": open_, "killed": killed}
    verbs[sys.argv[1]](*sys.argv[2:])
