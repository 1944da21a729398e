"""W&B's offline runs, ``run-*.wandb``: a LevelDB log of protocol buffers, complete."""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Iterator

from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, as_number, flat_numbers
from bayescmr.runs.logs.rounding import round_doubles
from bayescmr.runs.logs.wire import WireError, fields, signed

NAME = "W&B offline run"
_HEADER = 7
_BLOCK = 32768
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def recognise(content: Content) -> bool:
    """Return whether it is a ``.wandb`` file, or the folder of one offline run."""
    if content.is_folder:
        return len(list(content.path.glob("run-*.wandb"))) == 1
    return content.head.startswith(b":W&B")


def read(content: Content) -> Log:
    """Read the history of one offline run.

    Raises
    ------
    LogError
        A checksum is wrong before the end of the file.
    """
    file = content
    if content.is_folder:
        (path,) = content.path.glob("run-*.wandb")
        file = Content(path, str(path))
    notes: list[str] = []
    rows: list[dict[str, object]] = []
    name, finished = "", False
    for at, record in _records(file, notes):
        try:
            for number, value in fields(record):
                if number == 2 and isinstance(value, bytes):
                    rows.append(_history(value))
                elif number == 17 and isinstance(value, bytes):
                    name = _run_name(value) or name
                elif number == 18:
                    finished = True
        except (WireError, UnicodeDecodeError) as error:
            fail(file.source, f"a record at byte {at} that is no W&B record ({error})", NAME)
    if not finished:
        notes.append("the run has not ended, or its end was not written")
    events = Events(content.source)
    for row in rows:
        _add(events, name or content.run, row)
    return Log(content.source, NAME, file.sha256, round_doubles(events.frame()), tuple(notes))


def _add(events: Events, run: str, row: dict[str, object]) -> None:
    step = as_number(row.get("_step"))
    seen = as_number(row.get("_timestamp"))
    for metric, value in flat_numbers(row):
        if not metric.startswith("_"):
            events.add(
                run,
                metric,
                value,
                math.nan if step is None else step,
                wall_time=math.nan if seen is None else seen,
            )


def _records(content: Content, notes: list[str]) -> Iterator[tuple[int, bytes]]:
    """Join the pieces of records; blocks of 32 KiB, counted from the start of the file."""
    data, at = content.data, _HEADER
    started: bytes | None = None
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER:
            at += left
            continue
        head = data[at : at + _HEADER]
        if len(head) == _HEADER:
            crc, length, kind = struct.unpack("<IHB", head)
            piece = data[at + _HEADER : at + _HEADER + length]
        if len(head) < _HEADER or len(piece) < length:
            notes.append(f"the file is cut short: {len(data) - at} bytes at its end were left out")
            return
        if not any(head) and not any(data[at:]):
            notes.append(f"the file ends in {len(data) - at} zero bytes, which were left out")
            return
        if zlib.crc32(piece, zlib.crc32(bytes([kind]))) != crc or not _FULL <= kind <= _LAST:
            got = f"a wrong checksum at byte {at} of {len(data)}"
            fail(content.source, got, "the file as it was written", "copy it again")
        if (kind in (_FULL, _FIRST)) != (started is None):
            fail(content.source, f"pieces of records in disorder at byte {at}", NAME)
        whole = (started or b"") + piece
        started = None if kind in (_FULL, _LAST) else whole
        if started is None:
            yield at, whole
        at += _HEADER + length
    if started is not None:
        notes.append("the file is cut short within a record, which was left out")


def _history(data: bytes) -> dict[str, object]:
    """``HistoryRecord``: 1 items (1 key, 2 nested_key, 16 value_json), 2 step (1 num)."""
    row: dict[str, object] = {}
    for number, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 2:
            for n, step in fields(value):
                if n == 1:
                    row.setdefault("_step", signed(step))
        if number != 1:
            continue
        keys, text = [], "null"
        for n, part in fields(value):
            if isinstance(part, bytes) and n in (1, 2):
                keys.append(part.decode("utf-8"))
            elif isinstance(part, bytes) and n == 16:
                text = part.decode("utf-8")
        try:
            # Joined by points, as W&B shows nested keys.
            row[".".join(keys)] = json.loads(text)
        except ValueError:
            raise WireError("a value that is no JSON") from None
    return row


def _run_name(data: bytes) -> str:
    """``RunRecord``: 8 display_name, else 1 run_id."""
    texts = {n: v.decode("utf-8") for n, v in fields(data) if n in (1, 8) and isinstance(v, bytes)}
    return texts.get(8) or texts.get(1, "")
