"""The folder of one attempt: who may begin it, whether it goes on, how it ended.

::

    FOLDER/                    of the run: what the command reads and writes
      .attempt.lock            held by the one attempt that is under way
      attempts/KEY/
        command.json           what to carry out; made with the folder, in one step
        claim/process.json     the process that carries it out; made in one step, once
        beats                  a number that grows while that process lives
        stop                   somebody asks it to save and end
        stdout, stderr         of the command
        exit.json              how it ended; last

Three steps can be cut short by a kill, and each is safe because the step after it is made by one
rename that only one process can win. Between ``command.json`` and the start of a process: nothing
has begun, so whoever submits the key again may start another process, and the claim lets only one
begin. Between the claim and the end: the process of the claim is gone without ``exit.json``, so
the attempt is lost, and the claim keeps anybody from beginning it again. Two submissions at once:
both may start a process, one gets the claim, the other ends without having touched anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bayescmr.atomic import whole_folder, write_text
from bayescmr.errors import CampaignError
from bayescmr.runners.base import Job, Status
from bayescmr.runners.processes import alive, identity

ATTEMPTS = "attempts"
COMMAND, CLAIM, EXIT = "command.json", "claim", "exit.json"
BEATS, STOP, STDOUT, STDERR = "beats", "stop", "stdout", "stderr"
#: Variable by which processes of an attempt are known: its folder.
MARK = "BAYESCMR_ATTEMPT"
#: Exit code of a command that was stopped and has saved: the same command goes on.
STOPPED = 75
#: Variable by which a batch system's number of the job reaches the claim.
JOB_ID = "BAYESCMR_JOB_ID"
#: Variable that says which GPUs a process may use.
DEVICES = "CUDA_VISIBLE_DEVICES"

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def attempt_folder(folder: Path, key: str) -> Path:
    """Return the folder of an attempt.

    Raises
    ------
    CampaignError
        The key is no name of a folder, or the folder of the run is not absolute.
    """
    if not _KEY.fullmatch(key):
        raise CampaignError(
            f"job key: got {key!r}, expected up to 120 letters, digits, '.', '_', '-',"
            " the first a letter or digit"
        )
    if not folder.is_absolute():
        raise CampaignError(f"job {key}: folder: got {str(folder)!r}, expected an absolute path")
    return folder / ATTEMPTS / key


def prepare(job: Job, *, grace: float, beat: float) -> Path:
    """Make the folder of an attempt unless it is there; return it.

    Parameters
    ----------
    job : Job
        What is to be carried out.
    grace : float
        Seconds between asking the command to end and killing it.
    beat : float
        Seconds between two signs of life.

    Raises
    ------
    CampaignError
        The job is ill-formed, or the folder cannot be made.
    """
    path = attempt_folder(job.folder, job.key)
    if not job.command or any("\0" in word for word in job.command):
        raise CampaignError(
            f"job {job.key}: command: got {job.command!r}, expected a program and its arguments"
        )
    if path.exists():
        return path
    plain = {
        "command": list(job.command),
        "environment": dict(job.environment),
        "minutes": job.minutes,
        "grace": grace,
        "beat": beat,
    }
    try:
        with whole_folder(path) as partial:
            (partial / COMMAND).write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        if not (path / COMMAND).exists():  # else another process was quicker
            raise CampaignError(
                f"job {job.key}: cannot make {path} ({error.strerror or error}); make room, or"
                " choose another folder"
            ) from None
    return path


def claim(path: Path) -> bool:
    """Let this process be the one that carries an attempt out; False where another is."""
    return _claim(path, identity(os.getpid()))


def bury(path: Path) -> bool:
    """Let nobody begin an attempt whose process was lost; False where somebody has begun it."""
    return _claim(path, None)


def _claim(path: Path, process: Mapping[str, Any] | None) -> bool:
    devices = os.environ.get(DEVICES, "") if process else ""
    mine = {
        "process": process or {"pid": 0},
        "host": socket.gethostname(),
        "job": os.environ.get(JOB_ID, ""),
        "gpus": [gpu for gpu in devices.split(",") if gpu],
    }
    try:
        with whole_folder(path / CLAIM) as partial:
            (partial / "process.json").write_text(json.dumps(mine) + "\n", encoding="utf-8")
    except OSError:
        if not (path / CLAIM).exists():
            raise
        return False
    return True


def claimant(path: Path) -> dict[str, Any] | None:
    """Return who carries an attempt out: process, host, job, gpus; None before the claim."""
    kinds = {"process": dict, "host": str, "job": str, "gpus": list}
    return _read(path / CLAIM / "process.json", kinds)


def ended(path: Path) -> Status | None:
    """Return how an attempt ended, None while it has not."""
    last = _read(path / EXIT, {"exit_code": int, "reason": str})
    if last is None:
        return None
    return Status("ended", last["exit_code"], beats(path), last["reason"])


def write_end(path: Path, exit_code: int, reason: str) -> None:
    """Write how an attempt ended; nothing comes after it."""
    write_text(path / EXIT, json.dumps({"exit_code": exit_code, "reason": reason}) + "\n")


def stand(path: Path, gone: Callable[[Mapping[str, Any] | None], str]) -> Status:
    """Return how an attempt stands.

    What is lost stays lost: an attempt whose process ended before its claim is buried, so that
    none that another submission has started can begin it later.

    Parameters
    ----------
    path : Path
        Folder of the attempt.
    gone : callable
        Given the claim, None before there is one, says why whatever carries the attempt out is
        no more; "" where it is there, or may be.
    """
    last = ended(path)
    if last is not None:
        return last
    claimed = claimant(path)
    buried = claimed is not None and not claimed["process"]["pid"]
    why = "its process ended before it began" if buried else gone(claimed)
    if not why:
        return Status("pending" if claimed is None else "running", beats=beats(path))
    if claimed is None and path.exists():
        if not bury(path):  # it was claimed between two looks
            return stand(path, gone)
        if (path / STOP).exists():
            write_end(path, STOPPED, "stopped before it began")
    # It may have ended between two looks.
    return ended(path) or Status("lost", beats=beats(path), reason=f"{why}; {last_words(path)}")


def here(path: Path, started: Mapping[str, Any] | None = None) -> Status:
    """Return how an attempt on this machine stands, by the table of processes.

    Parameters
    ----------
    path : Path
        Folder of the attempt.
    started : mapping, optional
        Identity of the process that was started for it, and may not have claimed it yet.
    """

    def gone(claimed: Mapping[str, Any] | None) -> str:
        process = started if claimed is None else claimed["process"]
        there = process is not None and alive(process)
        return "" if there else "its process ended without a word"

    return stand(path, gone)


def ask_to_stop(path: Path) -> None:
    """Ask whatever carries an attempt out, on any machine, to save and end."""
    if not (path / EXIT).exists():
        with contextlib.suppress(FileNotFoundError):
            (path / STOP).touch()


def beats(path: Path) -> int:
    """Return the number of signs of life."""
    try:
        return int((path / BEATS).read_bytes() or 0)
    except (OSError, ValueError):
        return 0


def last_words(path: Path, most: int = 2000) -> str:
    """Return the end of standard error, or of standard output where that is empty."""
    for name in (STDERR, STDOUT):
        with contextlib.suppress(OSError), (path / name).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            text = file.read(most).decode(errors="replace")
            clean = "".join(c for c in text if c.isprintable() or c in "\n\t").strip()
            if clean:
                return f"{name}: {clean}"
    return "it said nothing"


def _read(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    """Read a JSON object that was written in one step; None while it is not there."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CampaignError(f"{path}: cannot be read ({error})") from None
    good = isinstance(data, dict) and all(isinstance(data.get(k), t) for k, t in kinds.items())
    if not good:
        raise CampaignError(
            f"{path}: got {str(data)[:80]!r}, expected {', '.join(kinds)}; it was changed by hand:"
            " delete the attempt's folder, which counts it as lost"
        )
    return data  # type: ignore[no-any-return]
