"""docs/campaigns.md runs as it stands there: a plan, and a campaign to its certified end."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bayescmr as bc
from bayescmr.campaign.audit import audit
from bayescmr.campaign.config import _KEYS, config_of
from bayescmr.campaign.running import PER_PROBE
from bayescmr.errors import CampaignError
from bayescmr.runners.local import LocalRunner
from bayescmr.runners.slurm import SlurmRunner
from bayescmr.yaml_loader import parse_yaml

FILE = re.compile(r"^`([\w.]+)`:\n\n```(?:py|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "campaigns.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(page: str, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page was run, with the files that it shows."""
    folder = tmp_path_factory.mktemp("campaigns")
    for name, text in FILE.findall(page):
        (folder / name).write_text(text, encoding="utf-8")
    bin_folder = Path(sys.executable).parent
    done = subprocess.run(
        [sys.executable, repo_root / "tests" / "docs" / "run_page.py",
         repo_root / "docs" / "campaigns.md"],
        cwd=folder,
        env={
            **os.environ, "COLUMNS": "80", "NO_COLOR": "1", "MPLBACKEND": "Agg",
            "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}",
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "blocks.json").write_text(done.stdout, encoding="utf-8")
    (folder / "stderr.txt").write_text(done.stderr, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_every_block_runs_and_prints_what_is_shown(folder: Path) -> None:
    blocks: list[dict[str, Any]] = json.loads((folder / "blocks.json").read_text())
    said = (folder / "stderr.txt").read_text()
    for i, block in enumerate(blocks):
        if block["kind"] == "text":
            assert block["text"] == blocks[i - 1]["printed"]
        else:
            # On another machine a refit of the checks may fail to converge: then nothing is
            # certified, and the code says so.
            allowed = (0, 3) if "campaign run" in block["text"] else (0,)
            assert block["code"] in allowed, f"{block['text']}\n{block['printed']}\n{said}"
    printed = "\n".join(block["printed"] for block in blocks)
    assert "expected to take the 90% interval" in printed
    assert "certified" in printed
    assert (folder / "progress.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_campaign_of_the_page_ended_precise_and_within_its_budget(folder: Path) -> None:
    with bc.open_store(folder / "campaigns.db") as store:
        snapshot = bc.Campaign.open(store, "legal").snapshot()
        stop = snapshot.last_fit.decision["stop"]
        assert snapshot.state == "stopped"
        assert (stop["reason"], stop["certified"]) in (("precision", True), ("model check", False))
        assert snapshot.certified == stop["certified"]
        assert 0 < snapshot.budget.spent <= snapshot.budget.total
        assert all(check.status == "PASS" for check in audit(store, "legal"))
        # 2.97 - 0.015 x + 0.35 R^1.3 3.32^-0.15 (1 + 0.1 x) = 3.05 at x = ln 5.24.
        cmr = snapshot.last_fit.posterior["cmr"]
        assert cmr["upper"] - cmr["lower"] < 0.1
        assert cmr["lower"] - 0.03 < 0.404 < cmr["upper"] + 0.03
    exported = bc.read_runs(folder / "legal" / "runs.csv", min_tokens=32000)
    assert exported.n_runs > 12


def test_every_key_of_the_file_is_explained(page: str) -> None:
    for key in _KEYS:
        assert key == "schema" or f"`{key}`" in page or f"`{key}." in page, key


def test_every_file_of_the_page_can_be_read(page: str) -> None:
    kinds = {"slurm": SlurmRunner, "local": LocalRunner}
    for text in YAML.findall(page):
        data = parse_yaml(text, "the page", "YAML", CampaignError)
        if "target" in data:
            assert config_of(data, "the page").name == data["name"]
        runner = dict(data.get("runner", {}))
        if runner:
            kind = kinds[runner.pop("kind")]
            own = {key: value for key, value in runner.items() if key not in PER_PROBE}
            # A runner of SLURM cannot be made where there is none; its options can be checked.
            inspect.signature(kind).bind(**own)
