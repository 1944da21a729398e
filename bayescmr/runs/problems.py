"""Collects what is wrong with a table, so that a user meets all of it at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.errors import RunTableError

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Problems printed in full; the rest is counted.
SHOWN = 10
#: Distinct values reported per column and check: a table of 10^6 wrong cells stays cheap.
_DISTINCT = 50


def show(value: object) -> str:
    """Print a cell so that it can be found in the file: text quoted, numbers as typed."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        return f"{float(value):.12g}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def names(values: list[str], limit: int = 5) -> str:
    """Quoted list of labels, shortened."""
    text = ", ".join(f"'{v}'" for v in values[:limit])
    return text if len(values) <= limit else f"{text} and {len(values) - limit} more"


def counted(number: int, one: str, many: str) -> str:
    """Number and noun: 1 run, 2 runs."""
    return f"{number} {one if number == 1 else many}"


@dataclass(frozen=True)
class Problem:
    """One line of the error message; ``order`` puts lines in the order of the file."""

    order: tuple[int, int]
    text: str


class Problems:
    """What is wrong with one table.

    Parameters
    ----------
    source : str
        File name, as the user gave it.
    rows : ndarray of int, shape (rows,)
        Row number shown to the user, per position.
    zero_based : bool
        The rows are counted from 0 (there is no text file to jump into).
    """

    def __init__(self, source: str, rows: Ints, zero_based: bool = False) -> None:
        self.source = source
        self._rows = rows
        self._unit = " (from 0)" if zero_based else ""
        self._found: list[Problem] = []
        self._more = 0
        #: Cells already reported: one problem per cell is enough.
        self._seen: dict[str, Mask] = {}

    def __len__(self) -> int:
        return len(self._found) + self._more

    def clean(self, column: str, rows: int) -> Mask:
        """Cells of a column not reported yet: a second message about a cell helps nobody."""
        seen = self._seen.get(column)
        return np.ones(rows, dtype=np.bool_) if seen is None else ~seen

    def row(self, position: int) -> str:
        """Row of a position, as the user counts."""
        return f"row {self._rows[position]}{self._unit}"

    def add(
        self,
        *,
        got: str,
        expected: str,
        fix: str = "",
        position: int | None = None,
        column: str | None = None,
        repeats: int = 0,
    ) -> None:
        """Report one problem.

        Parameters
        ----------
        got, expected, fix : str
            Value met, what is allowed, what to do about it.
        position : int, optional
            Position of the row in the table.
        column : str, optional
            Column, by its name in the file.
        repeats : int
            Number of further rows with the same problem.
        """
        where = []
        if position is not None:
            more = f" (and {counted(repeats, 'more row', 'more rows')})" if repeats else ""
            where.append(self.row(position) + more)
        if column is not None:
            where.append(f"column '{column}'")
        parts = [self.source, *([", ".join(where)] if where else [])]
        text = f"{': '.join(parts)}: got {got}, expected {expected}"
        order = (-1 if position is None else position, len(self._found))
        self._found.append(Problem(order, f"{text}; {fix}" if fix else text))

    def add_cells(
        self, column: str, bad: Mask, values: npt.NDArray[np.object_], expected: str, fix: str = ""
    ) -> None:
        """Report cells of one column; equal values share one line.

        Parameters
        ----------
        column : str
            Column, by its name in the file.
        bad : ndarray of bool, shape (rows,)
            Cells to report; those already reported are skipped.
        values : ndarray of object, shape (rows,)
            What the cells hold.
        expected, fix : str
            See `add`.
        """
        seen = self._seen.setdefault(column, np.zeros(len(bad), dtype=np.bool_))
        groups: dict[str, list[int]] = {}
        for position in np.flatnonzero(bad & ~seen).tolist():
            text = show(values[position])
            if text in groups:
                groups[text][1] += 1
            elif len(groups) < _DISTINCT:
                groups[text] = [position, 0]
            else:
                self._more += 1
        for text, (position, repeats) in groups.items():
            self.add(
                got=text,
                expected=expected,
                fix=fix,
                position=position,
                column=column,
                repeats=repeats,
            )
        seen |= bad

    def raise_if_any(self) -> None:
        """Raise one `RunTableError` with every problem, in the order of the file.

        Raises
        ------
        RunTableError
            If anything was reported.
        """
        if not self._found:
            return
        lines = [p.text for p in sorted(self._found, key=lambda p: p.order)]
        hidden = len(lines) - len(lines[:SHOWN]) + self._more
        tail = [f"... and {hidden} more"] if hidden else []
        raise RunTableError("\n".join([*lines[:SHOWN], *tail]))
