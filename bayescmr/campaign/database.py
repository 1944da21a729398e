"""One database: how it is reached, its transactions, and its errors in the words of a user.

A transaction that writes has the whole database to itself on SQLite (``BEGIN IMMEDIATE``); on
PostgreSQL writers of one campaign queue for the row of that campaign, see `ledger`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bayescmr.campaign.failures import explained
from bayescmr.errors import CampaignError

#: Seconds for which a writer waits for another: transactions take milliseconds.
_PATIENCE = 30.0
_WRITES = "bayescmr_writes"


class Database:
    """A database that several threads and processes may use at once.

    Parameters
    ----------
    engine : Engine
        How it is reached.
    name : str
        How messages name it; without a password.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self.name = name

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database, whatever others write."""
        with (
            self.told(),
            self._engine.connect() as connection,
            self._one_state(connection).begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes all take place at the end of the block, or none."""
        with (
            self.told(),
            self._engine.connect() as connection,
            connection.execution_options(**{_WRITES: True}).begin(),
        ):
            yield connection

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the database raises into a `CampaignError`."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise CampaignError(f"{self.name}: {explained(error)}") from error

    def _one_state(self, connection: Connection) -> Connection:
        return connection.execution_options(isolation_level="REPEATABLE READ")


class File(Database):
    """An SQLite file.

    Parameters
    ----------
    path : Path
        The file.
    create : bool
        Whether it is made where there is none.

    Raises
    ------
    CampaignError
        There is none, or it cannot be made.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path.absolute()
        try:
            if not self._path.exists():
                if not create:
                    raise CampaignError(
                        f"{path}: there is no such store; check the name, or make a campaign in it"
                    )
                self._path.touch()
        except OSError as error:
            raise CampaignError(
                f"{path}: cannot be opened: {error.strerror or error}; name a file in a folder"
                " that exists and may be written to"
            ) from None
        url = URL.create("sqlite", database=str(self._path))
        super().__init__(
            create_engine(url, creator=self._connect, json_deserializer=_parsed), str(path)
        )
        event.listen(self._engine, "begin", _begin)
        self._identity: tuple[int, int] | None = None

    def write_ahead(self) -> None:
        """Let readers go on while one writes: a property of the file, kept in it."""
        end = time.monotonic() + _PATIENCE
        while True:
            with self.told(), closing(self._connect()) as raw:
                try:
                    raw.execute("PRAGMA journal_mode = WAL")
                    return
                except sqlite3.OperationalError as error:
                    # SQLite does not wait by itself while another process does the same.
                    busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                    if not busy or time.monotonic() > end:
                        raise
            time.sleep(0.02)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what the database raises into a `CampaignError`; notice where it is gone."""
        # A file that was deleted can still be written to by whoever has it open, for nothing.
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise CampaignError(
                f"{self.name}: the store is gone ({error.strerror or error}); put the file back,"
                " the same command goes on afterwards"
            ) from None
        identity = found.st_dev, found.st_ino
        if self._identity not in (None, identity):
            self.close()
        self._identity = identity
        with super().told():
            yield

    def _one_state(self, connection: Connection) -> Connection:
        return connection  # so SQLite's transactions are

    def _connect(self) -> sqlite3.Connection:
        raw = sqlite3.connect(
            # Read and write, not create: a file that is gone must not come back empty.
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,  # BEGIN is ours
            check_same_thread=False,
        )
        try:
            raw.execute("PRAGMA foreign_keys = ON")
            # With a write-ahead log the default loses the last transactions in a power cut.
            raw.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            raw.close()
            raise
        return raw


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise CampaignError(
            f"a column of JSON was changed by hand: got {text[:40]!r}; `bayescmr campaign audit`"
            " says in which row"
        ) from None


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def database_of(url: str | Path, *, create: bool) -> Database:
    """Return the database of a file name or URL.

    Parameters
    ----------
    url : str or Path
        File of SQLite, or URL of PostgreSQL.
    create : bool
        Whether a file is made where there is none.

    Raises
    ------
    CampaignError
        The URL is ill-formed or of another engine, or the file cannot be opened.
    """
    if isinstance(url, Path) or "://" not in url:
        if not str(url):
            raise CampaignError("store: got an empty name, expected a file or a URL")
        return File(Path(url), create=create)
    expected = "expected a file (SQLite) or postgresql+psycopg://USER@HOST/DATABASE"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise CampaignError(
            f"store: the URL cannot be read, {expected}; write special characters of a password"
            " as %XX"
        ) from None
    backend = parsed.drivername
    if backend == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return File(Path(str(parsed.database)), create=create)
    if backend not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise CampaignError(f"store: got a URL of {backend}, {expected}")
    parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        # A server that was started anew is noticed before a transaction, not in it.
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            # Writers queue for a row, and then see what the one before has written.
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 10},
            json_deserializer=_parsed,
        )
    except ModuleNotFoundError:
        raise CampaignError(
            "PostgreSQL needs the package psycopg, which is not installed: pip install"
            " 'bayescmr[campaign,postgres]'"
        ) from None
    return Database(engine, parsed.render_as_string(hide_password=True))
