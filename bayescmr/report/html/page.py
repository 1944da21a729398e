"""The page: a template filled with the blocks of a report, styles, script and data inside."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from bayescmr.report.data import ReportData
from bayescmr.report.document import (
    Block,
    Checks,
    Code,
    Equation,
    Figure,
    Number,
    Piece,
    Table,
    Text,
)
from bayescmr.report.html.vector import equation_svgs, figure_svg

FILE = "report.html"
#: Tables of more rows are folded.
_FOLD = 30
#: Control characters, and marks that turn the direction of what follows.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LOUD = ("NOT RUN", "NOT REPORTED", "NOT RECORDED", "NOT CONVERGED")


def write(data: ReportData, folder: Path) -> None:
    """Write ``report.html`` to a folder."""
    (folder / FILE).write_text(page(data), encoding="utf-8")


def page(data: ReportData) -> str:
    """Render a report as one self-contained page."""
    script = _asset("explorer.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = _environment().get_template("page.html.jinja")
    tally = Counter(check.status for check in data.checks)
    text = template.render(
        data=data,
        style=Markup(_asset("style.css")),
        script=Markup(script),
        # Only this very script may run; nothing may be fetched from anywhere.
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        explorer=_json(data.explorer.to_dict()),
        numbers={p.name: p for p in data.answer.pieces if isinstance(p, Number)},
        tally=[(s, tally[s]) for s in ("FAIL", "REVIEW", "NOT RUN", "PASS") if tally[s]],
    )
    return _UNSEEN.sub("", text)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "pieces": _pieces,
        "cell": _cell,
        "numeric": _numeric_columns,
        "galleries": _galleries,
    }
    environment.tests |= {
        "text": lambda b: isinstance(b, Text),
        "table": lambda b: isinstance(b, Table),
        "equation": lambda b: isinstance(b, Equation),
        "checks": lambda b: isinstance(b, Checks),
        "folded": lambda t: len(t.rows) > _FOLD,
    }
    environment.globals |= {"svg": _svg, "equation": _equation}
    return environment


def _galleries(blocks: Sequence[Block]) -> list[Block | list[Figure]]:
    """Put figures that follow each other side by side."""
    found: list[Block | list[Figure]] = []
    for block in blocks:
        if not isinstance(block, Figure):
            found.append(block)
        elif found and isinstance(found[-1], list):
            found[-1].append(block)
        else:
            found.append([block])
    return found


def _asset(name: str) -> str:
    return (files("bayescmr.report.html") / name).read_text(encoding="utf-8")


def _json(data: Any) -> Markup:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _svg(figure: Figure) -> Markup:
    return Markup(figure_svg(figure))


def _equation(block: Equation, name: str) -> list[tuple[Markup, str]]:
    return [(Markup(svg), f"{width:.2f}") for svg, width in equation_svgs(block, name)]


def _pieces(pieces: Sequence[Piece]) -> Markup:
    """A sentence, its numbers marked with their full value."""
    return Markup("").join(_piece(piece) for piece in pieces)


def _piece(piece: Piece) -> Markup:
    if isinstance(piece, Number):
        suffix = f"\u00a0{piece.suffix}" if piece.suffix else ""
        return _data(piece, f"{piece.shown}{suffix}")
    if isinstance(piece, Code):
        return Markup("<code>{}</code>").format(piece)
    words = _isolated(piece)
    for loud in _LOUD:
        if piece.startswith(loud):
            tag = Markup('<strong class="loud">{}</strong>').format(loud)
            return tag + _isolated(piece[len(loud) :])
    return words


def _cell(cell: Piece | None) -> Markup:
    """Content of a cell: units stand in the heading."""
    if cell is None:
        return Markup('<span title="not available">–</span>')
    if isinstance(cell, Number):
        return _data(cell, cell.shown)
    return _piece(cell)


def _data(number: Number, shown: str) -> Markup:
    value = repr(number.value)
    return Markup('<data value="{}" data-name="{}">{}</data>').format(value, number.name, shown)


def _isolated(text: str) -> Markup:
    """Text that runs from right to left must not turn the words around it."""
    if any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return Markup("<bdi>{}</bdi>").format(text)
    return escape(text)


def _numeric_columns(table: Table) -> list[bool]:
    """Which columns hold numbers, and are set flush right."""
    columns = zip(*table.rows, strict=True) if table.rows else [()] * len(table.columns)
    return [
        any(isinstance(cell, Number) for cell in column)
        and not any(isinstance(cell, str) for cell in column)
        for column in columns
    ]
