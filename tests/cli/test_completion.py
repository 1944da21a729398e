"""The shell completes commands, options, words of options and names of models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def completed(words: str, shell: str = "bash") -> list[str]:
    """Ask as bash would, of whose line ``words`` is what was typed, the last one in part."""
    typed = words.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "bayescmr"],
        env={
            **os.environ,
            "_BAYESCMR_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(typed) - 1),
            "_TYPER_COMPLETE_ARGS": words,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("bayescmr do", ["doctor"]),
        ("bayescmr check i", ["influence"]),
        ("bayescmr fit --model s", ["shift_gain"]),
        ("bayescmr cmr p.nc --estimand t", ["tolerance", "turning_point"]),
        ("bayescmr probe run --schedule c", ["constant", "cosine"]),
        ("bayescmr fit --prev", ["--previous"]),
    ],
)
def test_bash(words: str, expected: list[str]) -> None:
    assert completed(words) == expected


def test_script_for_a_shell_is_shown_and_nothing_is_installed(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "bayescmr", "--show-completion", "bash"],
        # Else typer looks for the shell that started it, which there need not be.
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "complete -o default -F _bayescmr_completion bayescmr" in shown.stdout
    assert list(tmp_path.iterdir()) == []
    if bash := shutil.which("bash"):
        subprocess.run([bash, "-n", "-c", shown.stdout], check=True)
