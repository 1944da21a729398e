"""What every reader of logs gives: a row per logged number, none resampled, none guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
import pandas as pd

from bayescmr.errors import LogError
from bayescmr.values import shorten

#: Columns of a table of events, in order.
COLUMNS = (
    "run", "source", "split", "step", "tokens", "metric", "value", "wall_time", "precision",
)  # fmt: skip


@dataclass(frozen=True)
class Log:
    """The numbers of one log.

    Parameters
    ----------
    source : str
        File or folder, as the user gave it.
    format : str
        Name of the format.
    sha256 : str
        Digest of its bytes; of a folder, of the names and digests of the files read.
    events : DataFrame, shape (events, 9)
        run (its name inside the log), source, split ('train', 'eval', 'test', or blank where the
        format does not say), step (NaN where there is none), tokens (NaN where not logged), metric,
        value (as logged, NaN and infinity included), wall_time (seconds since 1970, or NaN) and
        precision (the step of the grid to which the value was rounded, in its own unit; 0: not
        rounded). In the order of the log.
    notes : tuple of str
        What was left out, repaired or is doubtful.
    """

    source: str
    format: str
    sha256: str
    events: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs in the log, in its order."""
        return tuple(str(run) for run in pd.unique(self.events["run"]))


@dataclass
class Events:
    """Collects events as columns.

    Parameters
    ----------
    source : str
        File or folder, as the user gave it.
    """

    source: str
    run: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    metric: list[str] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    wall_time: list[float] = field(default_factory=list)
    precision: list[float] = field(default_factory=list)

    def add(
        self,
        run: str,
        metric: str,
        value: float,
        step: float,
        *,
        split: str = "",
        tokens: float = math.nan,
        wall_time: float = math.nan,
        precision: float = 0.0,
    ) -> None:
        """Append one event."""
        self.run.append(run)
        self.split.append(split)
        self.step.append(step)
        self.tokens.append(tokens)
        self.metric.append(metric)
        self.value.append(value)
        self.wall_time.append(wall_time)
        self.precision.append(precision)

    def __len__(self) -> int:
        return len(self.run)

    def frame(self) -> pd.DataFrame:
        """Return the table of events."""
        return pd.DataFrame(
            {
                "run": pd.Series(self.run, dtype="str"),
                "source": pd.Series([self.source] * len(self.run), dtype="str"),
                "split": pd.Series(self.split, dtype="str"),
                "step": np.array(self.step, dtype=np.float64),
                "tokens": np.array(self.tokens, dtype=np.float64),
                "metric": pd.Series(self.metric, dtype="str"),
                "value": np.array(self.value, dtype=np.float64),
                "wall_time": np.array(self.wall_time, dtype=np.float64),
                "precision": np.array(self.precision, dtype=np.float64),
            }
        )


def fail(source: str, got: str, expected: str, fix: str = "") -> NoReturn:
    """Stop with one line.

    Raises
    ------
    LogError
        Always.
    """
    tail = f"; {fix}" if fix else ""
    # One line, whatever the name of the file or the words of a library hold.
    text = " ".join(f"{shorten(source, 300)}: got {got}, expected {expected}{tail}".split())
    raise LogError(text.encode("utf-8", "replace").decode("utf-8"))
