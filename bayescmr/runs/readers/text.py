"""Bytes and text of a file, with errors that name it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from bayescmr.runs.raw import fail

_BOM = b"\xef\xbb\xbf"


def read_bytes(path: Path, source: str) -> bytes:
    """Read a file whole, decompressed if its name ends in .gz.

    Parameters
    ----------
    path : Path
        File.
    source : str
        Its name in messages.

    Raises
    ------
    RunTableError
        If it is missing, a directory, unreadable, empty or a broken gzip file.
    """
    try:
        data = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
    except FileNotFoundError:
        fail(source, "no such file", "a run table", f"the working directory is {Path.cwd()}")
    except IsADirectoryError:
        fail(source, "a directory", "a file", "name the run table inside it")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fail(source, f"a broken gzip file ({error})", "a whole one", "copy the file again")
    except OSError as error:
        fail(source, f"a file that cannot be read ({error.strerror})", "a readable one")
    if not data.removeprefix(_BOM).strip():
        fail(source, "an empty file", "a header and at least one row")
    return data


def without_bom(data: bytes, source: str) -> bytes:
    """Check that the bytes are UTF-8 and strip the byte order mark.

    Parameters
    ----------
    data : bytes
        Content of a text file.
    source : str
        Its name in messages.

    Raises
    ------
    RunTableError
        If the bytes are not UTF-8; the message names the line.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{data[error.start]:02x} that is not UTF-8"
        fail(source, got, "UTF-8 text", "save the file as UTF-8", row)
    if b"\0" in data:
        row = data.count(b"\n", 0, data.index(b"\0")) + 1
        fail(source, "a NUL byte", "UTF-8 text", "save the file as UTF-8", row)
    return data.removeprefix(_BOM)
