"""The same call, the same results, wherever tasks run."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from operator import pow

import pytest

from bayescmr.checks.mapping import map_indices
from bayescmr.errors import CheckError

#: Importable anywhere without this file: 2 ** index.
POWERS = partial(pow, 2)
EXPECTED = [2**i for i in range(12)]


@pytest.mark.parametrize("workers", [1, 3])
def test_processes(workers):
    assert sorted(map_indices(POWERS, range(12), workers=workers)) == EXPECTED


def test_serial():
    assert list(map_indices(POWERS, range(12), executor="serial")) == EXPECTED


@pytest.mark.slow
def test_ray():
    pytest.importorskip("ray")
    assert sorted(map_indices(POWERS, range(12), executor="ray", workers=1)) == EXPECTED


def test_errors_of_a_task_are_raised():
    with pytest.raises(ZeroDivisionError):
        list(map_indices(partial(divmod, 1), range(3), workers=1))


def test_stopping_early_leaves_no_process():
    results = map_indices(POWERS, range(1000), workers=1)
    # Results come as they are done: where this process sleeps longer, the first is any of them.
    assert next(results) in {2**i for i in range(1000)}
    results.close()


def test_a_killed_worker_is_named():
    """Each task ends its process without a word, as the kernel does where memory is short."""
    with pytest.raises(CheckError, match="a worker process died"):
        list(map_indices(os._exit, range(2), workers=1))


def test_workers_end_with_a_killed_parent(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(
        "import time\n"
        "from bayescmr.checks.mapping import map_indices\n"
        "def task(index):\n"
        "    print(index, flush=True)\n"
        "    time.sleep(3600)\n"
        "if __name__ == '__main__':\n"
        "    list(map_indices(task, range(9), workers=2))\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert {parent.stdout.readline() for _ in range(2)} == {b"0\n", b"1\n"}
        parent.kill()
        # The pipe ends when the last process that could write to it has ended.
        assert parent.communicate(timeout=120)[0] == b""


@pytest.mark.parametrize(
    ("options", "words"),
    [({"executor": "slurm"}, "expected one of processes, ray"), ({"workers": 0}, ">= 1")],
)
def test_wrong_options(options, words):
    with pytest.raises(CheckError, match=words):
        map_indices(POWERS, range(2), **options)
