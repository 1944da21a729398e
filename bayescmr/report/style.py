"""One look for every figure: type sizes for a paper, colours that everybody can tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from bayescmr.words import LONGEST, name, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Widths of a figure in inches: one column, and both columns of a paper.
COLUMN, PAGE = 3.4, 7.0
#: Ink of everything that is not data.
GREY = "#666666"
#: Okabe and Ito's blue, vermillion and bluish green: one for each estimand.
ESTIMAND_COLOURS = {"tolerance": "#0072B2", "turning_point": "#D55E00", "gu": "#009E73"}

_PAPER: dict[str, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.1,
    # Letters stay letters in a PDF: journals ask for it.
    "pdf.fonttype": 42,
}


@contextmanager
def paper() -> Iterator[None]:
    """Type sizes and line widths for print; figures must be drawn and saved inside."""
    with mpl.style.context(["default", _PAPER]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make a figure that no window and no pyplot knows of."""
    return Figure(figsize=(width, height), layout="constrained")


def own_axes(rows: int, columns: int, width: float, height: float) -> np.ndarray:
    """Make axes in a pyplot figure, so that notebooks show it; shape (rows, columns)."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False
    )
    return np.asarray(axes)


def ordered_colours(n: int) -> list[tuple[float, float, float, float]]:
    """``n`` colours from dark to light (viridis, without its palest yellow)."""
    return [tuple(c) for c in mpl.colormaps["viridis"](np.linspace(0.0, 0.82, max(n, 2))[:n])]


def dress(ax: Axes) -> None:
    """Take away the box, keep the two axes."""
    ax.spines[["top", "right"]].set_visible(False)


def count_axis(axis: Axis, low: float, high: float) -> None:
    """Give a logarithmic axis ticks like 500M, 1B, 2B."""
    decades = np.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def log_x(ax: Axes, low: float, high: float) -> None:
    """Make the abscissa logarithmic, from ``low`` to ``high``, with ticks like 500M, 1B, 2B."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    count_axis(ax.xaxis, low, high)


def percent_axis(axis: Axis) -> None:
    """Write shares as percent; the unit stands in the label."""
    axis.set_major_formatter(PercentFormatter(xmax=1.0, symbol="", decimals=None))


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write PNG and PDF; the same figure gives the same bytes on every day.

    Returns
    -------
    list of Path
        The two files.
    """
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    figure.savefig(png, dpi=150, metadata={"Software": None})
    return [png, save_pdf(figure, pdf)]


def save_pdf(figure: Figure, path: Path) -> Path:
    """Write a PDF; the same figure gives the same bytes on every day."""
    figure.savefig(
        path, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None}
    )
    return path


def label(text: str, longest: int = LONGEST) -> str:
    """Name of a domain, run or set as a figure may show it.

    Dollars are no formula, and what the font cannot draw becomes an empty box.
    """
    known = _glyphs()
    drawn = "".join(c if ord(c) in known else "□" for c in name(text, longest))
    return drawn.replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    """Characters of the one font that matplotlib brings along."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def distinct(values: Iterable[float]) -> list[float]:
    """Ascending, each once."""
    return sorted({float(v) for v in values})
