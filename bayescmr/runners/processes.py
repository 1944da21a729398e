"""Processes of this machine: told apart for good, ended with all that they started. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def identity(pid: int) -> dict[str, Any] | None:
    """Return what tells a process from every other, later ones of the same number included.

    Parameters
    ----------
    pid : int
        Number of the process.

    Returns
    -------
    dict or None
        ``pid``; ``start``, in ticks since the machine was booted; ``boot``, the name of that
        boot; ``namespace`` that the number belongs to. None: there is no such process, or it has
        ended and only waits to be asked for its exit code.
    """
    try:
        # The name stands in brackets and may contain anything, brackets too.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return {
        "pid": pid,
        "start": int(fields[19]),
        "boot": (_PROC / "sys/kernel/random/boot_id").read_text().strip(),
        "namespace": os.readlink("/proc/self/ns/pid"),
    }


def alive(process: Mapping[str, Any]) -> bool:
    """Return whether the process of an identity still runs; False for one of another machine."""
    return identity(int(process["pid"])) == dict(process)


def end_marked(name: str, value: str) -> None:
    """Kill every process of ours that carries an environment variable of this value.

    A command may start others in sessions of their own (torchrun does), which a signal to its
    process group does not reach; the environment is inherited by all of them.
    """
    mark = f"{name}={value}".encode()
    for folder in _PROC.iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        # Processes of others cannot be read, and any may end while it is looked at.
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(int(folder.name))
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)


def begin_child(parent: int) -> None:
    """Prepare this process, a child before ``exec``, to be the command of a wrapper.

    It is killed by the kernel when its parent ends, which tells nobody: without this it would work
    on for ever. And it ignores the warning of SLURM, which goes to every process of a job and
    would end one that does not know it: the wrapper hands it on as SIGTERM.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be asked
        os._exit(1)
