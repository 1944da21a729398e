"""The formats of logs, found by content: a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bayescmr.runs.logs import (
    lightning_csv,
    lm_eval,
    megatron,
    mixtures,
    mlflow_files,
    mlflow_sqlite,
    nanogpt,
    nanotron,
    tensorboard,
    trackio,
    trainer_state,
    wandb_export,
    wandb_offline,
)
from bayescmr.runs.logs.events import Log, fail
from bayescmr.runs.logs.files import Content

#: How files begin that gzip, zip, xz and zstd made.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\xfd7zXZ", b"(\xb5/\xfd")


@dataclass(frozen=True)
class Format:
    """One format.

    Parameters
    ----------
    name : str
        As people call it.
    recognise : callable
        Whether a log is of this format, by its content.
    read : callable
        Read a log of this format.
    """

    name: str
    recognise: Callable[[Content], bool]
    read: Callable[[Content], Log]


#: In this order: a format asks only for what those before it do not have.
FORMATS = tuple(
    Format(module.NAME, module.recognise, module.read)
    for module in (
        mlflow_files,
        wandb_offline,
        tensorboard,
        mlflow_sqlite,
        trackio,
        trainer_state,
        lm_eval,
        wandb_export,
        lightning_csv,
        mixtures,
        megatron,
        nanotron,
        nanogpt,
    )
)


def format_of(content: Content) -> Format | None:
    """Return the format of a log, or None."""
    return next((form for form in FORMATS if form.recognise(content)), None)


def read_log(path: str | Path) -> Log:
    """Read one log, a file or a folder that is one log; its format is found by its content.

    Parameters
    ----------
    path : str or Path
        The log.

    Returns
    -------
    Log
        Its events, digest and notes.

    Raises
    ------
    LogError
        It is missing, empty, of no known format, damaged, or holds no number.
    """
    log = read_if_any(path)
    if not len(log.events):
        notes = f" ({'; '.join(log.notes)})" if log.notes else ""
        fail(log.source, f"a log without numbers{notes}", f"some; its format is {log.format}")
    return log


def read_if_any(path: str | Path) -> Log:
    """Read one log, which may hold no number: a run that has just begun.

    Parameters
    ----------
    path : str or Path
        The log.

    Returns
    -------
    Log
        Its events, digest and notes.

    Raises
    ------
    LogError
        It is missing, empty, of no known format, or damaged.
    """
    source = str(path)
    content = Content(Path(path), source)
    try:
        form = format_of(content)
        if form is None:
            known = ", ".join(form.name for form in FORMATS)
            got = "a folder that is no log" if content.is_folder else "a file of no known format"
            packed = content.head.startswith(_PACKED)
            fail(source, got, f"one of: {known}", "it is compressed: unpack it" if packed else "")
        return form.read(content)
    except RecursionError:
        fail(source, "values nested too deeply", "a log")
    except OSError as error:
        fail(source, f"a log that cannot be read ({error.strerror or error})", "a readable one")
