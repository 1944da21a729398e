"""A report on disk: every format in one folder, which appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bayescmr.atomic import whole_folder
from bayescmr.errors import ReportError

if TYPE_CHECKING:
    from bayescmr.report.data import ReportData

#: Module of each format; its ``write(data, folder)`` writes files to a folder.
RENDERERS = {
    "html": "bayescmr.report.html",
    "json": "bayescmr.report.plain",
    "tex": "bayescmr.report.tex",
    "pdf": "bayescmr.report.pdf",
}
#: What is written unless asked otherwise: what needs nothing but this package.
DEFAULT = ("html", "json", "tex")


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that there are not.

    Raises
    ------
    ReportError
        Unknown format, or none.
    """
    known = ", ".join(RENDERERS)
    if isinstance(formats, str) or not formats:
        raise ReportError(f"formats: got {formats!r}, expected a list, some of {known}")
    for name in formats:
        if name not in RENDERERS:
            raise ReportError(f"formats: got {name!r}, expected some of {known}")


def check_folder(folder: Path) -> None:
    """Refuse, before any work, a folder that holds something.

    Raises
    ------
    ReportError
        It is a file, or a folder that is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a folder that is not empty" if folder.is_dir() else "a file"
        raise ReportError(
            f"out: got {str(folder)!r}, {what}, expected a new or an empty folder; choose another"
            " name, or remove it"
        )


def write_report(data: ReportData, folder: str | Path, formats: Sequence[str] = DEFAULT) -> Path:
    """Write a report in some formats.

    Parameters
    ----------
    data : ReportData
        From :func:`bayescmr.report.data.report_data`.
    folder : str or Path
        New, or empty.
    formats : sequence of str
        Some of :data:`RENDERERS`.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ReportError
        Unknown format, a folder that holds something or cannot be written, or a format that
        needs what is not installed.
    """
    folder = Path(folder)
    check_formats(formats)
    check_folder(folder)
    writers: list[Callable[[ReportData, Path], None]] = [
        import_module(RENDERERS[name]).write for name in dict.fromkeys(formats)
    ]
    try:
        with whole_folder(folder) as partial:
            for write in writers:
                write(data, partial)
    except OSError as error:
        raise ReportError(f"out: cannot write {str(folder)!r}: {error.strerror or error}") from None
    return folder
