"""The question: size, domain, token budget and tolerance at which the CMR is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayescmr.errors import TargetError

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
        Base loss in nats/token, needed for a share where the table has none for this size.
    """

    size: float
    domain: str
    tokens: float
    tolerance: float | Mapping[str, float] = 0.05
    tolerance_unit: Unit = "nats"
    base: float | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("size", "tokens"):
            value = getattr(self, name)
            if not _is_number(value) or not value > 0:
                raise TargetError(f"{name}: got {value!r}, expected a count > 0, for example 3.1e9")
            if value < 1e3:
                raise TargetError(
                    f"{name}: got {value!r}, which looks like billions: write {value:g}e9"
                )
        if not str(self.domain).strip():
            raise TargetError(f"domain: got {self.domain!r}, expected a name")
        if self.tolerance_unit not in ("nats", "share"):
            raise TargetError(
                f"tolerance_unit: got {self.tolerance_unit!r}, expected nats or share"
            )
        values = (
            self.tolerance.values() if isinstance(self.tolerance, Mapping) else [self.tolerance]
        )
        if not values or not all(_is_number(v) and v >= 0 for v in values):
            raise TargetError(
                f"tolerance: got {self.tolerance!r}, expected a number >= 0 (nats/token or share of"
                " base), or one per general set"
            )

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
            The tolerance names a set that was never measured.
        """
        if not isinstance(self.tolerance, Mapping):
            return eval_sets
        unknown = [s for s in self.tolerance if s not in eval_sets]
        if unknown:
            raise TargetError(
                f"tolerance: got the set {unknown[0]!r}, expected some of {', '.join(eval_sets)}"
            )
        return tuple(s for s in eval_sets if s in self.tolerance)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, int | float | np.integer | np.floating)
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )
