"""Probes as processes of this machine: so many at a time, so many GPUs each."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import (
    DEVICES,
    MARK,
    STDERR,
    ask_to_stop,
    attempt_folder,
    claimant,
    ended,
    here,
    prepare,
)
from bayescmr.runners.base import Job, Status
from bayescmr.runners.processes import end_marked, identity


class LocalRunner:
    """Runs jobs on this machine; they go on when the process that submitted them ends.

    After a restart ask for every job that is open before a new one is submitted: that tells which
    slots and GPUs are taken.

    Parameters
    ----------
    slots : int
        Jobs at a time.
    gpus : sequence of str or int
        GPUs to hand out, as CUDA_VISIBLE_DEVICES names them.
    grace : float
        Seconds between SIGTERM and SIGKILL, for a job that is stopped.
    beat : float
        Seconds between two signs of life.

    Raises
    ------
    CampaignError
        A number is out of range, or a GPU is named twice.
    """

    name = "local"

    def __init__(
        self,
        slots: int = 1,
        gpus: Sequence[str | int] = (),
        *,
        grace: float = 120.0,
        beat: float = 5.0,
    ) -> None:
        if slots < 1:
            raise CampaignError(f"slots: got {slots!r}, expected a whole number >= 1")
        names = tuple(map(str, gpus))
        if len(set(names)) < len(names) or isinstance(gpus, str):
            raise CampaignError(f"gpus: got {gpus!r}, expected a list of GPUs, each once")
        if not (grace > 0 and beat > 0):
            raise CampaignError(f"grace, beat: got {grace!r}, {beat!r}, expected seconds > 0")
        self._slots, self._gpus = slots, names
        self._grace, self._beat = grace, beat
        #: Folder of every attempt that was last seen under way, and its GPUs.
        self._open: dict[str, tuple[str, ...]] = {}
        self._children: set[int] = set()

    @property
    def slots(self) -> int:
        """How many jobs may be under way at once."""
        return self._slots

    def submit(self, job: Job) -> dict[str, Any]:
        """Start a job, once: for a key that was submitted before, return its handle.

        Raises
        ------
        CampaignError
            No slot or not enough GPUs are free, or the job is ill-formed.
        """
        path = attempt_folder(job.folder, job.key)
        claimed, process = claimant(path), None
        if claimed is None and ended(path) is None:
            # Also where an earlier submission was killed before its process began, or is at it
            # now: only one of the processes gets the claim, the others end without having done
            # anything.
            gpus = self._free(job, path)
            prepare(job, grace=self._grace, beat=self._beat)
            process = self._start(job, path, gpus)
        else:
            gpus = _gpus_of(claimed)
        self._open[str(path)] = gpus
        return {
            "runner": self.name,
            "folder": str(job.folder),
            "key": job.key,
            "gpus": list(gpus),
            "process": process,
        }

    def poll(self, handle: Mapping[str, Any]) -> Status:
        """Return how a job stands, from its files."""
        self._reap()
        path = attempt_folder(Path(handle["folder"]), handle["key"])
        status = here(path, handle["process"])
        if status.state in ("ended", "lost"):
            self._open.pop(str(path), None)
        else:
            # The claim may be that of a process started by another submission.
            claimed = claimant(path)
            self._open[str(path)] = _gpus_of(claimed) if claimed else tuple(handle["gpus"])
        if status.state == "lost":
            end_marked(MARK, str(path))
        return status

    def stop(self, handle: Mapping[str, Any]) -> None:
        """Ask a job to save and end; nothing if it has ended."""
        ask_to_stop(attempt_folder(Path(handle["folder"]), handle["key"]))

    def close(self) -> None:
        """Let go of what this object holds; jobs go on."""
        self._reap()

    def _free(self, job: Job, path: Path) -> tuple[str, ...]:
        others = {name: gpus for name, gpus in self._open.items() if name != str(path)}
        if len(others) >= self._slots:
            raise CampaignError(
                f"job {job.key}: all {self._slots} slots are taken; wait for one to be free"
            )
        taken = {gpu for gpus in others.values() for gpu in gpus}
        free = [gpu for gpu in self._gpus if gpu not in taken]
        if len(free) < job.gpus:
            raise CampaignError(
                f"job {job.key}: gpus: got {job.gpus}, but of"
                f" {', '.join(self._gpus) or 'none'} only {len(free)} are free"
            )
        return tuple(free[: job.gpus])

    def _start(self, job: Job, path: Path, gpus: tuple[str, ...]) -> dict[str, Any] | None:
        words = [sys.executable, "-P", "-m", "bayescmr.runners.wrapper", str(job.folder), job.key]
        # Several jobs on one machine, each with a thread for every core, would hinder each other.
        environment = {"OMP_NUM_THREADS": str(job.cpus), **os.environ}
        if self._gpus:
            environment[DEVICES] = ",".join(gpus)
        said = os.open(path / STDERR, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            # A session of its own: the terminal's Ctrl-C is for the controller alone.
            pid = os.posix_spawn(
                sys.executable,
                words,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing, 0),
                    (os.POSIX_SPAWN_DUP2, said, 1),
                    (os.POSIX_SPAWN_DUP2, said, 2),
                ],
                setsid=True,
            )
        except OSError as error:
            raise CampaignError(
                f"job {job.key}: cannot start a process ({error.strerror or error})"
            ) from None
        finally:
            os.close(said)
            os.close(nothing)
        self._children.add(pid)
        return identity(pid)

    def _reap(self) -> None:
        """Take leave of processes that have ended, which would stay in the table otherwise."""
        for pid in list(self._children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._children.discard(pid)


def _gpus_of(claimed: Mapping[str, Any] | None) -> tuple[str, ...]:
    return () if claimed is None else tuple(claimed["gpus"])
