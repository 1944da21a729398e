"""``bayescmr doctor``: passes here, and fails on an environment broken on purpose."""

from __future__ import annotations

import json
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bayescmr.checks import environment
from bayescmr.cli.app import run


def named(name: str) -> environment.Check:
    (check,) = [check for check in environment.examine() if check.name == name]
    return check


def test_this_environment_passes_and_every_package_is_looked_at(capsys) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "PASS"
    names = {check["name"] for check in found["checks"]}
    core = [Requirement(text) for text in metadata("bayescmr").get_all("Requires-Dist")]
    assert {r.name for r in core if r.marker is None} <= names
    extras = metadata("bayescmr").get_all("Provides-Extra")
    assert {f"extra {name}" for name in extras} <= names
    assert run(["doctor"]) == 0
    assert "This environment can fit." in capsys.readouterr().out


def test_an_old_package_and_an_old_python_fail(monkeypatch, capsys) -> None:
    monkeypatch.setattr(environment, "version", lambda name: "0.0.1")
    assert run(["doctor"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "install 'numpy>=" in out
    assert "checks say FAIL" in out
    assert environment.python_version(">=99").status == "FAIL"


def test_a_package_that_is_not_installed_fails(monkeypatch) -> None:
    def absent(name: str) -> str:
        raise environment.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "version", absent)
    check = named("numpy")
    assert (check.status, check.value) == ("FAIL", "not installed")
    assert named("extra ray").status == "NOT RUN"
    assert "'bayescmr[ray]'" in named("extra ray").advice


def test_a_package_without_metadata_is_told(monkeypatch, capsys) -> None:
    def absent(name: str) -> str:
        raise environment.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "metadata", absent)
    assert run(["doctor"]) == 1
    assert "install ." in capsys.readouterr().out


def test_a_cache_that_cannot_be_written_and_little_memory_are_told(monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/no/such/folder")
    assert named("numba cache").status == "REVIEW"
    assert "NUMBA_CACHE_DIR" in named("numba cache").advice
    monkeypatch.setattr(environment, "_free_gb", lambda: 0.2)
    assert named("memory").status == "REVIEW"


def test_the_home_folder_is_not_told(monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    run(["doctor", "--json"])
    out = capsys.readouterr().out
    assert "~/cache" in out
    assert str(tmp_path) not in out
    assert "hunter2" not in out


def test_what_cannot_be_imported_is_told_by_its_last_line() -> None:
    assert environment._child("import json") == ""
    assert environment._child("raise ImportError('no such wheel')") == "ImportError: no such wheel"
    assert environment._import_error(["packaging", "numpy"]) == ""


@pytest.mark.slow
def test_a_small_fit_compiles_and_runs() -> None:
    assert environment.compile_and_fit().status == "PASS"
