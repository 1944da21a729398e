"""Stores on both engines: an SQLite file, and a real PostgreSQL server that the session starts."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bayescmr.campaign import open_store
from bayescmr.campaign.records import (
    LossRow,
    NewAttempt,
    OptionRecord,
    Part,
    PickRecord,
    RoundRecord,
)


class PostgreSQL:
    """A server in a folder of its own, reached by a socket in that folder."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # The path of a socket may have 107 characters, so not below pytest's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.process: subprocess.Popen[bytes] | None = None
        self.numbers = itertools.count()
        # The server refuses to be root.
        self.user = None
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            self.user = next((name for name in ("postgres", "nobody") if name in names), None)
            shutil.chown(self.folder, self.user)
        self._run("initdb", "-D", "data", "-U", "bayescmr", "-A", "trust", "-E", "UTF8", "-N")

    def _options(self) -> dict[str, object]:
        env = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        return {"cwd": self.folder, "user": self.user, "env": env}

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [self.programs / program, *words],
            **self._options(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            raise OSError(f"{program}: {done.stderr.strip().splitlines()[-1:]}")

    def start(self) -> None:
        """Start, and wait until it answers."""
        import psycopg

        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # No fsync: the machine does not fail in a test, only processes do.
                [self.programs / "postgres", "-D", "data", "-F", "-h", "", "-k", self.folder],
                **self._options(),
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.address("postgres")).close()
                return
            except psycopg.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise OSError(f"the server does not answer: {error}") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """End it and all its sessions at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(60)
            self.process = None

    def address(self, database: str) -> str:
        return f"postgresql://bayescmr@/{database}?host={self.folder}"

    def new(self) -> str:
        """URL of a new database."""
        import psycopg

        name = f"store_{next(self.numbers)}"
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _programs() -> Path | None:
    """Folder of the programs of a server, of the newest version that is there."""
    folders = []
    for name in ("postgres", "pg_config"):
        if found := shutil.which(name):
            folders.append(Path(found).resolve().parent)
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(versions, key=lambda path: path.parent.name, reverse=True)
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    return None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL server; skips where there is none (tests/conftest.py says so)."""
    pytest.importorskip("psycopg", reason="no PostgreSQL: psycopg is not installed")
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL: neither on PATH nor in /usr/lib/postgresql")
    try:
        server = PostgreSQL(programs)
    except OSError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        try:
            server.start()
        except OSError as error:
            pytest.skip(f"no PostgreSQL: {error}")
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new store may be, on each engine."""
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return request.getfixturevalue("postgresql").new()


@pytest.fixture
def store(url):
    """An empty store."""
    with open_store(url) as opened:
        yield opened


class Campaign:
    """A campaign in a store, with a controller, and short ways to write to it."""

    def __init__(self, store, name="law", budget=10e9):
        self.store, self.name = store, name
        store.create(name, {"target": {"size": 3.1e9}, "domain": "law"}, budget=budget)
        self.lease = store.acquire(name, "first controller", 60.0)

    def options(self, n=4, chosen=0):
        part = Part("aaaaaaaaaaaa", 25e3, "law", 0.25, 1, 8192)
        return PickRecord(
            tuple(
                OptionRecord(
                    parts=(part,) * (1 + i % 2),
                    score=float("-inf") if i == 3 else 1.0 / (1 + i),
                    value=0.1 * i,
                    cost=1e9 * (1 + i),
                    propensity=1.0 / n,
                    diagnostics={"khat": float("nan") if i == 0 else 0.3},
                )
                for i in range(n)
            ),
            chosen,
        )

    def record(self, number=1, picks=None, **changes):
        record = {
            "number": number,
            "fingerprint": "f" * 64,
            "posterior": {"cmr": {"median": 0.3, "lower": 0.1, "upper": 0.5}},
            "seed": 7,
            "policy": "variance",
            "software": "0.1.0",
            "spent": 0.0,
            "forecast": None,
            "decision": {"ratio": 0.2, "risk": 0.1, "stop": None},
            "picks": (self.options(),) if picks is None else picks,
        }
        return RoundRecord(**(record | changes))

    def round(self, number=1, **changes):
        return self.store.add_round(self.name, self.lease, self.record(number, **changes))

    def new(self, run="aaaaaaaaaaaa", **changes):
        attempt = {
            "run": run, "size": 25e3, "domain": "law", "ratio": 0.25, "seed": 1, "tokens": 16384,
            "checkpoints": (4096, 8192, 16384), "until": 8192, "cost": 1e9,
        }  # fmt: skip
        return NewAttempt(**(attempt | changes))

    def reserve(self, *new, round=1):
        return self.store.reserve(self.name, self.lease, round, list(new) or [self.new()])

    def submitted(self, key, handle=None):
        self.store.submitted(key, self.lease, "local", handle or {"pid": 1})

    def losses(self, run="aaaaaaaaaaaa", upto=8192):
        rows = [
            LossRow(t, role, name, "loss", 3.0 + t / 1e6 + len(name) / 10)
            for t in (0, 4096, 8192, 16384)
            if t <= upto
            for role, name in (("general", "general"), ("general", "code"), ("domain", "domain"))
        ]
        return self.store.record_losses(run, self.lease, rows)

    def settle(self, key, outcome="done", reached=8192, charge=9e8, exit_code=0, reason=""):
        self.store.settle(key, self.lease, outcome, reached, charge, exit_code, reason)

    def whole(self):
        """One round with a probe that is done, one under way and one that diverged."""
        self.round()
        self.reserve(
            self.new(), self.new("bbbbbbbbbbbb", ratio=0.5), self.new("cccccccccccc", ratio=1.0)
        )
        self.submitted("aaaaaaaaaaaa-1")
        self.losses()
        self.settle("aaaaaaaaaaaa-1")
        self.submitted("bbbbbbbbbbbb-1", {"pid": 2})
        self.submitted("cccccccccccc-1", {"pid": 3})
        self.settle("cccccccccccc-1", "diverged", 100, 1e8, 4, "loss is nan")
        return self


@pytest.fixture
def campaign(store):
    """A campaign that a controller has just begun."""
    return Campaign(store)


@pytest.fixture
def as_user():
    """Give up the rights of root for a while, so that permissions of files mean something."""

    @contextlib.contextmanager
    def user():
        if os.geteuid():
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return user


@pytest.fixture
def campaign_class():
    """How campaigns of tests are made, for a store that is not the one of the fixtures."""
    return Campaign
