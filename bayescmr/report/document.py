"""What a report consists of, in any format: sections of texts, equations, tables, figures.

A renderer (HTML, TeX, JSON) knows these few kinds of block and nothing of the posterior;
every number that is quoted is a :class:`Number`, so all renderings quote the same ones.
Strings are plain text, possibly hostile: escaping is the renderer's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bayescmr.checks.outcome import Check as Check
from bayescmr.checks.outcome import Status as Status
from bayescmr.report.numerals import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Rounding = Literal["nearest", "down"]


@dataclass(frozen=True)
class Number:
    """One number that a report quotes.

    Parameters
    ----------
    name : str
        Unique in a report, lower case words joined by "_": ``cmr_tolerance_median``.
    value : float or int
        Full precision.
    unit : str
        "" for none; "%" means that the value is shown times 100, "count" that it is shown as
        3.1B or 512K.
    digits : int
        Significant digits shown: no more than the Monte Carlo error supports.
    rounding : {"nearest", "down"}
        What is called safe is rounded down.
    """

    name: str
    value: float | int
    unit: str = ""
    digits: int = 3
    rounding: Rounding = "nearest"

    @property
    def shown(self) -> str:
        """As all renderings write it, without its unit: ``41.2``, ``3.1B``, ``1.2e-7``."""
        return shown(self.value, self.unit, self.digits, self.rounding)

    @property
    def suffix(self) -> str:
        """What follows it in a sentence: ``%``, ``nats/token`` or nothing."""
        return "" if self.unit == "count" else self.unit


class Code(str):
    """Plain text that is typed: a command, a file name. Set in another type where possible."""


#: A sentence is made of plain text and numbers.
Piece = str | Number


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Equation:
    r"""A displayed equation, as TeX (trusted: from the law catalogue) and as plain text.

    The TeX is the inside of ``aligned``: lines end with ``\\\\`` and may hold one ``&``.
    """

    tex: str
    plain: str


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    name : str
        File name without ending.
    caption : str
        What it shows, units and kind of interval included.
    columns : tuple of str
        Headings, with unit in parentheses.
    rows : tuple of rows
        A cell is text, a number or None (not available).
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Piece | None, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A figure, drawn when it is rendered.

    Parameters
    ----------
    name : str
        File name without ending.
    caption, alt : str
        What it shows; what it says to someone who cannot see it.
    data : DataFrame
        All that is drawn.
    draw : callable
        Draws the data on axes and returns these.
    size : (float, float)
        Inches.
    """

    name: str
    caption: str
    alt: str
    data: pd.DataFrame
    draw: Callable[[Axes], Axes]
    size: tuple[float, float] = (5.5, 3.4)


@dataclass(frozen=True)
class Checks:
    """A table of checks."""

    items: tuple[Check, ...]


Block = Text | Equation | Table | Figure | Checks


@dataclass(frozen=True)
class Section:
    """A section, with its letter in the acceptance list (A to O)."""

    letter: str
    title: str
    blocks: tuple[Block, ...]

    @property
    def numbers(self) -> Iterator[Number]:
        """Every number of its texts and tables, in order."""
        for block in self.blocks:
            if isinstance(block, Text):
                yield from (p for p in block.pieces if isinstance(p, Number))
            elif isinstance(block, Table):
                yield from (c for row in block.rows for c in row if isinstance(c, Number))
