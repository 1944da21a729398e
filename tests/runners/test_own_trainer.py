"""The trainer of docs/own_trainer.md as the probe of a campaign: numpy, no torch."""

from __future__ import annotations

import argparse
import inspect
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayescmr as bc
from bayescmr.runners.base import Job, Status
from bayescmr.runners.contract import ProbeJob, expand, reached, read_losses, write_job
from bayescmr.runners.local import LocalRunner

MARKS = (0, 2_000, 8_000, 30_000, 60_000)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """English of docstrings, and code."""
    folder = tmp_path_factory.mktemp("texts")
    words = [inspect.getdoc(getattr(np, name)) or "" for name in sorted(dir(np))[:300]]
    (folder / "general.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "domain.txt").write_text(inspect.getsource(argparse), encoding="utf-8")
    return folder


@pytest.fixture
def job(texts: Path) -> ProbeJob:
    return ProbeJob(
        run="0123456789ab",
        size=256**2,
        domain="code",
        ratio=0.3,
        seed=7,
        tokens=MARKS[-1],
        until=MARKS[-1],
        checkpoints=MARKS,
        settings={"general": "general.txt", "domain": "domain.txt", "learning_rate": 0.3},
        root=str(texts),
    )


@pytest.fixture
def command(repo_root: Path) -> str:
    return f"{sys.executable} '{repo_root}/docs/own_trainer/bigram.py' {{job}}"


def attempt(key: str, command: str, job: ProbeJob, folder: Path) -> Status:
    """What a campaign does for one attempt."""
    write_job(folder, job)
    runner = LocalRunner(grace=30, beat=0.5)
    handle = runner.submit(Job(key, expand(command, job, folder), folder))
    until = time.monotonic() + 120
    while (status := runner.poll(handle)).state not in ("ended", "lost"):
        assert time.monotonic() < until
        time.sleep(0.02)
    return status


def test_it_learns_and_forgets(command: str, job: ProbeJob, tmp_path: Path) -> None:
    assert attempt("a", command, job, tmp_path).exit_code == 0
    rows = read_losses(tmp_path)
    assert reached(rows) == MARKS[-1]
    losses = {(row.role, row.tokens): row.value for row in rows}
    assert len(losses) == 2 * len(MARKS)
    assert losses["domain", MARKS[-1]] < losses["domain", 0] - 0.3
    # All from the domain: the general loss rises by more than with replay.
    alone = tmp_path / "alone"
    assert attempt("b", command, replace(job, ratio=1.0), alone).exit_code == 0
    rise = {(r.role, r.tokens): r.value for r in read_losses(alone)}["general", MARKS[-1]]
    assert rise > losses["general", MARKS[-1]] + 0.02


def test_attempts_add_up_to_the_run_in_one_go(command: str, job: ProbeJob, tmp_path: Path) -> None:
    """Checkpoint by checkpoint, a stop and a kill between: the same numbers, digit for digit."""
    once, often = tmp_path / "once", tmp_path / "in pieces"
    assert attempt("a", command, job, once).exit_code == 0
    for number, mark in enumerate(MARKS[1:]):
        part = replace(job, until=mark)
        path = write_job(often, part)
        for way in (signal.SIGTERM, signal.SIGKILL):
            with subprocess.Popen(expand(command, part, often)) as process:
                while process.poll() is None and not (often / "state.npz").exists():
                    time.sleep(0.01)
                process.send_signal(way)
            assert process.returncode in (0, 75, -way)
        assert path.exists()
        assert attempt(f"part-{number}", command, part, often).exit_code == 0
        assert reached(read_losses(often)) == mark
    assert read_losses(often) == read_losses(once)


def test_a_diverged_run_ends_with_4(command: str, job: ProbeJob, tmp_path: Path) -> None:
    wild = replace(job, settings={**job.settings, "learning_rate": 1e4})
    assert attempt("a", command, wild, tmp_path).exit_code == 4
    assert reached(read_losses(tmp_path)) < MARKS[-1]


def test_its_mistakes_are_told(command: str, job: ProbeJob, tmp_path: Path) -> None:
    status = attempt("a", command, replace(job, settings={}), tmp_path)
    assert status.exit_code == 1 and status.reason.endswith("KeyError: 'general'")


def test_its_losses_are_a_run_table(command: str, job: ProbeJob, tmp_path: Path) -> None:
    attempt("a", command, job, tmp_path)
    csv = "run,size,domain,ratio,tokens,eval_set,role,loss\n" + "".join(
        f"a,65536,code,0.3,{row.tokens},{row.eval_set},{row.role},{row.value!r}\n"
        for row in read_losses(tmp_path)
    )
    (tmp_path / "runs.csv").write_text(csv)
    assert bc.read_runs(tmp_path / "runs.csv").n_runs == 1


def test_the_page_shows_the_script_that_is_tested(repo_root: Path) -> None:
    page = (repo_root / "docs" / "own_trainer.md").read_text(encoding="utf-8")
    shown = re.search(r"^```py\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    script = (repo_root / "docs" / "own_trainer" / "bigram.py").read_text(encoding="utf-8")
    assert shown is not None and shown[1] == script
