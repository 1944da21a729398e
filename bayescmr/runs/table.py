"""The validated run table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bayescmr.errors import RunTableError
from bayescmr.runs.build import Exclusion, build
from bayescmr.runs.columns import ROLES, Role
from bayescmr.runs.problems import counted, names
from bayescmr.runs.raw import RawTable, fail
from bayescmr.runs.readers import read_raw


@dataclass(frozen=True, eq=False, repr=False)
class RunTable:
    """Measured losses of CPT runs, validated: one row per run, evaluation set and checkpoint.

    Make one with `read_runs` or `RunTable.from_frame`.

    Parameters
    ----------
    frame : DataFrame, shape (measurements, 11 or more)
        run, size (non-embedding parameters), domain, ratio (share in [0, 1]), tokens (CPT
        tokens, > 0), eval_set, role ('general' or 'domain'), loss, base, change = loss - base
        and se (all nats/token; loss is NaN where only the change was published, base NaN where
        it is not known, se 0 where none is stated), then the columns among seed, lr, schedule,
        loss_mode, unique_domain_tokens, status and source that were given. Sorted by run,
        eval_set and tokens.
    exclusions : tuple of Exclusion
        Measurements that were left out, and why.
    notes : tuple of str
        What was assumed.
    fingerprint : str
        SHA-256 of the content and of ``min_tokens``; the same for every order of rows, file
        format and form.
    source : str
        File name.
    """

    frame: pd.DataFrame
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    fingerprint: str
    source: str

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, source: str = "<DataFrame>", min_tokens: float | None = None
    ) -> RunTable:
        """Validate a table in memory, in long or wide form.

        Parameters
        ----------
        frame : DataFrame, shape (rows, columns)
            Columns as in a file, see `read_runs`; an index with names counts as columns.
        source : str
            Name of the table in messages.
        min_tokens : float, optional
            Leave out rows with 0 < tokens < min_tokens.

        Returns
        -------
        RunTable
            Validated table.

        Raises
        ------
        RunTableError
            With every problem of the table, one per line.
        """
        if not isinstance(frame, pd.DataFrame):
            fail(source, f"a {type(frame).__name__}", "a pandas DataFrame", "read_runs reads files")
        if any(name is not None for name in frame.index.names):
            frame = frame.reset_index()
        if not len(frame):
            fail(source, "a table without rows", "at least one row")
        cells = frame.reset_index(drop=True)
        cells.columns = pd.RangeIndex(len(cells.columns))
        raw = RawTable(
            frame=cells,
            names=tuple(str(name).strip() for name in frame.columns),
            rows=np.arange(len(frame), dtype=np.int64),
            zero_based=True,
            decimal_comma=False,
            source=source,
        )
        return cls._of(raw, min_tokens)

    @classmethod
    def _of(cls, raw: RawTable, min_tokens: float | None) -> RunTable:
        built = build(raw, min_tokens)
        return cls(built.frame, built.exclusions, built.notes, built.fingerprint, raw.source)

    @property
    def sizes(self) -> tuple[float, ...]:
        """Model sizes in ascending order, non-embedding parameters."""
        return tuple(float(v) for v in np.unique(self.frame["size"].to_numpy()))

    @property
    def domains(self) -> tuple[str, ...]:
        """Domain labels, sorted."""
        return tuple(sorted(str(v) for v in self.frame["domain"].unique()))

    @property
    def n_runs(self) -> int:
        """Number of runs with at least one measurement in the frame."""
        return int(self.frame["run"].nunique())

    def eval_sets(self, role: Role) -> tuple[str, ...]:
        """Evaluation sets of a role, sorted.

        Parameters
        ----------
        role : {"general", "domain"}
            Role.

        Raises
        ------
        RunTableError
            If the role is neither.
        """
        return tuple(sorted(str(v) for v in self.select(role)["eval_set"].unique()))

    def select(self, role: Role) -> pd.DataFrame:
        """Rows of one role, in the order of the frame.

        Parameters
        ----------
        role : {"general", "domain"}
            Role.

        Returns
        -------
        DataFrame, shape (measurements of the role, columns)
            A copy; empty when no loss of that role was measured.

        Raises
        ------
        RunTableError
            If the role is neither.
        """
        if role not in ROLES:
            raise RunTableError(f"role: got {role!r}, expected 'general' or 'domain'")
        return self.frame[self.frame["role"] == role].reset_index(drop=True)

    def describe(self) -> str:
        """Plain-text summary: runs, ranges, evaluation sets, exclusions and notes."""
        frame = self.frame
        ratios = frame["ratio"]
        tokens = frame["tokens"]
        lines = [
            f"{self.source}: {counted(self.n_runs, 'run', 'runs')}, "
            f"{counted(len(frame), 'measured loss', 'measured losses')}",
            f"sizes: {', '.join(f'{v:.6g}' for v in self.sizes)} non-embedding parameters",
            f"domains: {', '.join(self.domains)}",
            f"ratio: {ratios.min():g} to {ratios.max():g} "
            f"({counted(ratios.nunique(), 'value', 'values')})",
            f"tokens: {tokens.min():.6g} to {tokens.max():.6g}",
            *(f"{role} sets: {', '.join(self.eval_sets(role)) or 'none'}" for role in ROLES),
        ]
        for out in self.exclusions:
            detail = f"; {out.detail}" if out.detail else ""
            losses = counted(out.rows, "loss", "losses")
            runs = counted(len(out.runs), "run", "runs")
            lines.append(
                f"left out: {losses} of {runs} ({names(list(out.runs))}): {out.reason}{detail}"
            )
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"fingerprint: {self.fingerprint}"])

    def __repr__(self) -> str:
        return (
            f"RunTable({self.source!r}, {self.n_runs} runs, {len(self.frame)} losses, "
            f"fingerprint {self.fingerprint[:12]})"
        )


def read_runs(path: str | Path, *, min_tokens: float | None = None) -> RunTable:
    """Read and validate a run table.

    Parameters
    ----------
    path : str or Path
        .csv, .csv.gz or .tsv (UTF-8; comma, semicolon or tab), .parquet, .jsonl or .ndjson.
        Long form: run, size, domain, ratio, tokens, eval_set, role, loss (or change) and
        optionally se, base. Wide form: run, size, domain, ratio, tokens, loss_general (or
        ``loss_general:<name>``, one per set) and optionally loss_domain; in place of ``loss``
        also ``change``, and beside it ``se`` and ``base_loss``. Either form takes seed, lr,
        schedule, loss_mode, unique_domain_tokens, status and source. Losses are in
        nats/token, size in non-embedding parameters, tokens in CPT tokens, ratio in [0, 1].
        A base loss is a row with tokens = 0 (of the run, or one for all runs of a size) or
        a base column; changes need none.
    min_tokens : float, optional
        Leave out rows with 0 < tokens < min_tokens, and say so: the jump at the start of CPT
        is recalibration, which no law here describes.

    Returns
    -------
    RunTable
        Validated table.

    Raises
    ------
    RunTableError
        With every problem of the table, one per line: file, row, column, what was got, what
        was expected and how to fix it.
    """
    return RunTable._of(read_raw(path), min_tokens)
