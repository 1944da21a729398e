"""What a campaign asks of whatever carries out its probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

#: ``pending``: accepted, not begun. ``ended``: the command returned. ``lost``: the runner knows
#: nothing of it any more (the machine is gone, the batch system forgot it), and it has not ended.
State = Literal["pending", "running", "ended", "lost"]


@dataclass(frozen=True)
class Job:
    """A command to be carried out once.

    Parameters
    ----------
    key : str
        Name of this attempt, unique in a campaign: submitting the same key again does not start
        it again.
    command : tuple of str
        Program and arguments.
    folder : Path
        Where it runs and leaves its files; absolute, visible to whatever carries it out.
    environment : mapping from str to str
        Variables beyond those of the runner.
    gpus, cpus : int
        What it needs.
    minutes : float or None
        Longest time it may take.
    """

    key: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0
    cpus: int = 1
    minutes: float | None = None


@dataclass(frozen=True)
class Status:
    """How a job stands.

    Parameters
    ----------
    state : {"pending", "running", "ended", "lost"}
        See :data:`State`.
    exit_code : int or None
        Of an ended job; negative for a signal.
    beats : int
        Grows while the job is alive; what has not grown for long is lost. No clock is compared
        with that of another machine.
    reason : str
        Last words, for people: the end of standard error, the message of the batch system.
    """

    state: State
    exit_code: int | None = None
    beats: int = 0
    reason: str = ""


class Runner(Protocol):
    """Carries out jobs. Whoever submitted one may be killed at any time and ask another time."""

    name: str

    @property
    def slots(self) -> int:
        """How many jobs may be under way at once."""
        ...

    def submit(self, job: Job) -> dict[str, Any]:
        """Start a job, once: for a key that was submitted before, return its handle.

        Returns
        -------
        dict
            Handle as plain JSON data, all that :meth:`poll` needs in another process.

        Raises
        ------
        CampaignError
            It cannot be started.
        """
        ...

    def poll(self, handle: Mapping[str, Any]) -> Status:
        """Return how a job stands."""
        ...

    def stop(self, handle: Mapping[str, Any]) -> None:
        """Ask a job to save and end (SIGTERM); nothing if it has ended."""
        ...

    def close(self) -> None:
        """Let go of what this object holds; jobs go on."""
        ...
