"""Values on their way into the store: plain ones, or an error that says which is not."""

from __future__ import annotations

import json
import math
import operator
import re
from typing import Any

from bayescmr.errors import CampaignError

#: What a campaign may be called: a name that is also that of a folder.
NAME = re.compile(r"\w[\w.-]*")
NAME_WORDS = "letters, digits, _, . and -"


def whole(value: Any, what: str, *, least: int = 0) -> int:
    """Return a whole number, also from numpy or from a float without fraction."""
    try:
        number = int(value) if isinstance(value, float) and value == int(value) else None
        number = operator.index(value) if number is None else number
    except (TypeError, ValueError, OverflowError):
        number = None
    # As much as a column of either database holds.
    if number is None or isinstance(value, bool) or not least <= number < 2**63:
        raise CampaignError(f"{what}: got {value!r}, expected a whole number >= {least}")
    return number


def finite(value: Any, what: str, *, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number within bounds."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or not least <= number <= most or isinstance(value, bool | str):
        bounds = "" if least == -math.inf else f" >= {least:g}"
        bounds += "" if most == math.inf else f" and <= {most:g}"
        raise CampaignError(f"{what}: got {value!r}, expected a finite number{bounds}")
    return number


def label(value: Any, what: str) -> str:
    """Return a name: some text, of one line, that either database can hold."""
    if not isinstance(value, str) or not value.strip() or printable(value) != value:
        raise CampaignError(f"{what}: got {value!r}, expected a name of printable characters")
    return value


def printable(text: str) -> str:
    """Return text that either database can hold: the last words of a program may be anything."""
    legal = text.encode("utf-8", "replace").decode().replace("\0", "�")
    return legal


def one_of[T: str](value: T, allowed: tuple[T, ...], what: str) -> T:
    """Return one of a few words."""
    if value not in allowed:
        raise CampaignError(f"{what}: got {value!r}, expected one of {', '.join(allowed)}")
    return value


def canonical(value: Any, what: str) -> str:
    """Write plain data as JSON, the same text for the same data."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CampaignError(
            f"{what}: {error}; expected plain data: text, finite numbers, true, false, null,"
            " lists and mappings of them"
        ) from None


def plain(value: Any, what: str) -> Any:
    """Return data as JSON gives it back."""
    return json.loads(canonical(value, what))


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return a mapping of plain data."""
    found = plain(value, what)
    if not isinstance(found, dict):
        raise CampaignError(f"{what}: got {value!r}, expected a mapping")
    return found
