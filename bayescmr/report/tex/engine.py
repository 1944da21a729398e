"""Compile ``report.tex`` with whatever TeX there is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bayescmr.atomic import whole_file
from bayescmr.errors import ReportError

#: In order of preference.
ENGINES = ("pdflatex", "lualatex", "xelatex")
#: Seconds after which a run is given up.
_PATIENCE = 300


def find_engine() -> str | None:
    """Name of the first TeX engine on the path; None where there is none."""
    return next((engine for engine in ENGINES if shutil.which(engine)), None)


def compile_tex(folder: Path, engine: str | None = None) -> Path:
    """Compile the ``report.tex`` of a folder to ``report.pdf`` beside it.

    The engine may neither run commands nor read or write outside of its folder, and is told
    that it is 1970: the same sources give the same bytes.

    Parameters
    ----------
    folder : Path
        From :func:`bayescmr.report.tex.write`.
    engine : str, optional
        Default: the first of pdflatex, lualatex, xelatex.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    ReportError
        No engine, a package is absent, or the document does not compile.
    """
    chosen = engine or find_engine()
    if chosen is None or shutil.which(chosen) is None:
        raise ReportError(
            f"TeX: found none of {', '.join([engine] if engine else ENGINES)} on the path, expected"
            " one; on Debian: apt-get install --no-install-recommends texlive-science"
            " texlive-latex-recommended lmodern"
        )
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch) / "report"
        shutil.copytree(folder, work, ignore=shutil.ignore_patterns("report.pdf", ".*"))
        latex = [chosen, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report"]
        _run(latex, work)
        if "\\citation" in (work / "report.aux").read_text(encoding="utf-8", errors="replace"):
            _run(["bibtex", "report"], work)
            _run(latex, work)
        _run(latex, work)
        log = (work / "report.log").read_text(encoding="utf-8", errors="replace")
        if "Rerun to get" in log or "Table widths have changed" in log:
            _run(latex, work)
        with whole_file(folder / "report.pdf") as partial:
            shutil.copyfile(work / "report.pdf", partial)
    return folder / "report.pdf"


def _run(command: list[str], work: Path) -> None:
    variables = {
        **os.environ,
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
        "openin_any": "p",
        "openout_any": "p",
        "TEXMFVAR": str(work / "texmf"),
    }
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except FileNotFoundError as error:
        raise ReportError(f"TeX: {command[0]} is absent, expected it beside the engine") from error
    except subprocess.TimeoutExpired as error:
        raise ReportError(f"TeX: {command[0]} did not end within {_PATIENCE} s") from error
    if done.returncode:
        why = next(
            (line for line in done.stdout.splitlines() if line.startswith("!")),
            done.stdout.strip().rpartition("\n")[2],
        )
        raise ReportError(f"TeX: {command[0]} failed: {why[:200]}")
