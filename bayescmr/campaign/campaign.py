"""A campaign as its users see it: from Python, and behind every command."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bayescmr.campaign.added import added_runs
from bayescmr.campaign.config import Config, config_of, read_config
from bayescmr.campaign.controller import Controller, beating
from bayescmr.campaign.desk import Desk
from bayescmr.campaign.first import first_runs
from bayescmr.campaign.folder import own_folder
from bayescmr.campaign.records import BY_HAND, Attempt, Budget, Outcome, RoundRow
from bayescmr.campaign.running import runner_of
from bayescmr.campaign.settlement import settlement
from bayescmr.campaign.store import Store
from bayescmr.errors import CampaignError
from bayescmr.runners.base import Status
from bayescmr.runners.contract import DIVERGED, REACHED, STOPPED, rows_of
from bayescmr.runs import RunTable, read_runs

#: Seconds without a beat after which another controller is taken for dead.
PATIENCE = 30.0
_CODES: dict[Outcome, int] = {
    "done": REACHED,
    "stopped": STOPPED,
    "diverged": DIVERGED,
    "failed": 1,
}


@dataclass(frozen=True)
class Snapshot:
    """How a campaign stands.

    Parameters
    ----------
    name, state, reason : str
        Campaign; ``running``, ``paused`` or ``stopped``; why.
    budget : Budget
        FLOPs.
    rounds : tuple of RoundRow
        All fits and decisions.
    attempts : tuple of Attempt
        All attempts.
    """

    name: str
    state: str
    reason: str
    budget: Budget
    rounds: tuple[RoundRow, ...]
    attempts: tuple[Attempt, ...]

    @property
    def last_fit(self) -> RoundRow | None:
        """The last round with a fit; None before the first."""
        return next((row for row in reversed(self.rounds) if row.posterior), None)

    @property
    def certified(self) -> bool:
        """Whether it has ended with a result that may be called certain."""
        stop = None if self.last_fit is None else self.last_fit.decision["stop"]
        return self.state == "stopped" and stop is not None and bool(stop["certified"])

    def progress(self) -> pd.DataFrame:
        """One row per fit, as :func:`bayescmr.report.progress.campaign_progress` takes it.

        Returns
        -------
        DataFrame
            step, flops (spent since the fit before), lower, median, upper, ratio (of the first
            run picked; NaN where none was).
        """
        rows, before = [], 0.0
        for row in self.rounds:
            if not row.posterior:
                continue
            cmr = row.posterior["cmr"]
            ratio = row.chosen[0].parts[0].ratio if row.chosen else float("nan")
            rows.append(
                {
                    "step": row.number,
                    "flops": row.spent - before,
                    "lower": cmr["lower"],
                    "median": cmr["median"],
                    "upper": cmr["upper"],
                    "ratio": ratio,
                }
            )
            before = row.spent
        return pd.DataFrame(rows)


class Campaign:
    """A campaign in a store; see :meth:`new` and :meth:`open`.

    Parameters
    ----------
    store : Store
        Where it is kept.
    config : Config
        What it was told.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self.store, self.config = store, config

    @classmethod
    def new(cls, store: Store, config: Config | str | Path) -> Campaign:
        """Begin a campaign.

        Parameters
        ----------
        store : Store
            From :func:`bayescmr.campaign.open_store`.
        config : Config, str or Path
            What it is told, or the path of ``campaign.yaml``.

        Raises
        ------
        CampaignError, DesignError, RunTableError
            The name or the folder is taken, the first runs cost more than the budget, or the run
            table that it begins with cannot be used. Nothing is made.
        """
        if not isinstance(config, Config):
            config = read_config(config)
        first_runs(config)
        if config.probe is not None:
            runner_of(config.runner).close()
        earlier = None if config.runs is None else read_runs(config.runs)
        if earlier is not None:
            added_runs(earlier.frame, Path(str(config.runs)).name)
        store.require_free(config.name)
        with own_folder(config.folder, config.name, store.name):
            store.create(config.name, config.data, config.budget)
        campaign = cls(store, config)
        if earlier is not None:
            campaign._take_in(earlier, Path(str(config.runs)).name)
        return campaign

    @classmethod
    def open(cls, store: Store, name: str) -> Campaign:
        """Open a campaign of a store.

        Raises
        ------
        CampaignError
            There is none of that name, or this version cannot read what it was told.
        """
        row = store.campaign(name)
        config = config_of(row.config, f"campaign {name}")
        return cls(store, replace(config, name=name))

    @property
    def name(self) -> str:
        """Of the campaign."""
        return self.config.name

    def snapshot(self) -> Snapshot:
        """Return how it stands."""
        row = self.store.campaign(self.name)
        return Snapshot(
            self.name,
            row.state,
            row.reason,
            self.store.budget(self.name),
            tuple(self.store.rounds(self.name)),
            tuple(self.store.attempts(self.name)),
        )

    def runs(self) -> pd.DataFrame:
        """Return its run table, wide, as :func:`bayescmr.read_runs` takes it."""
        return self.store.runs(self.name)

    def add(self, path: str | Path) -> int:
        """Add runs that were made elsewhere; return how many are new. They cost nothing.

        Raises
        ------
        RunTableError, CampaignError
            The table cannot be used, or a run of that name is there with other losses.
        """
        return self._take_in(read_runs(path), Path(path).name)

    def _take_in(self, table: RunTable, source: str) -> int:
        return self.store.add_runs(self.name, table.frame, source, table.fingerprint)

    def run(
        self,
        *,
        interval: float = 2.0,
        patience: float = PATIENCE,
        watch: Callable[[Snapshot], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Snapshot:
        """Make runs until it is decided, paused, or its budget is gone.

        May be killed at any time and called again: nothing is lost, run or charged twice.

        Parameters
        ----------
        interval : float
            Seconds between two looks.
        patience : float
            Seconds after which a controller that gives no sign of life is taken for dead.
        watch : callable, optional
            Called with a snapshot after every look.
        stop : threading.Event, optional
            Set to leave; probes under way go on.

        Raises
        ------
        CampaignError
            Another controller is alive, or the store, the disk or the runner cannot go on.
        """
        runner = runner_of(self.config.runner)
        try:
            with self.store.acquire(self.name, _holder(), patience) as lease:
                controller = Controller(self.store, self.config, lease, runner)
                look = None if watch is None else partial(_show, watch, self)
                controller.run(interval=interval, patience=patience, watch=look, stop=stop)
        finally:
            runner.close()
        return self.snapshot()

    def ask(self, count: int = 1, *, patience: float = PATIENCE) -> list[Attempt]:
        """Ask which runs to make next, for people who make them themselves.

        What was asked for and not yet told counts as under way.

        Parameters
        ----------
        count : int
            Runs to ask for at most; a pair counts as one.
        patience : float
            See :meth:`run`.

        Returns
        -------
        list of Attempt
            Each to be trained to its ``until`` tokens, and told with :meth:`tell`; none where the
            campaign has stopped, which :meth:`snapshot` explains.
        """
        if self.store.campaign(self.name).state != "running":
            return []
        with self.store.acquire(self.name, _holder(), patience) as lease, beating(lease, patience):
            # An earlier question may have been killed before it was answered.
            found = [
                attempt
                for attempt in self.store.attempts(self.name, open_only=True)
                if attempt.handle is None
            ]
            if not found:
                found = list(Desk(self.store, self.config, lease).decide(count).attempts)
            for attempt in found:
                self.store.submitted(attempt.key, lease, BY_HAND, {})
        return found

    def tell(
        self,
        run: str,
        losses: Sequence[Mapping[str, Any]],
        outcome: Outcome = "done",
        *,
        patience: float = PATIENCE,
    ) -> None:
        """Tell what came of a run that was asked for.

        Parameters
        ----------
        run : str
            Name of the run, as it was asked for.
        losses : sequence of mapping
            One per checkpoint: ``tokens`` and columns of the wide run table, ``loss_general``
            for instance. May repeat what was told before.
        outcome : {"done", "stopped", "diverged", "failed"}
            ``stopped``: it ended before, and can be gone on with.
        patience : float
            See :meth:`run`.

        Raises
        ------
        CampaignError
            No such run is under way, its losses are no numbers, or it is not as far as asked.
        """
        if outcome not in _CODES:
            raise CampaignError(f"outcome: got {outcome!r}, expected one of {', '.join(_CODES)}")
        rows = [row for i, one in enumerate(losses) for row in rows_of(one, f"{run}, row {i + 1}")]
        with self.store.acquire(self.name, _holder(), patience) as lease:
            attempts = [a for a in self.store.attempts(self.name) if a.run == run]
            current = next((a for a in attempts if a.is_open), None)
            if current is None:
                raise CampaignError(f"campaign {self.name}: run {run}: {self._not_asked(attempts)}")
            tokens = max((row.tokens for row in rows), default=0)
            start = max((a.reached_tokens or 0 for a in attempts if not a.is_open), default=0)
            # No command ended with that code.
            words = "told to have failed" if outcome == "failed" else ""
            status = Status("ended", _CODES[outcome], reason=words)
            end = settlement(current, status, self.config.space, start, max(start, tokens))
            if end.outcome != outcome:
                raise CampaignError(
                    f"run {run}: got losses up to {tokens} tokens, expected {current.until}; say"
                    " outcome stopped for a run that ended before"
                )
            self.store.record_losses(run, lease, rows)
            self.store.settle(
                current.key,
                lease,
                outcome=end.outcome,
                reached_tokens=end.reached,
                charge=end.charge,
                exit_code=None,
                reason=end.reason,
            )

    def _not_asked(self, attempts: Sequence[Attempt]) -> str:
        """Why a run, all of whose attempts are given, has nothing to be told."""
        if attempts:
            last = attempts[-1]
            return (
                f"was told already: {last.state}, {last.reached_tokens or 0} tokens; what is on"
                " record stays, and it is asked for again where more of it is wanted"
            )
        known = ", ".join(a.run for a in self.store.attempts(self.name, open_only=True))
        return f"was not asked for, expected {f'one of {known}' if known else 'a run of `ask`'}"

    def pause(self, reason: str = "") -> None:
        """Choose and begin no more runs until :meth:`resume`; what has begun goes on to its end."""
        self.store.set_state(self.name, "paused", reason or "paused by a person")

    def resume(self) -> None:
        """Choose runs again."""
        self.store.set_state(self.name, "running")

    def stop(self, reason: str = "") -> None:
        """End it: what is under way is asked to save and end."""
        self.store.set_state(self.name, "stopped", reason or "stopped by a person")


def _show(watch: Callable[[Snapshot], None], campaign: Campaign) -> None:
    watch(campaign.snapshot())


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
