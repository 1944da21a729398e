"""``bayescmr report``, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import bayescmr as bc
from bayescmr.cli.app import run as command

QUESTION = ["--size", "2.2e9", "--domain", "finance", "--tokens", "2e10", "--risk", "0.4"]


def run(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "bayescmr", "report", *map(str, words)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "Traceback" not in done.stderr
    return done


def test_same_posterior_same_bytes(saved, written, tmp_path):
    """In another process, with another hash seed, from a file and not from memory."""
    words = [*QUESTION, "--tolerance", "0.05", "--format", "html,json", "--out", "again", "--json"]
    done = run(tmp_path, saved, *words)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["converged"] and said["failed"] == []
    assert said["files"] == sorted(f.name for f in written.iterdir())
    assert "keep the finance share at or below" in said["answer"]
    for file in written.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_draws_that_must_not_be_used_are_told_on_page_and_by_exit_code(prior, tmp_path):
    prior.save(tmp_path / "few.nc")
    done = run(tmp_path, "few.nc", *QUESTION, "--format", "json", "--out", "few")
    assert done.returncode == 3
    assert "bayescmr: FAIL: Draws come from runs" in done.stderr
    report = json.loads((tmp_path / "few" / "report.json").read_text(encoding="utf-8"))
    assert "Draws come from runs" in report["failed"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "doc"], "--format: got 'doc', expected some of html"),
        (["--out", "."], "--out: got '.', a folder that is not empty"),
        (["--risk", "2"], "--risk: got 2.0, expected a probability in (0, 1)"),
        (["--size", "3.1"], "--size: got 3.1, which looks like billions"),
    ],
)
def test_wrong_input_is_one_line(words, message, saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    assert command([*["report", str(saved)], *QUESTION, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bayescmr: {message}")
    assert [f.name for f in tmp_path.iterdir()] == ["mine.txt"]


def test_from_python(saved, target, tmp_path):
    folder = bc.load(saved).report(tmp_path / "report", target, formats=["json"])
    assert sorted(f.name for f in folder.iterdir()) == ["posterior_card.json", "report.json"]
