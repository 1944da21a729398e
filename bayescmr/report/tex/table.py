r"""Tables with booktabs rules and numbers aligned by siunitx.

A table that is too wide for a page is set as several, one below the other, each with the first
column; one that is too long breaks over pages.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayescmr.report.document import Code, Number, Piece, Table
from bayescmr.report.tex.characters import LONGEST_WORD, escape
from bayescmr.report.tex.numbers import is_numeric, typeset, unit
from bayescmr.report.tex.references import cited

#: Characters of \footnotesize that fit side by side, and that a gap between columns takes.
_PAGE, _GAP = 107.0, 1.9
#: A text column is narrower than this, or it wraps, into about so many lines where room is scarce;
#: a wrapping one is at least, and by the room that it needs at least, and at most so wide.
_SHORT, _SCARCE, _NARROW, _NEEDED, _WIDE = 30, 5, 16, 44, 72
#: Average width of a character, in em.
_EM = 0.5
#: Columns that may be repeated beside those of a second part.
_MOST_KEYS = 3
#: Lines that fit on a page beside other things; longer tables break.
_LINES = 40
#: Verdicts in bold, and those that are shouted.
_BOLD, _SHOUTED = ("PASS", "REVIEW", "NOT RUN"), ("FAIL", "NOT REPORTED")


@dataclass(frozen=True)
class _Column:
    """One column: how TeX declares it, its cells as TeX, and the room it takes.

    Parameters
    ----------
    declared : str
        Column type; empty for one that wraps.
    heading : str
        TeX.
    cells : tuple of str
        TeX.
    width : float
        In characters; the least of one that wraps.
    lengths : tuple of int
        Characters of each cell, of a column that wraps.
    """

    declared: str
    heading: str
    cells: tuple[str, ...]
    width: float
    lengths: tuple[int, ...] = ()

    @property
    def wanted(self) -> float:
        """Characters that a wrapping column would like to have beyond its least."""
        return min(max(self.lengths, default=0), _WIDE) - self.width if self.lengths else 0.0

    def widened(self, extra: float) -> _Column:
        """The column with more room, if it wraps."""
        return replace(self, width=self.width + extra) if self.lengths else self

    @property
    def type(self) -> str:
        """Column type."""
        if not self.lengths:
            return self.declared
        return rf">{{\raggedright\arraybackslash}}p{{{_EM * self.width:.1f}em}}"

    def lines(self) -> list[int]:
        """Lines of each cell."""
        if not self.lengths:
            return [1] * len(self.cells)
        return [max(1, math.ceil(1.15 * length / self.width)) for length in self.lengths]


def is_long(table: Table) -> bool:
    """Whether a table breaks over pages, and so cannot stand in a float."""
    lines = sum(_height(part) + 4 for part in _parts(table))
    return lines > _LINES


def tabular(table: Table, caption: str, label: str, *, cite: bool = False) -> str:
    r"""TeX of a table: ``tabular``, or ``longtable`` with its caption where :func:`is_long`.

    Parameters
    ----------
    table : Table
        Plain text and numbers.
    caption, label : str
        TeX.
    cite : bool
        Whether sources named in cells are cited.
    """
    long = is_long(table)
    found = []
    for i, part in enumerate(_parts(table, cite)):
        head = " & ".join(column.heading for column in part)
        rows = [rf"{' & '.join(cells)} \\" for cells in zip(*(c.cells for c in part), strict=True)]
        declared = "".join(column.type for column in part)
        body = "\n".join(rows)
        if long:
            titles = rf"\caption{{{caption}}}\label{{{label}}}\\" + "\n" if i == 0 else ""
            found.append(
                f"\\begin{{longtable}}{{@{{}}{declared}@{{}}}}\n{titles}\\toprule\n{head} \\\\\n"
                f"\\midrule\n\\endfirsthead\n\\toprule\n{head} \\\\\n\\midrule\n\\endhead\n"
                f"\\bottomrule\n\\endfoot\n{body}\n\\end{{longtable}}\n"
            )
        else:
            found.append(
                f"\\begin{{tabular}}{{@{{}}{declared}@{{}}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
                f"{body}\n\\bottomrule\n\\end{{tabular}}\n"
            )
    between = "" if long else "\n\\par\\medskip\n"
    return f"{{\\footnotesize\\setlength{{\\tabcolsep}}{{4pt}}%\n{between.join(found)}\\par}}\n"


def cell(piece: Piece | None, cite: bool = False, with_unit: bool = False) -> str:
    """One cell as TeX; ``--`` for what is not available."""
    if piece is None:
        return "{--}"
    if isinstance(piece, Number):
        return typeset(piece) + (unit(piece) if with_unit else "")
    if piece in (*_BOLD, *_SHOUTED):
        return rf"\{'bayescmrfail' if piece in _SHOUTED else 'textbf'}{{{piece}}}"
    if isinstance(piece, Code):
        return escape(piece, typed=True)
    return cited(piece) if cite else escape(piece)


# -- parts ----------------------------------------------------------------------------------


def _parts(table: Table, cite: bool = False) -> list[list[_Column]]:
    """Columns in groups that fit on a page, with what tells rows apart in each."""
    columns = [
        _column(heading, [row[i] for row in table.rows], cite)
        for i, heading in enumerate(table.columns)
    ]
    keys = columns[: _key_columns(table)]
    parts = [list(keys)]
    room = start = _PAGE - sum(key.width + _GAP for key in keys)
    for column in columns[len(keys) :]:
        if len(parts[-1]) > len(keys) and column.width > room:
            parts.append(list(keys))
            room = start
        parts[-1].append(column)
        room -= column.width + _GAP
    return [_spread(part) for part in parts]


def _key_columns(table: Table) -> int:
    """How many columns from the left tell all rows apart; 1 where it would take too many."""
    for count in range(1, min(_MOST_KEYS, len(table.columns)) + 1):
        if len({row[:count] for row in table.rows}) == len(table.rows):
            return count
    return min(1, len(table.columns))


def _spread(part: Sequence[_Column]) -> list[_Column]:
    """Give the room that is left to the columns that wrap, as much as each would like."""
    left = max(0.0, _PAGE - sum(column.width + _GAP for column in part))
    wanted = sum(column.wanted for column in part)
    share = min(1.0, left / wanted) if wanted > 0 else 0.0
    return [column.widened(share * column.wanted) for column in part]


def _height(part: Sequence[_Column]) -> int:
    return sum(max(lines) for lines in zip(*(c.lines() for c in part), strict=True))


def _column(heading: str, cells: Sequence[Piece | None], cite: bool) -> _Column:
    numbers = [c for c in cells if isinstance(c, Number)]
    if numbers and all(c is None or isinstance(c, Number) for c in cells):
        return _number_column(heading, cells, [n.shown for n in numbers])
    lengths = [
        0 if c is None else len(c.shown) if isinstance(c, Number) else _length(c) for c in cells
    ]
    longest = max(lengths, default=0)
    # Facts of many kinds in one column; a heading with a unit speaks for all of its cells.
    with_unit = "(" not in heading
    texts = tuple(cell(c, cite, with_unit) for c in cells)
    if longest <= _SHORT:
        wrapped, width = _heading(heading, max(longest, 10), "l")
        return _Column("l", f"{{{wrapped}}}", texts, max(longest, width))
    least = min(max(_NARROW, longest / _SCARCE), _NEEDED)
    return _Column("", escape(heading), texts, least, tuple(lengths))


def _number_column(heading: str, cells: Sequence[Piece | None], shown: Sequence[str]) -> _Column:
    """Aligned at the decimal point where all are plain numbers, at the right where some are not."""
    longest = max(map(len, shown))
    wrapped, width = _heading(heading, max(longest, 12), "r" if longest < 9 else "c")
    plain = all(is_numeric(s) and "e" not in s for s in shown)
    if plain:
        whole = max(len(s.lstrip("-").partition(".")[0]) for s in shown)
        part = max(len(s.partition(".")[2]) for s in shown)
        sign = "-" if any(s.startswith("-") for s in shown) else ""
        declared = f"S[table-format={sign}{whole}.{part}]"
        texts = tuple(c.shown if isinstance(c, Number) else "{--}" for c in cells)
    else:
        declared = "r"
        texts = tuple(cell(c) for c in cells)
    return _Column(declared, f"{{{wrapped}}}", texts, max(longest, width))


def _heading(heading: str, width: int, side: str) -> tuple[str, int]:
    """Heading in lines of about ``width`` characters, and the longest of these."""
    lines = textwrap.wrap(heading, width, break_long_words=False) or [""]
    tex = [escape(line) for line in lines]
    wrapped = tex[0] if len(tex) == 1 else rf"\shortstack[{side}]{{{r'\\'.join(tex)}}}"
    return wrapped, max(map(len, lines))


def _length(text: str) -> int:
    return sum(min(len(word), LONGEST_WORD) + 1 for word in text.split())
