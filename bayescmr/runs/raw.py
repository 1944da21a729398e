"""What a reader hands over: cells as found, and the row each came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.errors import RunTableError


@dataclass(frozen=True)
class RawTable:
    """A table before validation.

    Parameters
    ----------
    frame : DataFrame
        Cells as found; column labels are positions 0, 1, ..., since names may repeat.
    names : tuple of str
        Header, stripped.
    rows : ndarray of int, shape (rows,)
        Line of the file (from 1, header included) or position (from 0) of each row.
    zero_based : bool
        ``rows`` are positions.
    decimal_comma : bool
        Cells such as ``0,25`` may be numbers, since the delimiter is no comma.
    source : str
        File name, as the user gave it.
    """

    frame: pd.DataFrame
    names: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    zero_based: bool
    decimal_comma: bool
    source: str


def fail(source: str, got: str, expected: str, fix: str = "", row: int | None = None) -> NoReturn:
    """Stop with one line: for files that cannot be read at all.

    Raises
    ------
    RunTableError
        Always.
    """
    where = "" if row is None else f": row {row}"
    tail = f"; {fix}" if fix else ""
    raise RunTableError(f"{source}{where}: got {got}, expected {expected}{tail}")
