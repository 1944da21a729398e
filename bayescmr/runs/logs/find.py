"""Logs below a folder, by the names that loggers give them; formats are still found by content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from bayescmr.runs.logs import mlflow_files, tensorboard, wandb_offline
from bayescmr.runs.logs.events import Log, fail
from bayescmr.runs.logs.files import Content
from bayescmr.runs.logs.formats import format_of, read_if_any, read_log

_NAMES = re.compile(
    r"trainer_state\.json|metrics\.csv|results_.*\.json|run-.*\.wandb|.*\.(?:log|db|sqlite)"
)


def read_logs(paths: Sequence[str | Path]) -> tuple[list[Log], list[str]]:
    """Read logs; folders are searched with all below them.

    Parameters
    ----------
    paths : sequence of str or Path
        Files, and folders.

    Returns
    -------
    logs : list of Log
        In the order given; below a folder, by name.
    notes : list of str
        What was passed over.

    Raises
    ------
    LogError
        A log cannot be read, comes twice, or a folder holds none.
    """
    notes: list[str] = []
    seen: dict[Path, str] = {}
    logs = []
    for given in paths:
        for path in _logs_in(given, notes):
            real = path.resolve()
            if real in seen:
                notes.append(f"{path} is the log {seen[real]}, given before: read once")
                continue
            seen[real] = str(path)
            log = read_log(path) if path == Path(given) else read_if_any(path)
            if len(log.events):
                logs.append(log)
            else:
                notes.append(f"{path} was passed over: a {log.format} without numbers")
    if not logs:
        fail(str(paths[0]), "logs without numbers", "at least one number", "have runs started?")
    return logs, notes


def _logs_in(given: str | Path, notes: list[str]) -> Iterator[Path]:
    path = Path(given)
    content = Content(path, str(given))
    if not content.is_folder:
        yield path
        return
    found = list(_below(content))
    if not found:
        fail(str(given), "a folder without logs", "a log here or below", "name the files")
    last = _last_checkpoints(found)
    over = Counter(str(one.parent.parent) for one in found if one not in last)
    for folder, count in over.items():
        notes.append(
            f"{folder}: its last checkpoint was read, not the {count} before, whose history it has"
        )
    yield from (one for one in found if one in last)


def _below(content: Content) -> Iterator[Path]:
    """The folder, where it is one log; else logs in it, then those in its folders."""
    forms = (mlflow_files, wandb_offline, tensorboard)
    form = next((form for form in forms if form.recognise(content)), None)
    if form is not None:
        yield content.path
    if form in (mlflow_files, wandb_offline):
        return
    for path in sorted(content.path.iterdir()):
        if path.is_symlink() and path.is_dir():
            continue  # latest-run, and circles
        if path.is_dir():
            yield from _below(Content(path, str(path)))
        elif _NAMES.fullmatch(path.name) and path.stat().st_size and _known(path):
            yield path


def _known(path: Path) -> bool:
    return format_of(Content(path, str(path))) is not None


def _last_checkpoints(found: list[Path]) -> set[Path]:
    """Of the states in checkpoint-N of one run, the last; all else is kept."""
    kept: dict[object, Path] = {}
    number: dict[object, int] = {}
    for path in found:
        match = re.fullmatch(r"checkpoint-(\d+)", path.parent.name)
        is_state = path.name == "trainer_state.json"
        key: object = path.parent.parent if match and is_state else path
        at = int(match[1]) if match and is_state else 0
        if key not in kept or at > number[key]:
            kept[key], number[key] = path, at
    return set(kept.values())
