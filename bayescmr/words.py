"""How numbers are written for people: in figures, tables and sentences."""

from __future__ import annotations

import math
import unicodedata


def short(value: float) -> str:
    """Count with a suffix: 3.1e9 is 3.1B, 2.5e5 is 250K."""
    for power, suffix in ((12, "T"), (9, "B"), (6, "M"), (3, "K")):
        if value >= 0.9995 * 10**power:
            return f"{value / 10**power:.3g}{suffix}"
    return f"{value:.3g}"


def count(value: float) -> str:
    """Count as it is typed on a command line: 3.1e9, 20e9, 460e6."""
    for power in (12, 9, 6):
        if value >= 10**power:
            return f"{value / 10**power:.6g}e{power}"
    return f"{value:.6g}"


def percent(share: float, digits: int = 1) -> str:
    """Share in percent, without its sign: 0.298 is 29.8."""
    return f"{100 * share:.{digits}f}"


def percent_down(share: float) -> str:
    """Share in percent, rounded down to a tenth: what is called safe must be safe."""
    return f"{math.floor(1000 * share + 1e-9) / 10:g}"


def percent_up(share: float) -> str:
    """Share in percent, rounded up to a tenth: the upper end of what is promised."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:g}"


#: Longest name in a figure or a table; the data behind it hold the whole name.
LONGEST = 24


def name(text: str, longest: int = LONGEST) -> str:
    """Name of a domain, run or set on one line, cut to ``longest`` characters.

    Control characters, line ends and marks of direction become spaces: a name may hold
    anything that a file can.
    """
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    words = " ".join(plain.split()) or "(blank)"
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"
