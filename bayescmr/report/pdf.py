"""The report as PDF: the page printed by WeasyPrint or, without it, typeset by a TeX engine."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from bayescmr.errors import ReportError
from bayescmr.report import tex
from bayescmr.report.data import ReportData

FILE = "report.pdf"
#: What paper has and a screen has not.
_PAPER = """
@page { @bottom-center { content: counter(page); font: 8pt sans-serif; color: #666; } }
.tiles { display: flex !important; gap: 3mm; }
.tiles > div { flex: 1 1 0; padding: 2mm 3mm; }
table { page-break-inside: auto; }
"""


def write(data: ReportData, folder: Path) -> None:
    """Write ``report.pdf`` to a folder.

    Parameters
    ----------
    data : ReportData
        What the report says.
    folder : Path
        Exists.

    Raises
    ------
    ReportError
        Neither WeasyPrint nor a TeX engine, or the engine failed.
    """
    if find_spec("weasyprint") is not None:
        (folder / FILE).write_bytes(_printed(data))
    elif tex.find_engine() is not None:
        with tempfile.TemporaryDirectory() as scratch:
            tex.write(data, Path(scratch))
            shutil.copyfile(tex.compile_tex(Path(scratch)), folder / FILE)
    else:
        raise ReportError(
            "pdf: found neither WeasyPrint nor a TeX engine, expected one of them; install"
            " 'bayescmr[pdf]', or a TeX system (see docs/report_tex.md)"
        )


def _printed(data: ReportData) -> bytes:
    from bayescmr.report.html.page import page

    try:
        # The package alone is not enough: it loads Pango from the system.
        import weasyprint
    except OSError as error:
        raise ReportError(
            f"pdf: WeasyPrint found no Pango ({str(error).splitlines()[0]}), expected its"
            " libraries; on Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0"
        ) from None
    with _quiet():
        document = weasyprint.HTML(string=page(data), url_fetcher=_refuse)
        made: bytes = document.write_pdf(stylesheets=[weasyprint.CSS(string=_PAPER)])
    return made


def _refuse(url: str, *_: Any, **__: Any) -> NoReturn:
    """Fetch nothing: the page holds all that it shows."""
    raise ValueError(f"the report fetches nothing, not even {url[:60]}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep notes on styles for screens off the terminal."""
    logger = logging.getLogger("weasyprint")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
