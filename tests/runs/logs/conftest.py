"""Logs written by the loggers' own libraries, and logs in the form of consoles, by name."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def writers() -> ModuleType:
    """The module that writes logs: its runs, steps and true losses."""
    spec = importlib.util.spec_from_file_location("writers", HERE / "writers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def trackio_database(tmp_path: Path) -> Path:
    """A database of trackio, from its dump."""
    path = tmp_path / "cpt.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / "trackio.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | bytes, name: str = "train.log") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write
