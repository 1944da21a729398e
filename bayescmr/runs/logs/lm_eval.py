"""lm-evaluation-harness, ``results_*.json``: one evaluation of one model."""

from __future__ import annotations

import math
from typing import Any

from bayescmr.runs.logs.events import Events, Log, fail
from bayescmr.runs.logs.files import Content, as_number, parse_json
from bayescmr.runs.logs.rounding import round_doubles
from bayescmr.values import shorten

NAME = "lm-evaluation-harness results"
_ABOUT = ("alias", "name", "sample_len", "samples")


def recognise(content: Content) -> bool:
    """Return whether the file is a JSON object with results and their configuration."""
    return (
        content.head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{")
        and b'"results"' in content.data
        and (b'"n-shot"' in content.data or b'"lm_eval_version"' in content.data)
    )


def read(content: Content) -> Log:
    """Read the metrics of all tasks, ``<task>/<metric>``; they have no step.

    Raises
    ------
    LogError
        The file is cut short or holds no result.
    """
    found = parse_json(content.text, content.source)
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, dict):
        fail(content.source, "JSON without an object results", "results of lm_eval")
    run = str(found.get("model_name") or found.get("model_name_sanitized") or content.run)
    date = as_number(found.get("date"))
    events = Events(content.source)
    for task, metrics in results.items():
        for key, cell in metrics.items() if isinstance(metrics, dict) else ():
            value = as_number(cell)  # "N/A" where no standard error is known
            if value is None or key in _ABOUT:
                continue
            name, _, kind = key.partition(",")
            metric = f"{task}/{name}" if kind in ("", "none") else f"{task}/{key}"
            seen = math.nan if date is None else date
            events.add(run, metric, value, math.nan, split="eval", wall_time=seen)
    frame = round_doubles(events.frame())
    return Log(content.source, NAME, content.sha256, frame, tuple(_notes(found)))


def _notes(found: dict[str, Any]) -> list[str]:
    config = found.get("config")
    limit = config.get("limit") if isinstance(config, dict) else None
    notes = []
    if limit is not None:
        notes.append(f"evaluated with limit {shorten(str(limit))}: not the whole benchmark")
    versions = found.get("versions")
    if isinstance(versions, dict) and versions:
        listed = ", ".join(f"{task} {version}" for task, version in sorted(versions.items()))
        notes.append(f"versions of the tasks: {shorten(listed, 200)}; pool equal ones only")
    return notes
