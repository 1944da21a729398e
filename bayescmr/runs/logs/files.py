"""Bytes and text of a log: read once, with their digest, and errors that name the file."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from bayescmr.runs.logs.events import fail

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Content:
    """One log, a file or a folder; its bytes are read when first asked for.

    Parameters
    ----------
    path : Path
        Where it is.
    source : str
        Its name in messages.

    Raises
    ------
    LogError
        It is missing, unreadable or an empty file.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path = path
        self.source = source
        try:
            self.is_folder = path.is_dir()
            if not self.is_folder:
                with path.open("rb") as file:
                    #: First bytes of a file; empty for a folder.
                    self.head = file.read(64)
        except FileNotFoundError:
            fail(source, "no such file", "a log", f"the working directory is {Path.cwd()}")
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            fail(source, f"a file that cannot be read ({_reason(error)})", "a readable one")
        if self.is_folder:
            self.head = b""
        elif not self.head:
            fail(source, "an empty file", "a log with at least one number", "has the run started?")

    @cached_property
    def run(self) -> str:
        """What the one run of a log is called that does not name it: the folder or the file."""
        path = self.path.resolve()
        if self.is_folder:
            return path.name
        if path.name not in ("trainer_state.json", "metrics.csv") and "tfevents" not in path.name:
            return path.stem
        folder = path.parent
        while re.fullmatch(r"checkpoint-\d+|version_\d+", folder.name):
            folder = folder.parent
        return folder.name or path.stem

    @cached_property
    def data(self) -> bytes:
        """All bytes of the file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            fail(self.source, f"a file that cannot be read ({_reason(error)})", "a readable one")

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def text(self) -> str:
        """The file as text, see `to_text`; each line ends in LF, whatever its end was."""
        text = to_text(self.data, self.source)
        # Progress bars and old Macs end lines in CR alone.
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

    @cached_property
    def is_text(self) -> bool:
        """Whether the file is text: it has no zero byte, or says that it is UTF-16."""
        return self.data.startswith(_UTF16) or b"\0" not in self.data[: 1 << 16]


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def digest_of_files(paths: Iterable[Path], root: Path) -> str:
    """SHA-256 of names, relative to ``root``, and contents of several files."""
    total = hashlib.sha256()
    for path in sorted(paths):
        name = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
        total.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def to_text(data: bytes, source: str) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark as PowerShell's ``>`` writes it.

    Raises
    ------
    LogError
        The bytes are no such text; the message names the line.
    """
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{data[error.start]:02x} in line {line}, which is not {encoding[:6].upper()}"
        fail(source, got, "UTF-8 text", "convert it, for example with iconv -t utf-8")


def whole_lines(text: str) -> tuple[str, tuple[str, ...]]:
    """Cut off a last line that has no end: its last number may be cut short.

    Returns
    -------
    text : str
        Whole lines.
    notes : tuple of str
        What was cut off.
    """
    stop = text.rfind("\n") + 1
    if stop == len(text) or not text[stop:].strip():
        return text, ()
    cut = text[stop:].strip()
    shown = cut if len(cut) <= 60 else cut[:57] + "..."
    return text[:stop], (f"the last line has no end and was left out: {shown!r}",)


def parse_json(text: str, source: str) -> Any:
    """Read one JSON value; NaN and Infinity are allowed, as Python writes them.

    Raises
    ------
    LogError
        The text is no JSON, for example cut short.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        got = f"malformed JSON ({error.msg} in line {error.lineno}, column {error.colno})"
        fix = "it may be cut short: take the file of an earlier checkpoint, or copy it again"
        fail(source, got, "a whole JSON file", fix)
    except (RecursionError, ValueError) as error:
        fail(source, f"JSON that cannot be read ({type(error).__name__})", "a plain JSON file")


def as_number(value: object) -> float | None:
    """Return a JSON value as a number: 'NaN' and 'Infinity' are numbers, true and text are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return None


def flat_numbers(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, float]]:
    """Numbers of a nested mapping, keys joined by points as W&B does."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat_numbers(value, f"{prefix}{key}.")
        elif (number := as_number(value)) is not None:
            yield f"{prefix}{key}", number
