"""The page on TeX: its command makes the folder, and its paper compiles from that folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr import gu2024


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "report_tex.md").read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def folder(page, tmp_path_factory):
    """Where the command of the page was run, on draws of the prior and runs simulated from one."""
    made = tmp_path_factory.mktemp("paper")
    table = gu2024.trajectories(checkpoints=6)
    # A probe with a twin, so that run effects and misfit can be told apart.
    twin = table[(table["size"] == 1.6e9) & (table["ratio"] == 0.5)].assign(run="twin")
    runs = bc.RunTable.from_frame(pd.concat([table, twin]), source="runs.csv")
    prior = bc.prior_predictive(runs, seed=1, draws=400)
    frame = bc.simulate_runs(prior, draw=7, seed=3).assign(loss=np.nan, base=np.nan)
    fit = replace(prior, kind="posterior", frame=frame[prior.frame.columns])
    fit.save(made / "posterior.nc")
    ((program, *words),) = map(shlex.split, blocks(page, "console"))
    assert program == "bayescmr"
    done = subprocess.run(
        [sys.executable, "-m", "bayescmr", *words],
        cwd=made,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


@pytest.mark.slow
def test_what_the_page_names_is_there(page, folder):
    named = re.findall(r"^\| `(report/[^`]+)`", page, re.MULTILINE)
    assert len(named) == 7
    for pattern in named:
        assert list(folder.glob(pattern)), pattern
    packages = re.findall(r"\\usepackage{(\w+)}", (folder / "report/preamble.tex").read_text())
    row = next(line for line in page.splitlines() if "report/preamble.tex" in line)
    assert re.findall(r"`(\w+)`", row) == packages


@pytest.mark.slow
def test_the_paper_compiles_and_holds_the_numbers(page, folder):
    if shutil.which("pdflatex") is None or shutil.which("bibtex") is None:
        pytest.skip("no pdflatex: apt-get install texlive-science lmodern")
    (paper,) = blocks(page, "latex")
    (folder / "paper.tex").write_text(paper, encoding="utf-8")
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"]
    for command in (latex, ["bibtex", "paper"], latex, latex):
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert "undefined" not in log
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext: apt-get install poppler-utils")
    text = subprocess.run(
        ["pdftotext", "paper.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    words = " ".join(text.split())
    shown = re.search(
        r"\\cmrAnswerMedian}{\\num{([\d.]+)}}", (folder / "report/macros.tex").read_text()
    )
    assert shown is not None and f"mixture ratio is {shown[1]}" in words
    assert "At 2.2B parameters" in words
