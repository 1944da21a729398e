r"""The folder of TeX files: fragments, tables, figures with their data, and a main document."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from bayescmr.report import style
from bayescmr.report.data import ReportData
from bayescmr.report.document import Checks, Figure
from bayescmr.report.spreadsheet import table_frame, write_csv
from bayescmr.report.tex import fragments
from bayescmr.report.tex.characters import escape, file_name
from bayescmr.report.tex.numbers import macro_names, macros
from bayescmr.report.tex.references import bibliography
from bayescmr.report.tex.table import tabular

_MAIN = r"""% Compiles by itself: pdflatex report, bibtex report, then pdflatex report twice.
\documentclass[10pt,a4paper]{article}
\ifdefined\pdftrailerid
  % The same bytes on every day.
  \pdftrailerid{}\pdfinfoomitdate=1 \pdfsuppressptexinfo=-1
\fi
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage[margin=24mm]{geometry}
\usepackage{microtype}
\usepackage[font=small,labelfont=bf,skip=5pt]{caption}
\usepackage{xcolor}
\definecolor{cmrfail}{HTML}{B00020}
\newcommand{\bayescmrfail}[1]{\textbf{\textcolor{cmrfail}{#1}}}
\input{preamble}
\input{macros}
\usepackage[hidelinks,bookmarksnumbered]{hyperref}
\renewcommand{\thesection}{\Alph{section}}
\setlength{\parindent}{0pt}\setlength{\parskip}{4pt plus 2pt}
\setlength{\LTcapwidth}{\linewidth}
\emergencystretch=3em
\frenchspacing
\renewcommand{\topfraction}{0.9}\renewcommand{\bottomfraction}{0.8}
\renewcommand{\textfraction}{0.08}\renewcommand{\floatpagefraction}{0.75}
\setcounter{topnumber}{4}\setcounter{totalnumber}{6}
% A heading is not left alone at the foot of a page.
\newcommand{\needroom}{\par\vskip 0pt plus 10\baselineskip
  \penalty-250 \vskip 0pt plus -10\baselineskip}
\begin{document}
{\LARGE\bfseries\raggedright @TITLE@\par}\bigskip
\input{sections/banner}
{\large\input{sections/answer}\par}
@SECTIONS@
\bibliographystyle{plain}
\bibliography{references}
\end{document}
"""


def write(data: ReportData, folder: Path) -> None:
    r"""Write a report as TeX to a folder.

    ``report.tex`` (compiles by itself), ``preamble.tex`` (packages, for a paper's preamble),
    ``macros.tex`` (a macro for every number), ``references.bib``, ``sections/*.tex`` and
    ``tables/*.tex`` (to be read with ``\input``), ``figures/*.pdf``, and the data behind tables
    and figures as ``*.csv``.

    Parameters
    ----------
    data : ReportData
        What the report says.
    folder : Path
        Files of the same names are replaced.
    """
    numbers = list(data.numbers)
    names = macro_names(numbers)
    texts = {
        "preamble.tex": _resource("preamble.tex"),
        "macros.tex": "% Every number of the report, rounded to what its error supports.\n"
        + (_warning(len(data.banner)) if data.banner else "")
        + macros(numbers, names),
        "references.bib": bibliography(),
        "sections/banner.tex": fragments.banner(data.banner),
        "sections/answer.tex": fragments.paragraph(data.answer, names) + "\n",
    }
    inputs = []
    for part in data.sections:
        stem = file_name(part.letter)
        texts[f"sections/{stem}.tex"] = fragments.section(part, names)
        if re.fullmatch("[A-Z]", part.letter):
            inputs.append(r"\needroom")
            inputs.append(rf"\setcounter{{section}}{{{ord(part.letter) - ord('A')}}}")
        inputs.append(rf"\input{{sections/{stem}}}")
    texts["report.tex"] = _MAIN.replace("@TITLE@", escape(data.title)).replace(
        "@SECTIONS@", "\n".join(inputs)
    )
    checked = [
        fragments.checks_table(block)
        for part in data.sections
        for block in part.blocks
        if isinstance(block, Checks)
    ]
    for name in ("sections", "tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for table in [*data.tables, *checked]:
        stem = file_name(table.name)
        texts[f"tables/{stem}.tex"] = tabular(
            table, fragments.caption(table.caption), f"tab:cmr:{stem}", cite=table in checked
        )
        write_csv(table_frame(table), folder / "tables" / f"{stem}.csv")
    for figure in data.figures:
        write_figure(figure, folder / "figures")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def write_figure(figure: Figure, folder: Path) -> None:
    """Draw a figure as PDF, the same bytes every time, with its data beside it."""
    stem = file_name(figure.name)
    with style.paper():
        canvas = style.new_figure(*figure.size)
        figure.draw(canvas.subplots())
        style.save_pdf(canvas, folder / f"{stem}.pdf")
    write_csv(figure.data, folder / f"{stem}.csv")


def _warning(count: int) -> str:
    """A warning in the log of every document that reads the numbers."""
    return (
        rf"\GenericWarning{{}}{{bayescmr: {count} check(s) FAILED, do not rely on these numbers}}"
        "\n"
    )


def _resource(name: str) -> str:
    return files("bayescmr.report.tex").joinpath(name).read_text(encoding="utf-8")
