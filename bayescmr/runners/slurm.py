"""Probes as jobs of SLURM, through submitit; its local executor stands in where there is none.

The job's process becomes the wrapper by ``exec``. Submitit then neither catches signals, nor
guesses from the time what they mean, nor asks SLURM to run the job again: the warning before the
time limit or a preemption reaches the wrapper, the command saves, the attempt ends with 75, and the
campaign decides what comes next. A job that SLURM itself starts again finds its claim and ends.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import (
    JOB_ID,
    ask_to_stop,
    attempt_folder,
    claimant,
    ended,
    prepare,
    stand,
)
from bayescmr.runners.base import Job, Status
from bayescmr.runners.processes import identity

#: States of SLURM in which a job has not begun, and in which it may still do something; all others
#: are ends.
WAITING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD"}
)
UNDER_WAY = WAITING | {
    "RUNNING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED",
    "SPECIAL_EXIT", "UNKNOWN", "READY",
}  # fmt: skip

#: Jobs that this process has submitted: submitit's handles must outlive the runner, since those of
#: its local executor complain when they are dropped before the end.
_SUBMITTED: dict[str, Any] = {}


class SlurmRunner:
    """Submits jobs to SLURM; folders must be visible to its nodes, at the same path.

    Parameters
    ----------
    slots : int
        Jobs that may be submitted at once.
    parameters : mapping
        Of submitit's ``AutoExecutor.update_parameters``: ``slurm_partition``, ``slurm_account``,
        ``mem_gb``, ``timeout_min``, ``slurm_additional_parameters`` and so on.
    grace : float
        Seconds between the request to save and the kill. SLURM warns so long before its limit.
    beat : float
        Seconds between two signs of life.
    settle : float
        Seconds for which a job that SLURM calls ended may still be about to be seen to have
        written its end, on a shared file system.
    cluster : {"slurm", "local"}
        ``local``: processes of this machine, to try a campaign out.

    Raises
    ------
    CampaignError
        Submitit is not installed, there is no SLURM, or a value is out of range.
    """

    name = "slurm"

    def __init__(
        self,
        slots: int = 8,
        parameters: Mapping[str, Any] | None = None,
        *,
        grace: float = 120.0,
        beat: float = 15.0,
        settle: float = 60.0,
        cluster: Literal["slurm", "local"] = "slurm",
    ) -> None:
        if find_spec("submitit") is None:
            raise CampaignError(
                "runner slurm: submitit is not installed; `pip install 'bayescmr[slurm]'`"
            )
        if slots < 1:
            raise CampaignError(f"slots: got {slots!r}, expected a whole number >= 1")
        if not (grace > 0 and beat > 0 and settle >= 0):
            raise CampaignError(
                f"grace, beat, settle: got {grace!r}, {beat!r}, {settle!r}, expected seconds > 0"
            )
        if cluster not in ("slurm", "local"):
            raise CampaignError(f"cluster: got {cluster!r}, expected slurm or local")
        self._slots, self._parameters = slots, dict(parameters or {})
        self._grace, self._beat, self._settle = grace, beat, settle
        self._cluster = cluster
        self._over: dict[str, float] = {}
        self._queue: dict[str, str] | None = None
        self._asked = 0.0
        self._executor(Path.cwd(), None)  # finds out now what would fail later

    @property
    def slots(self) -> int:
        """How many jobs may be under way at once."""
        return self._slots

    def submit(self, job: Job) -> dict[str, Any]:
        """Submit a job, once: for a key that was submitted before, return its handle.

        A submission that was killed before it could tell the number of its job is made again: of
        the two jobs the first to start carries the attempt out, the other ends at once.

        Raises
        ------
        CampaignError
            SLURM refuses it, or it is ill-formed.
        """
        path = attempt_folder(job.folder, job.key)
        claimed = claimant(path)
        number, process = ("", None) if claimed is None else (claimed["job"], claimed["process"])
        if claimed is None and ended(path) is None:
            prepare(job, grace=self._grace, beat=self._beat)
            number = self._submit(job, path)
            process = identity(int(number)) if self._cluster == "local" else None
        return {
            "runner": self.name,
            "folder": str(job.folder),
            "key": job.key,
            "job": number,
            "process": process,
        }

    def poll(self, handle: Mapping[str, Any]) -> Status:
        """Return how a job stands: from its files, and where they are silent from SLURM."""
        path = attempt_folder(Path(handle["folder"]), handle["key"])

        def gone(claimed: Mapping[str, Any] | None) -> str:
            number = handle["job"] if claimed is None else claimed["job"]
            process = handle["process"] if claimed is None else claimed["process"]
            state = self._state(number, process)
            if state in UNDER_WAY:
                self._over.pop(number, None)
                return ""
            first = self._over.setdefault(number, time.monotonic())
            settled = time.monotonic() - first >= self._settle
            return f"SLURM calls job {number} {state}" if settled else ""

        return stand(path, gone)

    def stop(self, handle: Mapping[str, Any]) -> None:
        """Ask a job to save and end, or take it from the queue; nothing if it has ended."""
        path = attempt_folder(Path(handle["folder"]), handle["key"])
        ask_to_stop(path)
        number = handle["job"]
        begun = claimant(path) is not None or ended(path) is not None
        if not begun and self._state(number, handle["process"]) in WAITING:
            subprocess.run(["scancel", number], capture_output=True, check=False)

    def close(self) -> None:
        """Let go of what this object holds; jobs go on."""

    def _executor(self, path: Path, job: Job | None) -> Any:
        import submitit

        given = dict(self._parameters)
        if job is not None:
            given |= {"name": job.key, "cpus_per_task": job.cpus, "gpus_per_node": job.gpus}
            if job.minutes is not None:
                # The wrapper keeps the limit; that of SLURM is for a wrapper that cannot.
                given["timeout_min"] = math.ceil(job.minutes + self._grace / 60 + 1)
        given |= {"nodes": 1, "tasks_per_node": 1}
        if self._cluster == "local":
            given.setdefault("timeout_min", 10**6)
        else:
            given.setdefault("slurm_signal_delay_s", math.ceil(self._grace + self._beat))
            # An attempt is begun once: what SLURM starts again would only end at once.
            more = given.get("slurm_additional_parameters") or {}
            given["slurm_additional_parameters"] = {"no-requeue": True, **more}
        try:
            with warnings.catch_warnings(category=UserWarning, action="error"):
                executor = submitit.AutoExecutor(path / "submitit", cluster=self._cluster)
                executor.update_parameters(**given)
        except (
            RuntimeError, NameError, ValueError, AssertionError, TypeError, UserWarning
        ) as error:  # fmt: skip
            raise CampaignError(f"runner slurm: {' '.join(str(error).split())}") from None
        return executor

    def _submit(self, job: Job, path: Path) -> str:
        import submitit

        try:
            submitted = self._executor(path, job).submit(become_wrapper, str(job.folder), job.key)
        except (submitit.core.utils.FailedJobError, OSError) as error:
            raise CampaignError(
                f"job {job.key}: SLURM refuses it: {' '.join(str(error).split())}"
            ) from None
        self._queue = None  # the list that was read before does not have it
        _SUBMITTED[str(submitted.job_id)] = submitted
        return str(submitted.job_id)

    def _state(self, number: str, process: Mapping[str, Any] | None) -> str:
        if self._cluster == "local":
            # Asked through submitit, too, so that processes that have ended leave the table.
            job = _SUBMITTED.get(number)
            state = "" if job is None else job.state
            there = process is not None and identity(int(process["pid"])) == dict(process)
            return "RUNNING" if there or state == "RUNNING" else state or "NO PROCESS"
        now = time.monotonic()
        if self._queue is None or now - self._asked >= self._beat:
            self._queue, self._asked = _states(), now
        # SLURM forgets a job some minutes after its end, accounts or none.
        return "UNKNOWN" if self._queue is None else self._queue.get(number, "forgotten")


def _states() -> dict[str, str] | None:
    """Return the state of every job of this user that SLURM remembers; None if it is silent."""
    words = ["squeue", "--noheader", "--states=all", "--format=%i %T", f"--user={os.getuid()}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return dict(line.split()[:2] for line in done.stdout.splitlines() if " " in line.strip())


def become_wrapper(folder: str, key: str) -> None:
    """Let a process that submitit has started become the wrapper of an attempt."""
    import submitit

    os.environ[JOB_ID] = submitit.JobEnvironment().job_id
    words = [sys.executable, "-P", "-m", "bayescmr.runners.wrapper", folder, key]
    os.execv(sys.executable, words)
