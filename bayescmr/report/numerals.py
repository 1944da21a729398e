"""How a number is written: rounded to what its Monte Carlo error supports, never more."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from bayescmr.words import short

#: Most and fewest significant digits of a number that was estimated.
_MOST, _LEAST = 5, 1


def shown(value: float | int, unit: str, digits: int, rounding: str) -> str:
    """Write a number without its unit; see :class:`bayescmr.report.document.Number`.

    Parameters
    ----------
    value : float or int
        Whole numbers of type int are written in full.
    unit : str
        "%" multiplies by 100, "count" shortens.
    digits : int
        Significant digits.
    rounding : {"nearest", "down"}
        Down means towards minus infinity.
    """
    if unit == "count":
        return short(value)
    if isinstance(value, int):
        return str(100 * value if unit == "%" else value)
    if not math.isfinite(value):
        return "∞" if value == math.inf else "-∞" if value == -math.inf else "undefined"
    exact = Decimal(repr(float(value))) * (100 if unit == "%" else 1)
    if exact == 0:
        return "0"
    place = exact.adjusted() - digits + 1
    step = Decimal(1).scaleb(place)
    rounded = exact.quantize(step, rounding=ROUND_FLOOR if rounding == "down" else ROUND_HALF_EVEN)
    if rounded == 0:
        return "0"
    if -5 < exact.adjusted() < 7:
        return f"{rounded:f}" if place <= 0 else str(int(rounded))
    mantissa, exponent = f"{rounded:.{max(digits - 1, 0)}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def supported_digits(value: float, error: float) -> int:
    """Significant digits of a value that its Monte Carlo standard error supports.

    The last digit is the place of the first digit of the error.
    """
    if not (math.isfinite(value) and math.isfinite(error)) or value == 0:
        return 2
    if error <= 0:
        return 4
    leading = math.floor(math.log10(abs(value)))
    return min(max(leading - math.floor(math.log10(error)) + 1, _LEAST), _MOST)
