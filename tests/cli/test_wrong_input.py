"""Wrong input: exit code 2, nothing on stdout, one line that says where, what and how to fix."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from bayescmr import gu2024
from bayescmr.cli.app import run

TARGET = ["--size", "3.1e9", "--domain", "finance", "--tokens", "20e9"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    gu2024.trajectories(checkpoints=6).to_csv(path, index=False)
    return path


def wrong(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run in this process; return the one line."""
    capsys.readouterr()
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("bayescmr: ")
    return line


def test_from_the_shell(cli, tmp_path: Path) -> None:
    for words, expected in (
        (["fit", "nowhere.csv"], ["nowhere.csv", "no such file"]),
        (["cmr", "nowhere.nc", *TARGET], ["nowhere.nc", "no such file", "bayescmr fit"]),
        (["fit"], ["RUNS: missing", "bayescmr fit --help"]),
        (["fit", "runs.csv", "--sed", "1"], ["--sed", "--seed"]),
        (["fiit"], ["fiit", "bayescmr --help"]),
    ):
        done = cli(*words)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        for part in expected:
            assert part in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--size", "3.1B", "for example 3.1e9"),
        ("--size", "3.1", "looks like billions"),
        ("--size", "-1", "expected a count > 0"),
        ("--tokens", "many", "for example 20e9"),
        ("--tokens", "nan", "for example 20e9"),
        ("--domain", " ", "expected a name"),
        ("--tolerance", "-0.05", "expected a number >= 0"),
        ("--tolerance", "5%", "for example 0.05"),
        ("--tolerance-unit", "percent", "expected one of nats, share"),
        ("--risk", "10", "expected a probability in (0, 1)"),
        ("--risk", "10%", "for example 0.1"),
        ("--prob", "90", "expected a probability in (0, 1)"),
        ("--estimand", "gu2024", "expected one of tolerance, turning_point, gu"),
        ("--lam", "0", "expected a number > 0"),
        ("--base", "-2", "expected losses > 0"),
        ("--set-tolerance", "web", "expected NAME=VALUE"),
        ("--set-tolerance", "web=much", "expected NAME=VALUE"),
        ("--set-tolerance", "general=-1", "expected a number >= 0"),
        ("--size", "1e300", "expected at most 1e+18"),
        ("--domain", "\udcff", "expected a name"),
        ("--base", "x", "for example 2.5"),
        ("--base", "2.5", "add --tolerance-unit share"),
    ],
)
def test_options_of_cmr(
    capsys: pytest.CaptureFixture[str], saved: Path, option: str, value: str, expected: str
) -> None:
    line = wrong(capsys, "cmr", saved, *TARGET, option, value)
    assert option in line
    assert expected in line


def test_set_tolerances_that_contradict(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    ask = ["cmr", saved, *TARGET, "--set-tolerance", "general=0.05"]
    assert "twice" in wrong(capsys, *ask, "--set-tolerance", "general=0.02")
    assert "--tolerance too" in wrong(capsys, *ask, "--tolerance", "0.02")
    line = wrong(capsys, "cmr", saved, *TARGET, "--set-tolerance", "code=0.05")
    assert "'code'" in line
    assert "general" in line


def test_a_share_needs_a_base_loss(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    assert "base loss" in wrong(capsys, "cmr", saved, *TARGET, "--tolerance-unit", "share")


@pytest.mark.parametrize("missing", ["--size", "--domain", "--tokens"])
def test_missing_options(capsys: pytest.CaptureFixture[str], saved: Path, missing: str) -> None:
    at = TARGET.index(missing)
    line = wrong(capsys, "cmr", saved, *TARGET[:at], *TARGET[at + 2 :])
    assert f"{missing}: missing" in line


def test_a_table_is_no_posterior(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    line = wrong(capsys, "cmr", table, *TARGET)
    assert str(table) in line


def test_a_posterior_is_no_table(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    assert str(saved.name) in wrong(capsys, "fit", saved)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--model", "turning_pint", "turning_point"),
        ("--seed", "-1", "expected a whole number >= 0"),
        ("--draws", "1e3", "expected a whole number >= 4"),
        ("--chains", "0", "expected a whole number >= 1"),
        ("--cores", "0", "expected a whole number >= 1"),
        ("--sampler", "numpyro", "expected one of nutpie, pymc"),
        ("--min-tokens", "32K", "for example 32000"),
        ("--min-tokens", "-5", "expected a finite count"),
        ("--seed", str(10**30), "expected at most 4294967295"),
        ("--draws", str(10**30), "expected at most 10000000"),
        ("--target-accept", "1.5", "expected a number in (0, 1)"),
        ("--target-accept", "90%", "for example 0.98"),
        ("--out", "posterior.csv", "ending in .nc"),
        ("--out", "runs.csv/posterior.nc", "cannot write"),
    ],
)
def test_options_of_fit(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    table: Path,
    option: str,
    value: str,
    expected: str,
) -> None:
    monkeypatch.chdir(table.parent)
    line = wrong(capsys, "fit", table, option, value)
    assert option in line
    assert expected in line


def test_ratios_in_percent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frame = gu2024.trajectories(checkpoints=6)
    path = tmp_path / "percent.csv"
    frame.assign(ratio=100 * frame["ratio"]).to_csv(path, index=False)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert run(["fit", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "percent.csv" in err
    assert "ratio" in err
    assert "[0, 1]" in err


def test_a_folder_is_no_posterior(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "a folder, expected a file" in wrong(capsys, "cmr", tmp_path, *TARGET)


def test_hdf5_of_somebody_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.nc"
    with h5py.File(path, "w") as file:
        file["x"] = [1, 2, 3]
    assert "not written by bayescmr" in wrong(capsys, "cmr", path, *TARGET)


def test_models_that_cannot_be_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("a: [")
    assert "my.yaml: not YAML" in wrong(capsys, "models", "show", path)
    (tmp_path / "folder.yaml").mkdir()
    line = wrong(capsys, "models", "show", tmp_path / "folder.yaml")
    assert line.endswith("folder.yaml: cannot read the model: Is a directory")


def test_demo_refuses_a_file_as_folder(capsys: pytest.CaptureFixture[str], table: Path) -> None:
    line = wrong(capsys, "demo", "--out", table)
    assert "--out" in line
    assert "choose another place" in line
