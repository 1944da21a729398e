"""The README's example runs as printed, and every link of the docs leads somewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest


def _blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_python_example_runs_as_printed(repo_root, tmp_path):
    shutil.copy(repo_root / "case_studies" / "gu2024" / "runs.csv", tmp_path / "runs.csv")
    (block,) = _blocks((repo_root / "README.md").read_text(encoding="utf-8"), "python")
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("converged ("), done.stdout
    assert (tmp_path / "posterior.nc").is_file()


def test_json_in_the_docs_has_the_keys_of_the_code(repo_root):
    import pandas as pd

    import bayescmr as bc

    (block,) = _blocks((repo_root / "docs" / "formats.md").read_text(encoding="utf-8"), "json")
    documented = json.loads(block)
    rows = {"run": "a", "size": 1e9, "domain": "d", "ratio": 0.3, "tokens": [1e9, 2e9]}
    runs = bc.RunTable.from_frame(pd.DataFrame({**rows, "change_general": 0.01}))
    actual = bc.prior_predictive(runs, seed=1, draws=50).cmr(bc.Target(1e9, "d", 2e9)).to_dict(0.1)

    def keys(value):
        return {k: keys(v) for k, v in value.items()} if isinstance(value, dict) else None

    assert keys(documented) == keys(actual)


def test_links_lead_somewhere(repo_root):
    pages = [
        *repo_root.glob("*.md"),
        *repo_root.glob("docs/*.md"),
        *repo_root.glob("case_studies/*/*.md"),
    ]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                broken.append((page.name, link))
    assert not broken
