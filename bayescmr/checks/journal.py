"""A file of results, one JSON line each, that a killed run goes on with.

The first line is a header that says what the results depend on; a run that
asks for anything else is refused instead of mixing two studies in one file.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bayescmr.errors import CheckError

Record = dict[str, Any]


class Journal:
    """Results by their ``index``, on disk as soon as they are appended.

    Parameters
    ----------
    path : Path
        File that ends in ``.jsonl``; made, with its folder, if it does not exist.
    header : mapping
        All that the results depend on, as plain data.

    Raises
    ------
    CheckError
        The file belongs to a study with another header, is no journal, is being written by
        another process, or cannot be written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.header = json.loads(json.dumps(header))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise CheckError(f"{path}: cannot write: {error.strerror or error}") from None
        try:
            self.records = self._resume()
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def append(self, record: Record) -> None:
        """Keep one result; it is on disk when this returns."""
        self._write(record)
        self.records[int(record["index"])] = record

    def _write(self, data: Mapping[str, Any]) -> None:
        line = (json.dumps(data, allow_nan=False) + "\n").encode()
        # A line that was cut off, by a kill or a full disk, is cut out when the file is opened.
        if os.write(self._file, line) != len(line):
            raise CheckError(f"{self.path}: cannot write: the disk is full")
        os.fsync(self._file)

    def _resume(self) -> dict[int, Record]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CheckError(
                f"{self.path}: another process is writing to it; wait for it, or choose another"
                " file"
            ) from None
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if text and not text.startswith(b"{"):
            raise CheckError(f"{self.path}: not a file of results; choose another name")
        if len(whole) != len(text):
            os.ftruncate(self._file, len(whole))
        if not whole:
            self._write(self.header)
            return {}
        found, by_index = _parse(self.path, whole)
        different = _differences(found, self.header)
        if different:
            raise CheckError(
                f"{self.path}: holds results of another study: {'; '.join(different)}. Give the"
                " settings that it was begun with, or another file"
            )
        return by_index


def read_journal(path: Path) -> tuple[dict[str, Any], dict[int, Record]]:
    """Return the header and the results of a file that may still be growing; nothing is written.

    Raises
    ------
    CheckError
        The file cannot be read, or holds no results.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CheckError(f"{path}: cannot read: {error.strerror or error}") from None
    return _parse(path, text[: text.rfind(b"\n") + 1])


def _parse(path: Path, whole: bytes) -> tuple[dict[str, Any], dict[int, Record]]:
    try:
        header, *records = [json.loads(line) for line in whole.splitlines()]
        if not isinstance(header, dict):
            raise TypeError
        return header, {int(record["index"]): record for record in records}
    except (ValueError, KeyError, TypeError):
        raise CheckError(f"{path}: damaged, or not a file of results") from None


def _differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """One phrase for each entry in which two headers differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        phrases = []
        for key in [*found, *(k for k in wanted if k not in found)]:
            name = f"{where}.{key}" if where else key
            phrases += _differences(found.get(key), wanted.get(key), name)
        return phrases
    if found == wanted:
        return []
    if isinstance(found, list) or isinstance(wanted, list):
        return [f"{where} differ"]
    return [f"{where} is {found!r} there, {wanted!r} here"]
