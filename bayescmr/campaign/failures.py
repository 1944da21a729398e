"""What a database says when it cannot go on, in the words of a user."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_AGAIN = "; nothing was written, the same command goes on afterwards"
_RIGHTS = (
    "it may only be read; allow writing to the file, to those beside it (-wal, -shm) and to its"
    " folder"
)

#: Beginnings of SQLite's error names; the longer of two that fit comes first.
_SQLITE = (
    ("SQLITE_FULL", "the disk is full; make room" + _AGAIN),
    ("SQLITE_BUSY", "another program has kept it locked for half a minute; end that program"),
    ("SQLITE_LOCKED", "another program has kept it locked for half a minute; end that program"),
    ("SQLITE_READONLY_DBMOVED", "the file was moved or deleted; put it back" + _AGAIN),
    ("SQLITE_READONLY", _RIGHTS),
    ("SQLITE_PERM", _RIGHTS),
    (
        "SQLITE_CANTOPEN",
        "it cannot be opened; allow reading and writing of the file and of its folder",
    ),
    ("SQLITE_NOTADB", "the file is no SQLite database; name another file"),
    (
        "SQLITE_CORRUPT",
        "the file is damaged; restore a copy, or save what `sqlite3 FILE .recover` finds",
    ),
    ("SQLITE_IOERR", "the disk failed while reading or writing; see to the disk" + _AGAIN),
)

#: Beginnings of PostgreSQL's SQLSTATE codes.
_POSTGRES = (
    ("53100", "the disk of the server is full; make room" + _AGAIN),
    ("53300", "the server takes no more connections; end others, or raise max_connections"),
    ("28", "the server refuses this user; check user and password in the URL"),
    ("3D000", "there is no such database; make it with `createdb`"),
    ("42501", "this user may not do that; grant the rights on the tables of bayescmr"),
    ("25006", "the server only allows reading; use the primary server"),
    ("57", "the server is shutting down; start it" + _AGAIN),
    ("08", "the connection was lost; start the server" + _AGAIN),
)


def explained(error: SQLAlchemyError | sqlite3.Error) -> str:
    """Say in one line what happened and what to do.

    Parameters
    ----------
    error : SQLAlchemyError or sqlite3.Error
        What the database layer raised.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _matching(getattr(cause, "sqlite_errorname", ""), _SQLITE) or _first_line(cause)
    if not isinstance(error, DBAPIError):
        return _first_line(error)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return _matching(state, _POSTGRES) or f"{_first_line(cause)} (SQLSTATE {state})"
    if type(cause).__name__ == "OperationalError" or error.connection_invalidated:
        words = _first_line(cause)
        # psycopg has no code for what is refused before a session begins.
        for sign, code in (("authentication failed", "28"), ("does not exist", "3D000")):
            if sign in words:
                return _matching(code, _POSTGRES)
        return f"the server cannot be reached ({words}); start it, or check the URL{_AGAIN}"
    return _first_line(cause)


def _matching(code: str, known: tuple[tuple[str, str], ...]) -> str:
    return next((words for beginning, words in known if code.startswith(beginning)), "")


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
