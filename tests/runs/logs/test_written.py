"""Readers face what the loggers' own libraries wrote, and find every number of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from bayescmr.runs.logs import COLUMNS, Log, read_log, read_logs

for _library in ("mlflow", "pytorch_lightning", "tensorboard", "transformers", "wandb"):
    if find_spec(_library) is None:
        pytest.skip("the extra `loggers` is not installed", allow_module_level=True)

Written = Callable[[str], Path]


def losses(logs: list[Log], run: str, metric: str) -> pd.DataFrame:
    events = pd.concat([log.events for log in logs])
    assert list(events.columns) == list(COLUMNS)
    return events[(events["run"] == run) & (events["metric"] == metric)]


def check(logs: list[Log], writers: ModuleType, metric: str, *, single: bool = False) -> None:
    """Each loss of each run is there once, at its step, in the precision of the format."""
    for run in writers.RUNS:
        for name in ("general", "domain"):
            found = losses(logs, run, metric.format(name))
            assert found["step"].tolist() == list(writers.STEPS)
            true = np.array([writers.truth(run, step, name) for step in writers.STEPS])
            expected = true.astype(np.float32).astype(float) if single else true
            assert found["value"].tolist() == expected.tolist()
            if single:
                assert (np.abs(found["value"] - true) <= found["precision"]).all()
                assert (found["precision"] < 1e-6).all()
            else:
                assert (found["precision"] == 0).all()


def test_trainer_state(written_logs: Written, writers: ModuleType) -> None:
    logs, notes = read_logs([written_logs("torch") / "trainer_state"])
    assert len(logs) == 2
    check(logs, writers, "eval_{}_loss")
    assert len(notes) == 2
    assert all("its last checkpoint was read, not the 4 before" in note for note in notes)
    train = losses(logs, "r0.5", "loss")
    assert set(train["split"]) == {"train"}
    assert train["step"].tolist() == [50, 100, 150, 200]
    assert set(losses(logs, "r0.5", "eval_general_loss")["split"]) == {"eval"}


def test_tensorboard(written_logs: Written, writers: ModuleType) -> None:
    logs, _ = read_logs([written_logs("tensorboard")])
    check(logs, writers, "eval/{}_loss", single=True)
    for log in logs:
        assert log.notes == ("1 tags that are no scalars were left out (note)",)
        assert log.events["wall_time"].min() == 1e9


def test_wandb_offline(written_logs: Written, writers: ModuleType) -> None:
    folder = written_logs("wandb")
    logs, _ = read_logs([folder])
    assert [log.runs for log in logs] == [("r0.25",), ("r0.5",)]
    check(logs, writers, "eval.{}_loss")
    assert losses(logs, "r0.5", "eval.last")["value"].tolist() == [1.25]
    assert losses(logs, "r0.5", "odd")["value"].isna().all()
    assert "note" not in set(logs[0].events["metric"])
    assert all(log.notes == () for log in logs)
    (file,) = folder.rglob("run-r025.wandb")
    pd.testing.assert_frame_equal(
        read_log(file).events.drop(columns="source"), logs[0].events.drop(columns="source")
    )


def test_wandb_cut_short_gives_what_comes_before(written_logs: Written) -> None:
    (file,) = written_logs("wandb").rglob("run-r025.wandb")
    data, whole = file.read_bytes(), read_log(file)
    for size in range(len(data) - 120_000, len(data), 7001):
        file.write_bytes(data[:size])
        log = read_log(file)
        assert any("cut short" in note or "not ended" in note for note in log.notes)
        assert log.events["value"].equals(whole.events["value"].iloc[: len(log.events)])


@pytest.mark.parametrize("name", ["mlruns", "mlflow.db"])
def test_mlflow(written_logs: Written, writers: ModuleType, name: str) -> None:
    path = written_logs("mlflow") / name
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    log = read_log(path)
    assert log.runs == writers.RUNS
    check([log], writers, "eval/{}_loss")
    odd = losses([log], "r0.5", "odd")
    assert odd["step"].tolist() == [1, 2]
    assert np.isnan(odd["value"].iloc[0])
    assert odd["value"].iloc[1] == -np.inf
    assert any("deleted run" in note for note in log.notes)
    assert any("logged without a step" in note and "stepless" in note for note in log.notes)
    after = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    assert after == before


def test_mlflow_reads_the_step_of_lines_with_a_dataset(written_logs: Written) -> None:
    """Five fields: MLflow itself reads the step 0 from these."""
    folder = written_logs("mlflow") / "mlruns"
    lines = "1700000000000 2.5 40 name 1234abcd\n1700000000000 2.25 80 name 1234abcd\n"
    # Of all runs: which one comes first is up to their random names, and one was deleted.
    for file in [path for path in folder.rglob("general_loss") if path.parent.name == "eval"]:
        file.write_text(lines)
    found = read_log(folder).events
    assert {40.0, 80.0} <= set(found.loc[found["metric"] == "eval/general_loss", "step"])


def test_lightning(written_logs: Written, writers: ModuleType) -> None:
    logs, _ = read_logs([written_logs("torch") / "lightning"])
    check(logs, writers, "val_{}_loss")
    assert set(losses(logs, "r0.5", "val_general_loss")["split"]) == {"eval"}
    assert set(losses(logs, "r0.5", "train_loss")["split"]) == {"train"}


def test_trackio(trackio_database: Path, writers: ModuleType) -> None:
    log = read_log(trackio_database)
    assert log.format == "trackio database"
    check([log], writers, "eval.{}_loss")
    assert losses([log], "r0.5", "odd")["value"].isna().all()
    assert log.events["wall_time"].notna().all()


@pytest.fixture
def aside(writers: ModuleType) -> None:
    if not writers.ASIDE.is_dir():
        pytest.skip(f"no {writers.ASIDE}: make test installs trackio and lm-eval there, if it can")


def test_trackio_itself(aside: None, written_logs: Written, writers: ModuleType) -> None:
    (file,) = written_logs("trackio").glob("cpt*.db")
    log = read_log(file)
    assert log.format == "trackio database"
    check([log], writers, "eval.{}_loss")


def test_lm_eval_itself(aside: None, written_logs: Written, writers: ModuleType) -> None:
    folder = written_logs("lm_eval")
    for run in writers.RUNS:
        (file,) = (folder / run).rglob("results_*.json")
        log = read_log(file)
        assert log.format == "lm-evaluation-harness results"
        by = log.events.set_index("metric")["value"]
        loss = writers.truth(run, writers.STEPS[-1], "general")
        assert set(by.index) == {"texts/word_perplexity", "texts/bits_per_byte"}
        assert np.log(by["texts/word_perplexity"]) == pytest.approx(loss, rel=1e-12)
        # 7 words in 32 bytes.
        bits = loss * 7 / 32 / np.log(2)
        assert by["texts/bits_per_byte"] == pytest.approx(bits, rel=1e-12)
        assert any("texts 1.0" in note for note in log.notes)


def test_a_database_in_use_is_read_with_its_log_and_left_alone(trackio_database: Path) -> None:
    """Until a checkpoint of SQLite the last rows are in a second file."""
    writer = sqlite3.connect(trackio_database)
    with closing(writer):
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute(
            "INSERT INTO metrics(run_id, timestamp, run_name, step, metrics)"
            " VALUES ('r0.5', '2026-01-01', 'r0.5', 300, '{\"late\": 1.5}')"
        )
        writer.commit()
        copy = trackio_database.parent / "copy"
        copy.mkdir()
        for file in trackio_database.parent.glob("cpt.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, copy)
    (copy / "cpt.db").chmod(0o444)
    before = sorted(path.name for path in copy.iterdir())
    log = read_log(copy / "cpt.db")
    assert losses([log], "r0.5", "late")["value"].tolist() == [1.5]
    assert sorted(path.name for path in copy.iterdir()) == before == ["cpt.db", "cpt.db-wal"]
    assert log.sha256 != read_log(trackio_database).sha256
