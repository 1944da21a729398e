"""Probes as actors of a Ray cluster that is there: one detached actor carries one attempt out.

The name of the actor is made of the attempt, and Ray makes one actor of a name, so that an attempt
that is submitted twice is one. A detached actor needs nothing of the process that made it, also
while it waits for its resources.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import (
    ask_to_stop,
    attempt_folder,
    claimant,
    ended,
    prepare,
    stand,
)
from bayescmr.runners.base import Job, Status


class RayRunner:
    """Submits jobs to a Ray cluster; folders must be visible to its nodes, at the same path.

    Parameters
    ----------
    slots : int
        Jobs that may be submitted at once; Ray starts as many as its resources allow.
    address : str, optional
        Of the cluster: that of RAY_ADDRESS, or the one that runs on this machine.
    resources : mapping from str to float, optional
        Custom resources that every job needs, such as a label of the nodes meant for probes.
    namespace : str
        Of the names of actors; campaigns may share it.
    grace : float
        Seconds between the request to save and the kill.
    beat : float
        Seconds between two signs of life.
    settle : float
        Seconds for which a job whose actor has gone may still be about to be seen to have written
        its end, on a shared file system.

    Raises
    ------
    CampaignError
        Ray is not installed, or a value is out of range.
    """

    name = "ray"

    def __init__(
        self,
        slots: int = 8,
        address: str | None = None,
        *,
        resources: Mapping[str, float] | None = None,
        namespace: str = "bayescmr",
        grace: float = 120.0,
        beat: float = 15.0,
        settle: float = 30.0,
    ) -> None:
        if find_spec("ray") is None:
            raise CampaignError("runner ray: Ray is not installed; `pip install 'bayescmr[ray]'`")
        if slots < 1:
            raise CampaignError(f"slots: got {slots!r}, expected a whole number >= 1")
        if not (grace > 0 and beat > 0 and settle >= 0):
            raise CampaignError(
                f"grace, beat, settle: got {grace!r}, {beat!r}, {settle!r}, expected seconds > 0"
            )
        self._slots, self._address = slots, address
        self._resources, self._namespace = dict(resources or {}), namespace
        self._grace, self._beat, self._settle = grace, beat, settle
        self._connected = False
        self._gone: dict[str, float] = {}

    @property
    def slots(self) -> int:
        """How many jobs may be under way at once."""
        return self._slots

    def submit(self, job: Job) -> dict[str, Any]:
        """Start an actor, once: for a key that was submitted before, return its handle.

        Raises
        ------
        CampaignError
            There is no cluster, or the job is ill-formed.
        """
        path = attempt_folder(job.folder, job.key)
        digest = hashlib.sha256(str(job.folder).encode()).hexdigest()[:12]
        actor = f"{job.key}-{digest}"
        if claimant(path) is None and ended(path) is None:
            ray = self._ray()
            prepare(job, grace=self._grace, beat=self._beat)
            ray.remote(Attempt).options(
                name=actor,
                namespace=self._namespace,
                get_if_exists=True,
                lifetime="detached",
                max_restarts=0,
                num_cpus=job.cpus,
                num_gpus=job.gpus,
                resources=self._resources,
            ).remote(str(job.folder), job.key)
        return {
            "runner": self.name,
            "folder": str(job.folder),
            "key": job.key,
            "actor": actor,
            "namespace": self._namespace,
        }

    def poll(self, handle: Mapping[str, Any]) -> Status:
        """Return how a job stands: from its files, and where they are silent from Ray."""
        path = attempt_folder(Path(handle["folder"]), handle["key"])

        def gone(_claimed: Mapping[str, Any] | None) -> str:
            if self._actor(handle) is not None:
                self._gone.pop(handle["actor"], None)
                return ""
            first = self._gone.setdefault(handle["actor"], time.monotonic())
            settled = time.monotonic() - first >= self._settle
            return "Ray has lost its actor, or the node" if settled else ""

        return stand(path, gone)

    def stop(self, handle: Mapping[str, Any]) -> None:
        """Ask a job to save and end; one that waits for resources is taken back."""
        path = attempt_folder(Path(handle["folder"]), handle["key"])
        ask_to_stop(path)
        if claimant(path) is None and ended(path) is None:
            actor = self._actor(handle)
            if actor is not None:
                self._ray().kill(actor)

    def close(self) -> None:
        """Leave the cluster if this object has joined it; jobs go on."""
        if self._connected:
            self._ray().shutdown()
            self._connected = False

    def _ray(self) -> Any:
        import ray

        if not ray.is_initialized():
            # Never a cluster of this process's own: its jobs would end with it.
            address = self._address or os.environ.get("RAY_ADDRESS") or "auto"
            try:
                ray.init(address, namespace=self._namespace, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise CampaignError(
                    f"runner ray: no cluster at {address!r} ({' '.join(str(error).split())});"
                    " give its address, set RAY_ADDRESS, or start one with `ray start --head`"
                ) from None
            self._connected = True
        return ray

    def _actor(self, handle: Mapping[str, Any]) -> Any:
        try:
            return self._ray().get_actor(handle["actor"], namespace=handle["namespace"])
        except ValueError:
            return None


class Attempt:
    """The actor of an attempt: the parent of its wrapper, and gone with it.

    All is begun by the constructor, whose arguments Ray keeps: a call of a method would be lost
    with the process that made it, if the actor still waited for its resources then.
    """

    def __init__(self, folder: str, key: str) -> None:
        import ray

        words = [sys.executable, "-P", "-m", "bayescmr.runners.wrapper", folder, key]
        wrapper = subprocess.Popen([*words, str(os.getpid())], stdin=subprocess.DEVNULL)
        me = ray.get_runtime_context().current_actor

        def end_with_it() -> None:
            wrapper.wait()
            ray.kill(me)

        threading.Thread(target=end_with_it, daemon=True).start()
