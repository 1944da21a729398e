"""``bayescmr campaign run``: the loop, until the decision is certain enough."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.campaign_options import (
    STORE,
    JsonMode,
    Name,
    Patience,
    StoreUrl,
    exit_code,
    opened,
)
from bayescmr.cli.exits import INTERRUPTED, RESUME
from bayescmr.cli.options import number
from bayescmr.cli.output import print_json, say, screen, warn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from bayescmr.campaign.campaign import Campaign, Snapshot

#: Seconds without a look after which the screen says what is going on.
_QUIET = 5.0


def run_command(
    name: Name,
    store: StoreUrl = STORE,
    interval: Annotated[
        float,
        typer.Option("--interval", parser=number("2"), help="Seconds between two looks."),
    ] = 2.0,
    patience: Patience = 30.0,
    json_mode: JsonMode = False,
) -> None:
    """Make runs until the decision is certain enough, the budget is gone, or somebody pauses it.

    May be stopped and killed at any time: probes under way go on, and the same command picks them
    up. The exit code is 0 where the campaign ended certified, 3 where it ended without, and 75
    where it is paused or the command was asked to end.

    [bold]Examples[/bold]

      bayescmr campaign run legal

      bayescmr campaign run legal --store campaigns.db --json > end.json
    """
    console = screen(json_mode=json_mode)
    with opened(store, name) as campaign, _told_to_leave() as leave:
        from bayescmr.cli.campaign_view import Standing, screen_of, status_dict

        with _watching(console, campaign) as watch:
            campaign.run(interval=interval, patience=patience, watch=watch, stop=leave.event)
        standing = Standing.of(campaign)
    console.print(screen_of(standing))
    if json_mode:
        print_json(status_dict(standing))
    waiting = sum(one.handle is None for one in standing.under_way)
    begun = len(standing.under_way) - waiting
    if leave.number is not None and (standing.under_way or standing.snapshot.state == "running"):
        goes_on = f"the probes under way ({begun}) go on, and the same command picks them up"
        begins = f" and begins those that wait ({waiting})" if waiting else ""
        warn(f"left by {leave.number.name}: {goes_on}{begins}")
        raise typer.Exit(INTERRUPTED if leave.number == signal.SIGINT else RESUME)
    if standing.snapshot.state == "paused":
        warn(f"paused: {standing.snapshot.reason}")
        say(f"`bayescmr campaign resume {name}` lets it choose runs again; then run it again")
    code = exit_code(standing.snapshot)
    if code:
        raise typer.Exit(code)


@dataclass
class _Leave:
    """Whether somebody has asked to leave, and by which signal."""

    event: threading.Event = field(default_factory=threading.Event)
    number: signal.Signals | None = None


@contextmanager
def _told_to_leave() -> Iterator[_Leave]:
    """Note a first signal, so that the step at hand ends well; a second one ends it at once."""
    leave = _Leave()

    def note(number: int, _frame: object) -> None:
        if leave.number is not None:
            # As safe as a kill, from which a campaign goes on as well.
            raise KeyboardInterrupt
        leave.number = signal.Signals(number)
        leave.event.set()
        say("leaving after the step at hand, a fit perhaps; once more to leave at once")

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in signals]
    try:
        yield leave
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _watching(console: Console, campaign: Campaign) -> Iterator[Callable[[Snapshot], None]]:
    """A table that lives where somebody looks; a line per round and failure elsewhere."""
    if not console.is_terminal:
        yield _Lines(console, campaign.snapshot()).look
        return
    from rich.live import Live

    table = _Table(campaign)
    # The first look comes after a first step, which may be a fit.
    table.look(campaign.snapshot())
    with Live(table, console=console, refresh_per_second=2, transient=True):
        yield table.look


class _Lines:
    """Tells what is new since the last look."""

    def __init__(self, console: Console, snapshot: Snapshot) -> None:
        self._console = console
        self._rounds = len(snapshot.rounds)
        self._ended = {a.key for a in snapshot.attempts if not a.is_open}
        self._before = self._rounds

    def look(self, snapshot: Snapshot) -> None:
        from bayescmr.cli.campaign_view import failure_line, round_line

        if self._before:
            made = "1 round was" if self._before == 1 else f"{self._before} rounds were"
            self._console.print(f"{made} made before", soft_wrap=True)
            self._before = 0
        for attempt in snapshot.attempts:
            if attempt.is_open or attempt.key in self._ended:
                continue
            self._ended.add(attempt.key)
            if attempt.state in ("failed", "lost", "diverged"):
                self._console.print(failure_line(attempt), soft_wrap=True)
        for row in snapshot.rounds[self._rounds :]:
            self._console.print(round_line(row), soft_wrap=True)
        self._rounds = len(snapshot.rounds)


class _Table:
    """How the campaign stood at the last look, drawn anew twice a second."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._shown: RenderableType = ""
        self._looked = time.monotonic()

    def look(self, snapshot: Snapshot) -> None:
        from bayescmr.cli.campaign_view import Standing, screen_of

        self._shown = screen_of(Standing.of(self._campaign, snapshot))
        self._looked = time.monotonic()

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        quiet = time.monotonic() - self._looked
        if quiet < _QUIET:
            return self._shown
        return Group(self._shown, "", f"at work on the next step, a fit perhaps: {quiet:.0f} s")
