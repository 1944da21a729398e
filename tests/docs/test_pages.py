"""Every code block of the pages runs in order, and prints what the page shows beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
#: Pages whose blocks are run by tests of their own, which make corpora and probes first, or
#: whose commands are those of another page.
ELSEWHERE = {
    "campaigns.md",
    "probes.md",
    "corpora.md",
    "formats.md",
    "comparison.md",
    "import.md",
    "report.md",
    "report_tex.md",
}
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\w)")


def pages() -> list[str]:
    docs = HERE.parents[1] / "docs"
    code = re.compile("^```(python|console)", re.MULTILINE)
    found = {p.name for p in docs.glob("*.md") if code.search(p.read_text(encoding="utf-8"))}
    return sorted(found - ELSEWHERE)


@pytest.mark.slow
@pytest.mark.parametrize("name", pages())
def test_page_runs(name: str, repo_root: Path, tmp_path: Path) -> None:
    shutil.copy(repo_root / "case_studies" / "gu2024" / "runs.csv", tmp_path)
    done = subprocess.run(
        [sys.executable, HERE / "run_page.py", repo_root / "docs" / name],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    blocks: list[dict[str, Any]] = json.loads(done.stdout)
    assert blocks
    for i, block in enumerate(blocks):
        if block["kind"] == "text":
            # A block of text is what the code before it prints.
            same(block["text"], blocks[i - 1]["printed"])
        else:
            assert block["code"] == 0, f"{block['text']}\n{block['code']}\n{done.stderr}"


def same(shown: str, printed: str) -> None:
    """Words are equal; numbers within the Monte Carlo error of another machine's draws."""
    shown, printed = (" ".join(text.split()) for text in (shown, printed))
    assert NUMBER.sub("#", shown) == NUMBER.sub("#", printed)
    for ours, theirs in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        # Ends of an interval far from the data are known to some hundredths.
        assert float(ours) == pytest.approx(float(theirs), rel=0.06, abs=0.02), (shown, printed)


def test_the_comparison_has_teeth() -> None:
    same("CMR 47.9 to 49.6, 1.6B", "CMR 47.8  to\n49.9, 1.6B")
    for other in ("CMR 57.9 to 49.6, 1.6B", "CMR 47.9 to 49.6, 1.7B", "cmr 47.9 to 49.6, 1.6B"):
        with pytest.raises(AssertionError):
            same("CMR 47.9 to 49.6, 1.6B", other)


def test_a_law_of_the_docs_passes_the_suite(repo_root: Path, tmp_path: Path) -> None:
    """The page's own test class, collected by pytest as a user would collect it."""

    text = (repo_root / "docs" / "own_law.md").read_text(encoding="utf-8")
    code = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "test_own.py").write_text("\n".join(code[:2]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_own.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"1[0-9] passed", done.stdout)
