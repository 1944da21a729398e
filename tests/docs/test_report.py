"""The page about reports shows what the tutorial runs."""

from __future__ import annotations

import re


def test_its_commands_and_results_are_those_of_the_tutorial(repo_root):
    blocks = re.compile(r"^```(?:console|python|text)\n.*?^```$", re.DOTALL | re.MULTILINE)
    tutorial = (repo_root / "docs" / "tutorial.md").read_text(encoding="utf-8")
    shown = blocks.findall((repo_root / "docs" / "report.md").read_text(encoding="utf-8"))
    assert len(shown) == 3
    for block in shown:
        assert block in tutorial
