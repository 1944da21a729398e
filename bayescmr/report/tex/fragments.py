r"""Sections of a report as TeX that ``\input`` takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayescmr.report.document import (
    Check,
    Checks,
    Code,
    Equation,
    Figure,
    Number,
    Section,
    Table,
    Text,
)
from bayescmr.report.tex.characters import escape, file_name
from bayescmr.report.tex.numbers import unit
from bayescmr.report.tex.references import cited
from bayescmr.report.tex.table import is_long

CHECKS = Table("checks", "", ("check", "status", "value", "threshold", "source", "what to do"), ())


def section(part: Section, names: Mapping[str, str]) -> str:
    """TeX of a section; its tables and figures are files of their own."""
    lines = [rf"\section{{{escape(part.title)}}}\label{{sec:cmr:{file_name(part.letter)}}}", ""]
    for block in part.blocks:
        if isinstance(block, Text):
            lines.append(paragraph(block, names))
        elif isinstance(block, Equation):
            lines.append(equation(block))
        elif isinstance(block, Table):
            lines.append(table(block))
        elif isinstance(block, Figure):
            lines.append(figure(block))
        else:
            lines.append(table(checks_table(block)))
        lines.append("")
    return "\n".join(lines)


def paragraph(text: Text, names: Mapping[str, str]) -> str:
    """One paragraph; numbers are macros, sources are cited."""
    found = []
    for piece in text.pieces:
        if isinstance(piece, Number):
            found.append(rf"\{names[piece.name]}{{}}{unit(piece)}")
        elif isinstance(piece, Code):
            found.append(escape(piece, typed=True))
        else:
            found.append(cited(piece))
    words = "".join(found)
    # What is typed breaks in few places: lines would be stretched.
    typed = any(isinstance(piece, Code) for piece in text.pieces)
    return f"{{\\raggedright {words}\\par}}" if typed else words


def equation(block: Equation) -> str:
    """A displayed equation; its TeX is the law's own."""
    return (
        f"\\begin{{equation}}\n\\begin{{aligned}}\n{block.tex}\n\\end{{aligned}}\n\\end{{equation}}"
    )


def table(block: Table) -> str:
    """Where a table stands: in a float, or, if it breaks over pages, in the text."""
    source = rf"\input{{\bayescmrdir tables/{file_name(block.name)}}}"
    if is_long(block):
        return source
    return (
        "\\begin{table}[htbp]\n\\centering\n"
        f"\\caption{{{caption(block.caption)}}}\\label{{tab:cmr:{file_name(block.name)}}}\n"
        f"{source}\n\\end{{table}}"
    )


def figure(block: Figure) -> str:
    """A float with the figure's file."""
    return (
        "\\begin{figure}[htbp]\n\\centering\n"
        f"\\bayescmrfigure{{figures/{file_name(block.name)}.pdf}}{{{block.size[0]:g}in}}\n"
        f"\\caption{{{caption(block.caption)}}}\\label{{fig:cmr:{file_name(block.name)}}}\n"
        "\\end{figure}"
    )


def caption(text: str) -> str:
    """TeX of a caption."""
    return cited(text)


def checks_table(block: Checks) -> Table:
    """The checks as a table."""
    rows = tuple((c.name, c.status, c.value, c.threshold, c.source, c.advice) for c in block.items)
    return Table(
        "checks",
        "Checks of the posterior, with their thresholds and what to do where they fail.",
        CHECKS.columns,
        rows,
    )


def banner(checks: Sequence[Check]) -> str:
    """What stands on page one where checks have failed; nothing where none has."""
    if not checks:
        return "% No check has failed.\n"
    items = " ".join(
        rf"\textbf{{{escape(c.name)}}}: {escape(c.value)} (expected {escape(c.threshold)})."
        for c in checks
    )
    return (
        r"\bayescmrbanner{\bayescmrfail{FAIL.} \textbf{Do not rely on these numbers.} "
        f"{items}}}\n"
    )
