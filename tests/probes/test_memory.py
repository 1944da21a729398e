"""Freed memory is kept: a block of some megabytes is not fetched from the system again."""

import platform
import subprocess
import sys

import pytest

from bayescmr.probes.memory import keep_freed_memory

CODE = """
import resource, sys
import numpy as np
if sys.argv[1] == "kept":
    from bayescmr.probes.memory import keep_freed_memory
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    [np.ones(2**20) for _ in range(3)]
before = faults()
for _ in range(20):
    [np.ones(2**20) for _ in range(3)]
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_pages_are_not_fetched_again():
    """Counts of the system, not seconds: 60 blocks of 8 MB are 122,880 pages of 4 kB."""
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", CODE, how], text=True))
        for how in ("default", "kept")
    }
    assert faults["kept"] < 2_000 < faults["default"]


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
