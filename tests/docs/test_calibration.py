"""The numbers of docs/calibration.md are those of the committed results."""

from __future__ import annotations

import json
import re
import runpy

import pytest

import bayescmr as bc


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "calibration.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script(repo_root):
    return runpy.run_path(str(repo_root / "case_studies" / "calibration" / "page.py"))


def test_numbers_are_those_of_the_results(page, script):
    assert script["render"](page) == page, "run python case_studies/calibration/page.py"


def test_every_block_is_used(page, script):
    assert set(re.findall(r"<!-- numbers: (\S+) -->", page)) == set(script["_BLOCKS"])


def test_a_changed_result_changes_the_page(page, script, repo_root, tmp_path):
    for path in (repo_root / "docs" / "calibration").glob("*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "coverage.json":
            ours = data["scenarios"]["control"]["methods"]["ours"]["tolerance"]["0.9"]
            ours["coverage"] = 0.123
        (tmp_path / path.name).write_text(json.dumps(data), encoding="utf-8")
    changed = script["render"](page, tmp_path)
    assert changed != page
    assert "90 % intervals held 12 %" in changed


@pytest.mark.parametrize("name", bc.model_names())
def test_results_are_of_the_shipped_model(repo_root, name):
    """A model whose priors change must be calibrated again."""
    path = repo_root / "docs" / "calibration" / f"sbc_{name}.json"
    study = json.loads(path.read_text(encoding="utf-8"))["study"]
    assert study["model_fingerprint"] == bc.load_model(name).fingerprint, "run make calibrate"
