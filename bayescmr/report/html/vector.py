"""Figures and equations as inline SVG: the same bytes for the same data."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from bayescmr.report import style
from bayescmr.report.document import Equation, Figure

#: Ink of equations, replaced by the colour of the text around them.
_INK = "#010203"
#: Type size of equations, points; what 1 em is measured by.
_EM = 11.0


def figure_svg(figure: Figure) -> str:
    """Draw a figure; its letters stay letters."""
    look: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": figure.name}
    with style.paper(), mpl.rc_context(look):
        canvas = style.new_figure(*figure.size)
        figure.draw(canvas.subplots())
        return _inline(canvas, figure.name, figure.alt)


def equation_svgs(equation: Equation, name: str) -> list[tuple[str, float]]:
    """Set an equation, a picture for each of its lines, with its width in em."""
    found = []
    look: dict[Any, Any] = {
        "svg.fonttype": "path",
        "svg.hashsalt": name,
        "mathtext.fontset": "cm",
    }
    for i, line in enumerate(equation.tex.split(r"\\") if equation.tex else []):
        with mpl.rc_context(look):
            canvas = Canvas(figsize=(12, 1))
            canvas.text(0.0, 0.4, f"${line.replace('&', '').strip()}$", size=_EM, color=_INK)
            plain = equation.plain if i == 0 else ""
            svg = _inline(canvas, f"{name}-{i}", plain, tight=True).replace(_INK, "currentColor")
        width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
        assert width is not None
        found.append((svg, float(width[1]) / _EM))
    return found


def _inline(canvas: Canvas, name: str, alt: str, *, tight: bool = False) -> str:
    """Return the SVG element alone, its ids made unique in a page by the name."""
    buffer = io.StringIO()
    more: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.01} if tight else {}
    canvas.savefig(
        buffer, format="svg", transparent=tight, metadata={"Date": None, "Creator": None}, **more
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # Its rule is for every element of a page, not of the picture alone: it is in the page's style.
    svg = re.sub(r"<style[^>]*>.*?</style>\s*", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", svg)
    svg = re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", svg)
    svg = re.sub(r'^<svg([^>]*?) height="[^"]*"', r"<svg\1", svg)
    label = f'role="img" aria-label="{_attribute(alt)}"' if alt else 'aria-hidden="true"'
    return svg.replace("<svg", f"<svg {label}", 1).strip()


def _attribute(text: str) -> str:
    from markupsafe import escape

    return str(escape(text)).replace("\n", "&#10;")
