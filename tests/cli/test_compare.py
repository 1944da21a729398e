"""``bayescmr compare`` and ``bayescmr check``: what the library says, in files and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.cli.app import run

TARGET = ["--size", "1e9", "--domain", "law", "--tokens", "16e9", "--tolerance", "0.02"]


def ask(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run table of four clear runs."""
    folder = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(1)
    rows = [
        {
            "run": f"r{r}",
            "size": 1e9,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.05 * r * (t / 16e9) ** 0.4 + 1e-3 * rng.standard_normal(),
        }
        for r in (0.1, 0.3, 0.5, 0.7)
        for t in np.geomspace(1e9, 16e9, 5)
    ]
    pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
    return folder


@pytest.mark.slow
def test_from_runs_to_a_stacked_answer(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out_file = folder / "stacked.nc"
    draws = ["--draws", "3000", "--refit-draws", "200"]
    words = ["compare", folder / "runs.csv", "--models", "turning_point, shift_gain", *draws]
    code, out, err = ask(capsys, *words, "--out", out_file, "--json")
    found = json.loads(out)
    assert set(found["models"]) == {"turning_point", "shift_gain"}
    assert found["converged"] is (code == 0)
    assert "Prediction of the general loss: of runs left out" in err
    assert "turning_point: fit to all runs" in err
    assert code == 0, err
    assert sum(m["weight"] for m in found["models"].values()) == pytest.approx(1)

    code, out, _ = ask(capsys, "cmr", out_file, *TARGET, "--json")
    stacked = bc.load(out_file)
    expected = stacked.cmr(bc.Target(1e9, "law", 16e9, 0.02)).to_dict(0.1)
    assert json.loads(out) == json.loads(json.dumps(expected))

    one = next(iter(stacked.components.values())).save(folder / "one.nc")
    code, out, _ = ask(capsys, "check", "sensitivity", one, *TARGET, "--json")
    answer = json.loads(out)
    assert set(answer["quantities"]) == {
        "tolerance", "turning_point", "gu", "tolerance, new run"
    }  # fmt: skip
    assert answer["alternatives"] is None
    code, out, _ = ask(capsys, "check", "sensitivity", one, *TARGET)
    assert "Power-scaling sensitivity" in out

    code, out, _ = ask(capsys, "check", "influence", one, *TARGET, "--risk", "0.2", "--json")
    answer = json.loads(out)
    assert {r["run"] for r in answer["runs"]} == {"r0.1", "r0.3", "r0.5", "r0.7"}
    assert answer["risk"] == 0.2

    code, _, err = ask(capsys, "check", "influence", out_file, *TARGET)
    assert code == 2
    assert "got a StackedPosterior, expected the posterior of one model" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "turning_point,nonsense"], "--models: got 'nonsense'"),
        (["--models", "shift_gain,shift_gain"], "--models: got 'shift_gain' twice"),
        (["--models", ""], "--models: got []"),
        (["--out", "stacked.txt"], "--out: got 'stacked.txt'"),
    ],
)
def test_wrong_words(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], message: str
) -> None:
    code, _, err = ask(capsys, "compare", folder / "runs.csv", *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("check", ["sensitivity", "influence"])
def test_checks_refuse_a_prior(capsys: pytest.CaptureFixture[str], saved: Path, check: str) -> None:
    target = ["--size", "3.1e9", "--domain", "finance", "--tokens", "20e9"]
    code, _, err = ask(capsys, "check", check, saved, *target)
    assert code == 2
    assert "POSTERIOR: got draws from the prior, expected a fit to runs" in err
    code, _, err = ask(capsys, "check", check, saved, *target, "--risk", "1")
    assert code == 2
