"""Lightning's CSVLogger, ``metrics.csv``: one sparse row per call, litgpt's included."""

from __future__ import annotations

from bayescmr.runs.logs import tables
from bayescmr.runs.logs.events import Log, fail
from bayescmr.runs.logs.files import Content

NAME = "Lightning metrics.csv"
_COORDINATES = ("step", "iter", "epoch")


def recognise(content: Content) -> bool:
    """Return whether it is a CSV with a column ``step`` and no run table."""
    if content.is_folder:
        return False
    names = tables.header(content)
    return "step" in names and "_step" not in names and "ratio" not in names


def read(content: Content) -> Log:
    """Read all columns of numbers; those named ``train_*``, ``val_*``, ``test_*`` say their split.

    Raises
    ------
    LogError
        It is malformed, or a row has no step.
    """
    table, notes = tables.read_csv(content)
    step = tables.numbers(table["step"])
    if step is None:
        fail(content.source, "words in the column step", "numbers")
    metrics = {name: name for name in table.columns if name and name not in _COORDINATES}
    split = {name: word for name in metrics if (word := _split(name))}
    return tables.melt(table, content, NAME, step=step, metrics=metrics, split=split, notes=notes)


def _split(name: str) -> str:
    for prefix, split in (("train", "train"), ("val", "eval"), ("test", "test")):
        if name.startswith((f"{prefix}_", f"{prefix}/")):
            return split
    return ""
