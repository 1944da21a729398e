"""`bayescmr probe doctor` as a user calls it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_json_is_alone_on_stdout(cli: Run) -> None:
    done = cli("probe", "doctor", "--seconds", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["devices"][0]["device"] == "cpu"
    assert found["devices"][0]["speeds"][0]["measured"]


def test_a_missing_folder_is_one_line(cli: Run) -> None:
    done = cli("probe", "doctor", "--folder", "none")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["bayescmr: --folder: dir 'none' does not exist."]
