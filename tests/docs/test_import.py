"""docs/import.md: its commands and mappings run as they stand there, on logs of real loggers."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from bayescmr.cli.app import run
from bayescmr.runs import read_runs

LIBRARIES = ("mlflow", "pytorch_lightning", "tensorboard", "transformers", "wandb")
if not all(find_spec(name) for name in LIBRARIES):
    pytest.skip("the extra `loggers` is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "import.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def writers(repo_root: Path) -> ModuleType:
    path = repo_root / "tests" / "runs" / "logs" / "writers.py"
    spec = importlib.util.spec_from_file_location("writers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def section(page: str, title: str) -> str:
    return re.split(r"^## ", page.split(f"## {title}\n")[1], flags=re.MULTILINE)[0]


def commands(text: str) -> list[str]:
    return re.findall(r"^    (bayescmr .+)$", text, re.MULTILINE)


def mapping(text: str) -> str:
    (found,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(found)


def call(command: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    """Run a command, with `> file` as a shell would."""
    words = shlex.split(command)[1:]
    out = None
    if ">" in words:
        at = words.index(">")
        out, words = Path(words[at + 1]), words[:at]
    capsys.readouterr()
    code = run([*words, *more])
    said, errors = capsys.readouterr()
    assert "Traceback" not in errors
    assert code in (0, 3), errors
    if out is not None:
        out.write_text(said, encoding="utf-8")
    return code, said


def check_table(writers: ModuleType, runs: tuple[str, ...], *, domain: bool = True) -> None:
    """Every loss of the logs is in the table, at its tokens."""
    table = read_runs("runs.csv").frame
    per_step = writers.SEQUENCE * writers.BATCH
    for name in runs:
        for role in ("general", "domain") if domain else ("general",):
            part = table[(table["run"] == name) & (table["role"] == role)]
            assert part["tokens"].tolist() == [s * per_step for s in writers.STEPS if s]
            true = [writers.truth(name, s, role) for s in writers.STEPS if s]
            assert np.allclose(part["loss"], true, rtol=0, atol=1e-6)
            base = writers.truth(name, 0, role)
            assert np.allclose(part["base"], base, rtol=0, atol=1e-6)


def one(page: str, title: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the one command of a section with the one mapping of the section."""
    text = section(page, title)
    Path(file).write_text(mapping(text), encoding="utf-8")
    (command,) = commands(text)
    assert f"--mapping {file}" in command
    code, _ = call(command, capsys)
    assert code == 0


@pytest.mark.slow
def test_the_three_commands(
    page: str,
    folder: Path,
    writers: ModuleType,
    written_logs: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(written_logs("torch") / "trainer_state", folder / "logs")
    text = section(page, "Three commands")
    look, guess, make, fit, ask = commands(text)
    assert "eval_general_loss" in call(look, capsys)[1]
    call(guess, capsys)
    drafted = Path("mapping.yaml").read_text(encoding="utf-8")
    assert run(["import", "logs", "--mapping", "mapping.yaml"]) == 2
    assert "fill it in" in capsys.readouterr().err
    assert not Path("runs.csv").exists()
    filled = drafted.replace("per_step: null", "per_step: 16384")
    filled = filled.replace("size: null", "size: 4.6e8").replace("domain: null", "domain: law")
    tables = []
    for content in (filled, mapping(text)):
        Path("mapping.yaml").write_text(content, encoding="utf-8")
        call(make, capsys)
        check_table(writers, writers.RUNS)
        tables.append(pd.read_csv("runs.csv"))
    pd.testing.assert_frame_equal(*tables)
    # Forty draws, to be quick: that the table is fitted matters here, not that it converges.
    quick = ["--draws", "20", "--tune", "20", "--chains", "2", "--cores", "1", "--retries", "0"]
    assert call(fit, capsys, *quick)[0] == 3
    assert "critical mixture ratio" in call(ask, capsys)[1]
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    exec(code, {})
    said = capsys.readouterr().out
    assert "2 runs, 16 measured losses" in said
    assert "unmapped" in said


def test_tensorboard(
    page: str,
    folder: Path,
    writers: ModuleType,
    written_logs: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(written_logs("tensorboard"), folder / "logs")
    one(page, "TensorBoard", "tensorboard.yaml", capsys)
    check_table(writers, writers.RUNS)
    assert (read_runs("runs.csv").frame["se"] > 0).all()


def test_wandb(
    page: str,
    folder: Path,
    writers: ModuleType,
    written_logs: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = written_logs("wandb") / "wandb"
    for letter, run_id in (("a", "r025"), ("b", "r05")):
        (source,) = made.glob(f"offline-run-*-{run_id}")
        shutil.copytree(source, folder / "wandb" / f"offline-run-{letter}")
    one(page, "W&B", "wandb.yaml", capsys)
    check_table(writers, writers.RUNS)


def test_mlflow(
    page: str,
    folder: Path,
    writers: ModuleType,
    written_logs: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(written_logs("mlflow") / "mlflow.db", folder)
    one(page, "MLflow", "mlflow.yaml", capsys)
    check_table(writers, writers.RUNS)


def test_trackio(
    page: str,
    repo_root: Path,
    folder: Path,
    writers: ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dump = repo_root / "tests" / "runs" / "logs" / "trackio.sql"
    with closing(sqlite3.connect(folder / "cpt.db")) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    one(page, "trackio", "trackio.yaml", capsys)
    check_table(writers, writers.RUNS)


def test_lightning(
    page: str,
    folder: Path,
    writers: ModuleType,
    written_logs: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(written_logs("torch") / "lightning", folder / "logs")
    one(page, "Lightning", "lightning.yaml", capsys)
    check_table(writers, writers.RUNS)


def test_megatron(
    page: str, folder: Path, writers: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in writers.RUNS:
        text = ""
        for step in writers.STEPS[1:]:
            text += (
                f" iteration {step:8d}/{200:8d} | consumed samples: {step * writers.BATCH:12d} |"
                f" lm loss: {3.1:.6E} |\n validation loss at iteration {step} | lm loss value:"
                f" {writers.truth(name, step, 'general'):.6E} | lm loss PPL: {20.1:.6E} |\n"
            )
        Path(f"{name}.log").write_text(text)
    one(page, "Consoles", "megatron.yaml", capsys)
    check_table(writers, writers.RUNS, domain=False)


def test_lm_eval(
    page: str, folder: Path, writers: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, loss in (("base", 2.9123456), ("r0.25", 2.9523456)):
        results = {"wikitext": {"alias": "wikitext", "word_perplexity,none": float(np.exp(loss))}}
        found = {"results": results, "n-shot": {"wikitext": 0}, "model_name": name}
        Path(f"{name}.json").write_text(json.dumps(found))
    one(page, "lm-evaluation-harness", "lm_eval.yaml", capsys)
    assert read_runs("runs.csv").frame["change"].tolist() == pytest.approx([0.04])


def test_the_reference_of_the_mapping_is_complete(page: str) -> None:
    """Each key that is read has its line, and no other."""
    from bayescmr.runs.importing.mapping import _RUN_KEYS, LossOf

    text = section(page, "The mapping file")
    run_table, _, loss_table = text.split("|---|---|\n")[1:]
    documented = [
        set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.+?) \|", part, re.MULTILINE))))
        for part in (run_table, loss_table)
    ]
    assert set(_RUN_KEYS) <= documented[0]
    assert set(LossOf.__dataclass_fields__) - {"metric", "role"} == documented[1]
