"""JSON Lines: one object per line."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.runs.raw import RawTable, fail
from bayescmr.runs.readers.text import without_bom

#: Lines decoded per call: few calls, and never all objects of a large file at once.
_CHUNK = 50_000


class _RepeatedKey(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedKey(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return found


def read_jsonl(data: bytes, source: str) -> RawTable:
    """Read JSON Lines; keys absent from a line are blank cells.

    Parameters
    ----------
    data : bytes
        Content of the file.
    source : str
        Its name in messages.

    Raises
    ------
    RunTableError
        If it is not UTF-8, or a line is no JSON object or repeats a key.
    """
    # Not splitlines(): JSON text may hold U+2028, at which splitlines() would break.
    lines = without_bom(data, source).decode("utf-8").split("\n")
    numbers = [i for i, line in enumerate(lines, start=1) if line.strip()]
    names: dict[str, None] = {}
    chunks: list[list[dict[str, Any]]] = []
    columns: dict[str, list[pd.Series]] = {}
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        objects = _decode([lines[i - 1] for i in part], part, source)
        new = [k for k in dict.fromkeys(k for o in objects for k in o) if k not in names]
        for key in new:
            names[key] = None
            columns[key] = [pd.Series([None] * len(c), dtype=object) for c in chunks]
        for key in names:
            columns[key].append(pd.Series([o.get(key) for o in objects]))
        chunks.append([{}] * len(objects))
    frame = pd.DataFrame(
        {i: _joined(columns[key]) for i, key in enumerate(names)}, index=range(len(numbers))
    )
    return RawTable(
        frame=frame,
        names=tuple(key.strip() for key in names),
        rows=np.array(numbers, dtype=np.int64),
        zero_based=False,
        decimal_comma=False,
        source=source,
    )


def _joined(parts: list[pd.Series]) -> pd.Series:
    # Through object when types differ, so that True never turns into 1.0.
    if len({part.dtype for part in parts}) > 1:
        parts = [part.astype(object) for part in parts]
    return pd.concat(parts, ignore_index=True)


def _is_text(found: object) -> bool:
    """Return whether all text can be written: JSON may hold halves of surrogate pairs."""
    try:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _decode(lines: list[str], numbers: list[int], source: str) -> list[dict[str, Any]]:
    try:
        objects = json.loads("[" + ",".join(lines) + "]", object_pairs_hook=_object)
    except ValueError:
        objects = None
    except RecursionError:
        objects = None
    if (
        isinstance(objects, list)
        and len(objects) == len(lines)
        and all(isinstance(o, dict) for o in objects)
        and (not any("\\u" in line for line in lines) or _is_text(objects))
    ):
        return objects
    return [_one(line, number, source) for line, number in zip(lines, numbers, strict=True)]


def _one(line: str, number: int, source: str) -> dict[str, Any]:
    """Decode one line on its own: reached only when its chunk has an error."""
    try:
        found = json.loads(line, object_pairs_hook=_object)
    except _RepeatedKey as error:
        fail(source, f"key '{error}' twice", "each column once per line", "", number)
    except json.JSONDecodeError as error:
        got = f"malformed JSON ({error.msg} at character {error.pos + 1})"
        fail(source, got, "one JSON object per line", "", number)
    except RecursionError:
        fail(source, "JSON nested too deeply", "one flat JSON object per line", "", number)
    if not isinstance(found, dict):
        fail(source, f"a JSON {type(found).__name__}", "one JSON object per line", "", number)
    if not _is_text(found):
        fail(
            source, "half of a surrogate pair (\\ud800 to \\udfff)", "whole characters", "", number
        )
    return found
