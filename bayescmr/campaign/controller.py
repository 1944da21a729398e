"""The loop: look at what is under way, settle what has ended, decide, submit.

It may be killed at any point and started again: what is to happen next is told by the store and by
the folders of the attempts alone. An attempt is reserved before it is submitted, and a submission
of the same key starts nothing twice; losses are recorded once; an attempt is settled once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bayescmr.campaign.config import Config
from bayescmr.campaign.desk import Desk
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.progress import (
    asked_to_pause,
    failures_in_a_row,
    is_given_up,
    settled_since_resumed,
)
from bayescmr.campaign.records import BY_HAND, Attempt
from bayescmr.campaign.settlement import settlement
from bayescmr.campaign.store import Store
from bayescmr.errors import CampaignError, ContradictionError
from bayescmr.runners.base import Job, Runner, Status
from bayescmr.runners.contract import ProbeJob, expand, reached, read_losses, write_job

#: Beats of a lease in the time after which others take its holder for dead.
BEATS = 10


class Controller:
    """Runs a campaign with a runner.

    Parameters
    ----------
    store : Store
        Where it is kept.
    config : Config
        What it was told; its ``probe`` says how a run is made.
    lease : Lease
        The right to write.
    runner : Runner
        Carries the probes out.
    """

    def __init__(self, store: Store, config: Config, lease: Lease, runner: Runner) -> None:
        if config.probe is None:
            raise CampaignError(
                f"campaign {config.name}: probe: got nothing, expected a command that makes a run;"
                " add probe.command, or use `bayescmr campaign ask` and `tell`"
            )
        self.desk = Desk(store, config, lease)
        self.store, self.config, self.lease, self.runner = store, config, lease, runner
        self._probe = config.probe
        self._stopping: set[str] = set()
        #: Whether losses came that no round has seen; a round looks for itself whether that is so.
        self._has_news = True

    def step(self) -> bool:
        """Do all that can be done now.

        Returns
        -------
        bool
            True if anything changed: call again at once.
        """
        name = self.config.name
        moved = False
        paused = asked_to_pause(self.store.rounds(name))
        for attempt in self._under_way():
            if attempt.handle is not None:
                moved |= self._look_at(attempt, attempt.key in paused)
        if self.store.campaign(name).state == "running":
            moved |= self._try_again()
        # Failures may just have paused it: for a command that fails, or machines that others need.
        if self.store.campaign(name).state != "paused":
            for attempt in self._under_way():
                if attempt.handle is None:
                    moved |= self._submit(attempt)
        if self.store.campaign(name).state == "running":
            moved |= self._decide()
        return moved

    def _under_way(self) -> list[Attempt]:
        """Attempts of this runner that are not settled, begun or not."""
        found = self.store.attempts(self.config.name, open_only=True)
        return [a for a in found if a.runner != BY_HAND]

    def run(
        self, *, interval: float, patience: float, watch: Callable[[], None] | None = None,
        stop: threading.Event | None = None,
    ) -> str:  # fmt: skip
        """Go on until the campaign has stopped or is paused, and nothing that began is under way.

        Parameters
        ----------
        interval : float
            Seconds between two looks where nothing changes.
        patience : float
            Seconds after which others take a controller that gives no sign of life for dead.
        watch : callable, optional
            Called after every look.
        stop : threading.Event, optional
            Set to leave; what is under way goes on, and the next call finds it.

        Returns
        -------
        str
            State of the campaign.

        Raises
        ------
        CampaignError
            The lease was lost, or the store or the disk cannot go on; call again once they can.
        """
        stop = stop or threading.Event()
        with beating(self.lease, patience) as lost:
            while not stop.is_set():
                moved = self.step()
                if lost:
                    raise lost[0]
                if watch is not None:
                    watch()
                state = self.store.campaign(self.config.name).state
                if self._is_over(state):
                    return state
                if not moved:
                    stop.wait(interval)
        return self.store.campaign(self.config.name).state

    def _is_over(self, state: str) -> bool:
        """Whether nothing is to be waited for; what a pause keeps from beginning is not."""
        left = self._under_way()
        if state == "paused":
            return all(attempt.handle is None for attempt in left)
        return state == "stopped" and not left

    def _look_at(self, attempt: Attempt, paused: bool) -> bool:
        assert attempt.handle is not None
        status = self.runner.poll(attempt.handle)
        new, tokens, fault = self._take_down(attempt)
        if status.beats != attempt.beats:
            self.store.beat(attempt.key, self.lease, status.beats)
        if status.state in ("ended", "lost"):
            # It may have written between the two looks.
            _, tokens, fault = self._take_down(attempt)
            self._settle(attempt, status, tokens, fault)
            return True
        if paused or self.store.campaign(self.config.name).state == "stopped":
            self._ask_to_stop(attempt)
        return new

    def _submit(self, attempt: Attempt) -> bool:
        """Hand a reserved attempt to the runner, if it has room."""
        if sum(a.handle is not None for a in self._under_way()) >= self.runner.slots:
            return False
        folder = self.folder(attempt)
        job = ProbeJob(
            run=attempt.run,
            size=attempt.size,
            domain=attempt.domain,
            ratio=attempt.ratio,
            seed=attempt.seed,
            tokens=attempt.tokens,
            until=attempt.until,
            checkpoints=attempt.checkpoints,
            settings=self._probe.of(attempt.size),
            root=self.config.root,
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CampaignError(
                f"{folder}: cannot be made ({error.strerror or error}); make room, and run again"
            ) from None
        write_job(folder, job)
        needs = self.config.runner
        handle = self.runner.submit(
            Job(
                key=attempt.key,
                command=expand(self._probe.command, job, folder),
                folder=folder,
                gpus=int(needs.get("gpus_per_probe", 0)),
                cpus=int(needs.get("cpus_per_probe", 1)),
                minutes=needs.get("minutes"),
            )
        )
        self.store.submitted(attempt.key, self.lease, self.runner.name, handle)
        return True

    def folder(self, attempt: Attempt) -> Path:
        """Return the folder of a run."""
        return self.config.folder / attempt.run

    def _take_down(self, attempt: Attempt) -> tuple[bool, int, str]:
        """Record what an attempt wrote.

        Returns
        -------
        tuple of (bool, int, str)
            Whether any of it is new, the tokens of the last loss, and what is wrong with them.
        """
        try:
            rows = read_losses(self.folder(attempt))
        except CampaignError as error:
            return False, 0, str(error)
        try:
            new = bool(rows) and self.store.record_losses(attempt.run, self.lease, rows) > 0
        except ContradictionError as error:
            return False, 0, str(error)
        self._has_news |= new
        return new, reached(rows), ""

    def _settle(self, attempt: Attempt, status: Status, tokens: int, fault: str) -> None:
        earlier = [
            other.reached_tokens or 0
            for other in self.store.attempts(self.config.name)
            if other.run == attempt.run and other.number < attempt.number
        ]
        start = max(earlier, default=0)
        end = settlement(attempt, status, self.config.space, start, max(start, tokens), fault)
        self.store.settle(
            attempt.key,
            self.lease,
            outcome=end.outcome,
            reached_tokens=end.reached,
            charge=end.charge,
            exit_code=status.exit_code,
            reason=end.reason,
        )

    def _ask_to_stop(self, attempt: Attempt) -> None:
        if attempt.handle is not None and attempt.key not in self._stopping:
            self._stopping.add(attempt.key)
            self.runner.stop(attempt.handle)

    def _try_again(self) -> bool:
        """Reserve another attempt of runs whose last one failed; pause where all of them do."""
        attempts = self.store.attempts(self.config.name)
        limit = self.config.attempts
        failures = failures_in_a_row(attempts)
        if failures >= limit:
            # Those before a person said "go on" are forgiven.
            since = settled_since_resumed(self.store.events(self.config.name))
            failures = failures_in_a_row([a for a in attempts if a.key in since])
        if failures >= limit:
            last = [a for a in attempts if not a.is_open][-1]
            self.store.set_state(
                self.config.name,
                "paused",
                f"the last {failures} attempts failed; the last one: {last.reason}; mend that,"
                " then `bayescmr campaign resume`",
            )
            return True
        moved = False
        for run in dict.fromkeys(a.run for a in attempts):
            tried = [a for a in attempts if a.run == run]
            if failures_in_a_row(tried) and not tried[-1].is_open:
                if is_given_up(tried, limit):
                    continue
                moved |= self.desk.again(tried[-1]) is not None
        return moved

    def _decide(self) -> bool:
        """Make a round where a slot is free; where none is, look at what is under way."""
        name = self.config.name
        free = min(self.runner.slots - len(self._under_way()), self.config.batch)
        if free < 1:
            return self.config.review and self._has_news and self._review()
        self._has_news = False
        decision = self.desk.decide(free)
        if decision.attempts or decision.stop is not None:
            return True
        if not self.store.attempts(name, open_only=True):
            self.store.set_state(name, "stopped", decision.nothing)
            return True
        return False

    def _review(self) -> bool:
        self._has_news = False
        decision = self.desk.review()
        if decision is None:
            return False
        for attempt in self._under_way():
            if attempt.key in decision.pause:
                self._ask_to_stop(attempt)
        return True


@contextmanager
def beating(lease: Lease, patience: float) -> Iterator[list[CampaignError]]:
    """Beat a lease in the background, also through long fits; yields what went wrong, if it did."""
    lost: list[CampaignError] = []
    end = threading.Event()

    def beat() -> None:
        while not end.wait(patience / BEATS):
            try:
                lease.beat()
            except CampaignError as error:
                lost.append(error)
                return

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        end.set()
        thread.join()
