"""TensorBoard event files: TFRecords of protocol buffers, checksums verified, no tensorboard."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, digest_of_files
from bayescmr.runs.logs.rounding import of_float32
from bayescmr.runs.logs.wire import WireError, fields, signed

NAME = "TensorBoard event file"
_PATTERN = "*tfevents*"
#: ``DataType`` of a tensor to its item: float, double, int32, int64.
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}


def recognise(content: Content) -> bool:
    """Return whether the first record has a length with a right checksum."""
    if content.is_folder:
        return any(content.path.glob(_PATTERN))
    # No record has 4 GiB, and no text four zero bytes: most files need no checksum.
    if len(content.head) < 12 or any(content.head[4:8]):
        return False
    from bayescmr.runs.logs.crc32c import masked_crc32c

    return bool(masked_crc32c(content.head[:8]) == struct.unpack("<I", content.head[8:12])[0])


def read(content: Content) -> Log:
    """Read all scalars of an event file, or of all event files of one folder (one run).

    Raises
    ------
    LogError
        A checksum is wrong before the end of the file.
    """
    events = Events(content.source)
    notes: list[str] = []
    if not content.is_folder:
        _read_file(content, content.run, events, notes)
        sha256 = content.sha256
    else:
        # The name begins with the time of the start: this is the order of sittings.
        files = sorted(content.path.glob(_PATTERN))
        for path in files:
            _read_file(Content(path, str(path)), content.run, events, notes)
        sha256 = digest_of_files(files, content.path)
    return Log(content.source, NAME, sha256, events.frame(), tuple(notes))


def _read_file(content: Content, run: str, events: Events, notes: list[str]) -> None:
    others: set[str] = set()
    for at, payload in _records(content, notes):
        try:
            _event(payload, run, events, others)
        except (WireError, UnicodeDecodeError, struct.error) as error:
            got = f"a record at byte {at} that is no event ({error})"
            fail(content.source, got, "TensorBoard events")
    if others:
        shown = ", ".join(sorted(others)[:5])
        notes.append(f"{len(others)} tags that are no scalars were left out ({shown[:80]})")


def _records(content: Content, notes: list[str]) -> Iterator[tuple[int, bytes]]:
    from bayescmr.runs.logs.crc32c import masked_crc32c

    data, at = content.data, 0
    while at < len(data):
        head = data[at : at + 12]
        wrong = len(head) == 12 and masked_crc32c(head[:8]) != struct.unpack("<I", head[8:])[0]
        if wrong:
            got = f"a wrong checksum at byte {at} of {len(data)}"
            fail(content.source, got, "the file as it was written", "copy it again")
        length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else 0
        stop = at + 12 + length + 4
        if len(head) < 12 or stop > len(data):
            notes.append(
                f"the file is cut short: {len(data) - at} bytes of an unfinished record at byte"
                f" {at} were left out"
            )
            return
        payload = data[at + 12 : stop - 4]
        if masked_crc32c(payload) != struct.unpack("<I", data[stop - 4 : stop])[0]:
            got = f"a wrong checksum in the record at byte {at} of {len(data)}"
            fail(content.source, got, "the file as it was written", "copy it again")
        yield at, payload
        at = stop


def _event(payload: bytes, run: str, events: Events, others: set[str]) -> None:
    """One ``Event``: 1 wall_time, 2 step, 5 summary, whose 1 are values."""
    wall_time, step = np.nan, 0
    values: list[bytes] = []
    for number, value in fields(payload):
        if number == 1 and isinstance(value, bytes):
            wall_time = struct.unpack("<d", value)[0]
        elif number == 2:
            step = signed(value)
        elif number == 5 and isinstance(value, bytes):
            values += [part for n, part in fields(value) if n == 1 and isinstance(part, bytes)]
    for part in values:
        tag, scalar, stored = _value(part)
        if scalar is None:
            others.add(tag)
            continue
        grid = float(of_float32(np.array([scalar]))[0]) if stored == "<f4" else 0.0
        events.add(run, tag, scalar, step, wall_time=wall_time, precision=grid)


def _value(part: bytes) -> tuple[str, float | None, str]:
    """One ``Summary.Value``: 1 tag, 2 simple_value, 8 tensor."""
    tag, scalar, stored = "", None, "<f4"
    for number, value in fields(part):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8")
        elif number == 2 and isinstance(value, bytes):
            scalar = float(struct.unpack("<f", value)[0])
        elif number == 8 and isinstance(value, bytes):
            scalar, stored = _tensor(value)
    return tag, scalar, stored


def _tensor(data: bytes) -> tuple[float | None, str]:
    """Read a ``TensorProto`` of one number: 1 dtype, 4 content, 5 to 10 the typed fields."""
    stored, content, typed = "", b"", b""
    for number, value in fields(data):
        if number == 1:
            stored = _DTYPES.get(signed(value), "")
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            typed = value
    raw = content or typed
    if not stored or len(raw) != np.dtype(stored).itemsize:
        return None, stored
    return float(np.frombuffer(raw, dtype=stored)[0]), stored
