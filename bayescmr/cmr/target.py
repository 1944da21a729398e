"""The question: size, domain, token budget and tolerance at which the CMR is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayescmr.errors import TargetError
from bayescmr.values import is_number

#: No model and no budget comes near; far beyond it powers overflow.
_MAX_COUNT = 1e18

Unit = Literal["nats", "share"]


@dataclass(frozen=True)
class Target:
    """Where the critical mixture ratio is asked.

    Parameters
    ----------
    size : float
        Non-embedding parameters (count). Need not have been probed.
    domain : str
        Domain corpus. Need not have been probed.
    tokens : float
        CPT tokens (count).
    tolerance : float or mapping from eval_set to float
        Allowed rise of the general loss. One number holds for every general
        set; a mapping must name every set that is to be looked at.
    tolerance_unit : {"nats", "share"}
        ``nats`` (nats/token), or a share of the base loss (0.03 is 3 %).
    base : float or mapping from eval_set to float, optional
        Base loss in nats/token, > 0, needed for a share where the table has none for this
        size. A mapping need not name every set.

    Raises
    ------
    TargetError
        A field has another type, or lies outside its range.
    """

    size: float
    domain: str
    tokens: float
    tolerance: float | Mapping[str, float] = 0.05
    tolerance_unit: Unit = "nats"
    base: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("size", "tokens"):
            check_count(name, getattr(self, name))
        domain: object = self.domain
        if not (isinstance(domain, str) and domain.strip() and _is_unicode(domain)):
            raise TargetError(f"domain: got {self.domain!r}, expected a name")
        if self.tolerance_unit not in ("nats", "share"):
            raise TargetError(
                f"tolerance_unit: got {self.tolerance_unit!r}, expected nats or share"
            )
        tolerances = _numbers(self.tolerance)
        if not tolerances or not all(value >= 0 for value in tolerances):
            raise TargetError(
                f"tolerance: got {self.tolerance!r}, expected a number >= 0 (nats/token or share of"
                " base), or one per general set"
            )
        if self.tolerance_unit == "share" and not all(value < 1 for value in tolerances):
            raise TargetError(
                f"tolerance: got {self.tolerance!r}, expected a share of the base loss below 1:"
                " write 0.03 for 3 %"
            )
        bases = [1.0] if self.base is None else _numbers(self.base)
        if not bases or not all(value > 0 for value in bases):
            raise TargetError(
                f"base: got {self.base!r}, expected losses > 0 in nats/token: one number, or one"
                " per general set"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, whose entries are the arguments; ``base`` only where it was given."""
        entries: dict[str, Any] = {
            "size": float(self.size),
            "domain": self.domain,
            "tokens": float(self.tokens),
            "tolerance": _floats(self.tolerance),
            "tolerance_unit": self.tolerance_unit,
        }
        return entries if self.base is None else entries | {"base": _floats(self.base)}

    def tolerance_of(self, eval_set: str, base: float) -> float:
        """Tolerance on one set in nats/token, given the base loss that the table knows (or NaN).

        Raises
        ------
        TargetError
            A share is asked and no base loss is known.
        """
        tolerance = (
            self.tolerance[eval_set] if isinstance(self.tolerance, Mapping) else self.tolerance
        )
        if self.tolerance_unit == "nats":
            return float(tolerance)
        given = self.base.get(eval_set) if isinstance(self.base, Mapping) else self.base
        known = base if given is None else float(given)
        if not np.isfinite(known):
            raise TargetError(
                f"tolerance: got a share of the base loss, but no base loss of {eval_set!r} at size"
                f" {self.size:g} is known; give the tolerance in nats, or the base loss"
            )
        return float(tolerance) * known

    def sets_of(self, eval_sets: tuple[str, ...]) -> tuple[str, ...]:
        """General sets to look at: all, or those that the tolerance names.

        Raises
        ------
        TargetError
            The tolerance, or the base loss, names a set that was never measured.
        """
        for name, value in (("tolerance", self.tolerance), ("base", self.base)):
            unknown = [s for s in value if s not in eval_sets] if isinstance(value, Mapping) else []
            if unknown:
                raise TargetError(
                    f"{name}: got the set {unknown[0]!r}, expected some of {', '.join(eval_sets)}"
                )
        if not isinstance(self.tolerance, Mapping):
            return eval_sets
        return tuple(s for s in eval_sets if s in self.tolerance)


def check_count(name: str, value: object) -> None:
    """Raise TargetError unless ``value`` is a plausible count of parameters or tokens."""
    if not is_number(value) or not value > 0:
        raise TargetError(f"{name}: got {value!r}, expected a count > 0, for example 3.1e9")
    if value < 1e3:
        raise TargetError(f"{name}: got {value!r}, which looks like billions: write {value:g}e9")
    if value > _MAX_COUNT:
        raise TargetError(f"{name}: got {value!r}, expected at most {_MAX_COUNT:g}")


def _is_unicode(text: str) -> bool:
    """Return whether text can be written: bytes of a shell that are not UTF-8 cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _floats(value: float | Mapping[str, float]) -> float | dict[str, float]:
    if isinstance(value, Mapping):
        return {name: float(v) for name, v in value.items()}
    return float(value)


def _numbers(value: object) -> list[float]:
    """Return the number, or the numbers of a mapping from sets; NaN for what is neither."""
    if not isinstance(value, Mapping):
        return [float(value)] if is_number(value) else [math.nan]
    named = all(isinstance(name, str) for name in value)
    return [float(v) if named and is_number(v) else math.nan for v in value.values()]
