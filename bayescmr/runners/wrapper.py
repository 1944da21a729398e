"""Carries one attempt out: ``python -m bayescmr.runners.wrapper FOLDER KEY [PARENT]``.

The same process stands between every runner and its command, so that beats, stops, time limits and
exit codes mean the same everywhere. It is asked to stop by SIGTERM, SIGINT or SIGUSR2 (the warning
of SLURM), by the file ``stop``, by its time limit, or by the end of the process PARENT; the command
is always told by SIGTERM. What does not end within the grace period is killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from bayescmr.runners.attempt import (
    BEATS,
    CLAIM,
    COMMAND,
    MARK,
    STDERR,
    STDOUT,
    STOP,
    STOPPED,
    attempt_folder,
    claim,
    ended,
    here,
    last_words,
    write_end,
)
from bayescmr.runners.processes import begin_child, end_marked

#: Seconds between two looks at what may ask for a stop.
TICK = 0.2
#: Seconds that an attempt waits for the processes of a killed one to be gone.
PATIENCE = 3.0
LOCK = ".attempt.lock"
#: Exit codes of a shell for a command that cannot be started, and for one that does not exist.
NOT_STARTED, NOT_FOUND = 126, 127


def main(folder: Path, key: str, parent: int | None = None) -> int:
    """Carry an attempt out unless somebody has begun it; return the exit code of its command."""
    path = attempt_folder(folder, key)
    stop = _StopRequests(path, parent)
    if not claim(path):
        last = ended(path)
        return 0 if last is None or last.exit_code is None else last.exit_code
    _end_leftovers(path)
    with _alone(folder) as lock:
        if lock is None:
            code, reason = STOPPED, "another attempt of this run is under way; nothing was done"
        elif stop.wanted():
            code, reason = STOPPED, "stopped before it began"
        else:
            plan = json.loads((path / COMMAND).read_text(encoding="utf-8"))
            code, reason = _carry_out(plan, folder, path, lock, stop)
    _write_end(path, code, reason)
    return code


class _StopRequests:
    """Whether somebody has asked for a stop, and who."""

    def __init__(self, path: Path, parent: int | None) -> None:
        self._file, self._parent = path / STOP, parent
        self.reason = ""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.reason = f"stopped by {signal.Signals(number).name}"

    def wanted(self) -> bool:
        if not self.reason and self._file.exists():
            self.reason = "stopped on request"
        if not self.reason and self._parent is not None and os.getppid() != self._parent:
            self.reason = "stopped, for the process that started it has gone"
        return bool(self.reason)


def _end_leftovers(path: Path) -> None:
    """End what attempts of this run left behind on this machine when their wrapper was killed."""
    for other in path.parent.iterdir():
        if other != path and (other / CLAIM).exists() and here(other).state == "lost":
            end_marked(MARK, str(other))


@contextmanager
def _alone(folder: Path) -> Iterator[int | None]:
    """Yield the lock of the run, None where another attempt holds it.

    The command inherits it, so that the run counts as taken until the last of both is gone.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        until = time.monotonic() + PATIENCE
        held = False
        while not held and time.monotonic() < until:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                time.sleep(TICK)
        yield handle if held else None
    finally:
        os.close(handle)


def _carry_out(
    plan: dict[str, Any], folder: Path, path: Path, lock: int, stop: _StopRequests
) -> tuple[int, str]:
    me = os.getpid()
    environment = {**os.environ, **plan["environment"], MARK: str(path)}
    with (path / STDOUT).open("ab") as out, (path / STDERR).open("ab") as err:
        try:
            process = subprocess.Popen(
                plan["command"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=(lock,),
                process_group=0,
                # There is no other thread here that a fork could catch holding a lock.
                preexec_fn=lambda: begin_child(me),
            )
        except FileNotFoundError:
            return NOT_FOUND, f"no program {plan['command'][0]!r}; give its whole path"
        except OSError as error:
            return NOT_STARTED, f"cannot start {plan['command'][0]!r} ({error.strerror or error})"
        killed = _watch(process, path, stop, plan)
    code = process.wait()
    end_marked(MARK, str(path))
    said = [stop.reason] if stop.reason else []
    if killed:
        said.append(f"ignored SIGTERM for {plan['grace']:g} s and was killed")
    elif code < 0:
        said.append(f"ended by {_signal_name(-code)}")
    if code or not said:
        said.append(last_words(path) if code else "done")
    return code, "; ".join(said)


def _watch(
    process: subprocess.Popen[bytes], path: Path, stop: _StopRequests, plan: dict[str, Any]
) -> bool:
    """Wait for the end of the command; return whether it had to be killed."""
    began = beaten = time.monotonic()
    limit = None if plan["minutes"] is None else began + 60 * plan["minutes"]
    told: float | None = None
    count, killed = 0, False
    handle = os.pidfd_open(process.pid)
    pulse = os.open(path / BEATS, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        while not select.select([handle], [], [], TICK)[0]:
            now = time.monotonic()
            if now - beaten >= plan["beat"]:
                beaten, count = now, count + 1
                # In place, so that a full disk does not look like a death.
                with contextlib.suppress(OSError):
                    os.pwrite(pulse, b"%012d" % count, 0)
            if told is None and limit is not None and now >= limit:
                stop.reason = stop.reason or f"stopped after its {plan['minutes']:g} minutes"
            if told is None and stop.wanted():
                told = now
                os.killpg(process.pid, signal.SIGTERM)
            if told is not None and not killed and now - told >= plan["grace"]:
                killed = True
                os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(handle)
        os.close(pulse)
    return killed


def _write_end(path: Path, code: int, reason: str) -> None:
    """Write the end, and where the disk is full wait for room: an hour, then it is lost."""
    for left in range(720, -1, -1):
        try:
            write_end(path, code, reason)
            return
        except OSError:
            if not left:
                raise
            time.sleep(5)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:4])) % 256)
