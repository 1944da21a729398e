r"""Every number that a report quotes, as a macro."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bayescmr.report.document import Number
from bayescmr.report.tex.characters import escape, macro_name

#: What siunitx reads as a number.
_NUMERIC = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")


def is_numeric(shown: str) -> bool:
    """Whether a number as shown is one that siunitx can set: not 3.1B, not infinity."""
    return _NUMERIC.fullmatch(shown) is not None


def typeset(number: Number) -> str:
    r"""A number without its unit: ``\num{-0.31}``, or text where it is not one."""
    shown = number.shown
    return rf"\num{{{shown}}}" if is_numeric(shown) else escape(shown)


def unit(number: Number) -> str:
    """What follows a number in a sentence, with a space that does not break."""
    if not number.suffix:
        return ""
    return rf"\,{escape(number.suffix)}" if number.suffix == "%" else f"~{escape(number.suffix)}"


def macro_names(numbers: Iterable[Number]) -> dict[str, str]:
    """Name of the macro of each number, without its backslash."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for number in numbers:
        if number.name not in found:
            found[number.name] = macro_name(number.name, taken)
    return found


def macros(numbers: Iterable[Number], names: Mapping[str, str]) -> str:
    r"""Lines of ``macros.tex``: ``\newcommand{\cmrSafeRatio}{\num{41.2}} % %, safe_ratio``."""
    lines: dict[str, str] = {}
    for number in numbers:
        note = f"{number.name}, {number.suffix or 'no unit'}"
        plain = "".join(c if " " <= c <= "\x7e" else "?" for c in note)
        line = rf"\newcommand{{\{names[number.name]}}}{{{typeset(number)}}} % {plain}"
        lines.setdefault(number.name, line)
    return "".join(f"{line}\n" for line in lines.values())
