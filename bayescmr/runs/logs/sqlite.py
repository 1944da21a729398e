"""SQLite, opened so that not a byte beside or in the database changes."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bayescmr.runs.logs.events import fail
from bayescmr.runs.logs.files import Content, digest_of_files

MAGIC = b"SQLite format 3\0"


@contextmanager
def read_only(content: Content) -> Iterator[sqlite3.Connection]:
    """Open a database.

    Even a reader of a database with a write-ahead log writes beside it, so such a pair is
    copied first; any other is opened as immutable.

    Raises
    ------
    LogError
        It is damaged, or no database.
    """
    wal = _wal(content)
    with tempfile.TemporaryDirectory() as folder:
        path, mode = content.path.resolve(), "immutable=1"
        if wal is not None:
            path = Path(folder) / "log.db"
            shutil.copyfile(content.path, path)
            shutil.copyfile(wal, f"{path}-wal")
            mode = "mode=rw"
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as connection:
                # Text that is no UTF-8 must not stop the reading of the rest.
                connection.text_factory = lambda text: text.decode("utf-8", "replace")
                yield connection
        except sqlite3.Error as error:
            got = f"a SQLite database that cannot be read ({error})"
            fail(content.source, got, "a whole one", "copy it again while nobody writes to it")


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    """Names of the columns of a table; empty where there is none."""
    return {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def digest(content: Content) -> str:
    """SHA-256 of the database; with its write-ahead log, of both."""
    wal = _wal(content)
    if wal is None:
        return content.sha256
    return digest_of_files([content.path, wal], content.path.parent)


def is_database(content: Content) -> bool:
    """Return whether the file begins as SQLite's do."""
    return content.head.startswith(MAGIC)


def _wal(content: Content) -> Path | None:
    wal = content.path.with_name(content.path.name + "-wal")
    return wal if wal.is_file() and wal.stat().st_size else None
