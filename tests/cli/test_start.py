"""Help, version, and what is loaded before anything is asked."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

COMMANDS = ["demo", "fit", "cmr", "models"]


def test_version(cli) -> None:
    done = cli("--version")
    assert (done.returncode, done.stdout) == (0, f"bayescmr {version('bayescmr')}\n")


def test_help_lists_every_command_and_how_to_call_them(cli) -> None:
    done = cli("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout
    assert "bayescmr fit runs.csv" in done.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "models show"])
def test_help_of_every_command_has_examples(cli, command: str) -> None:
    done = cli(*command.split(), "--help")
    assert done.returncode == 0
    assert "Examples" in done.stdout
    assert f"bayescmr {command} " in done.stdout
    assert "--json" in done.stdout


def test_no_command_prints_help_and_is_an_error(cli) -> None:
    done = cli()
    assert done.returncode == 2
    assert "Usage: bayescmr" in done.stdout


def test_models_and_help_load_neither_the_sampler_nor_matplotlib() -> None:
    code = (
        "import sys; from bayescmr.cli.app import run; run(['models', '--json']);"
        "heavy = {'pymc', 'pytensor', 'nutpie', 'matplotlib', 'torch', 'arviz_stats'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_asking_a_posterior_loads_no_sampler(saved: Path) -> None:
    code = f"""
import sys
import bayescmr as bc
from bayescmr.cli.app import run

bc.load({str(saved)!r}).cmr(bc.Target(3.1e9, "finance", 20e9)).decide(0.1)
target = ["--size", "3.1e9", "--domain", "finance", "--tokens", "20e9", "--json"]
assert run(["cmr", {str(saved)!r}, *target]) in (0, 3)
heavy = {{"pymc", "pytensor", "numba", "nutpie", "torch", "matplotlib"}}
print("loaded:", sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "loaded: []"
