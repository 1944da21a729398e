"""One call that maps a task over indices: in this process, over processes, or over Ray."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.util import find_spec
from multiprocessing import connection
from typing import Any, Literal, get_args

from bayescmr.errors import CheckError

Executor = Literal["processes", "ray", "serial"]


def map_indices[T](
    task: Callable[[int], T],
    indices: Sequence[int],
    *,
    executor: Executor = "processes",
    workers: int | None = None,
) -> Iterator[T]:
    """Yield ``task(i)`` for every index, in the order in which they finish.

    The task alone decides its result, so results are the same wherever it runs.

    Parameters
    ----------
    task : callable
        Of one index; must be picklable unless ``executor`` is ``serial``.
    indices : sequence of int
        What to run.
    executor : {"processes", "ray", "serial"}
        ``ray`` uses the cluster that this process is connected to or that RAY_ADDRESS names, else
        it starts one on this machine. ``processes`` import the calling script anew: what it does
        must stand under ``if __name__ == "__main__"``.
    workers : int, optional
        How many run at once; default: cores of this machine, or of the cluster.

    Raises
    ------
    CheckError
        Unknown executor, Ray is not installed, or a process died (killed, out of memory).
    """
    if executor not in get_args(Executor):
        raise CheckError(
            f"executor: got {executor!r}, expected one of {', '.join(get_args(Executor))}"
        )
    if workers is not None and workers < 1:
        raise CheckError(f"workers: got {workers!r}, expected a whole number >= 1")
    if executor == "serial":
        return map(task, indices)
    if executor == "ray":
        return _over_ray(task, indices, workers)
    return _over_processes(task, indices, workers or os.cpu_count() or 1)


def _over_processes[T](
    task: Callable[[int], T], indices: Sequence[int], workers: int
) -> Iterator[T]:
    # Spawned, not forked: compiled code and the sampler's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent
    )
    left = iter(indices)
    running: set[Future[T]] = set()
    try:
        while True:
            # Few are handed out at a time, so that stopping loses little.
            for index in left:
                running.add(pool.submit(task, index))
                if len(running) >= workers + 1:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise CheckError(
            "a worker process died (killed, or out of memory); results so far are kept: give the"
            " same command again, with fewer --workers where memory is short"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let a worker end when its parent is killed, which tells nobody: else it works on for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _over_ray[T](
    task: Callable[[int], T], indices: Sequence[int], workers: int | None
) -> Iterator[T]:
    if find_spec("ray") is None:
        raise CheckError(
            "executor: got 'ray', which is not installed; `pip install 'bayescmr[ray]'`, or use"
            " processes"
        )
    import ray

    started = not ray.is_initialized()
    if started:
        # No number of cores: a cluster named by RAY_ADDRESS has its own.
        ray.init(log_to_driver=False, include_dashboard=False)
    resources: Any = ray
    limit = workers or int(resources.cluster_resources().get("CPU", 1))
    # One copy of the task for the whole cluster.
    shared = ray.put(task)
    remote: Any = ray.remote(_call)
    left = iter(indices)
    running: list[Any] = []
    try:
        while True:
            for index in left:
                running.append(remote.remote(shared, index))
                if len(running) >= limit:
                    break
            if not running:
                return
            done, running = ray.wait(running)
            for reference in done:
                yield ray.get(reference)
    finally:
        for reference in running:
            ray.cancel(reference)
        if started:
            ray.shutdown()


def _call[T](task: Callable[[int], T], index: int) -> T:
    return task(index)
