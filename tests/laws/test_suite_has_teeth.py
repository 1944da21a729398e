"""The conformance suite fails laws that are wrong, each for the fault it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from bayescmr.laws import Law, Parameter, Reference
from bayescmr.laws.anchored_power import AnchoredPower
from bayescmr.laws.base import Array
from bayescmr.laws.shift_gain import ShiftGain
from bayescmr.laws.turning_point import TurningPoint
from bayescmr.testing.laws import LawConformance


class WrongSlope(ShiftGain):
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return 1.001 * super().slope(theta, tokens, ratio, ref, xp)


class Swapped(TurningPoint):
    def change_and_slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> tuple[Array, Array]:
        change, slope = super().change_and_slope(theta, tokens, ratio, ref, xp)
        return slope, change


class WrongPeak(TurningPoint):
    def turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return 1.001 * super().turning_point(theta, ratio, ref, xp)


class NotMonotone(TurningPoint):
    monotone_in_ratio: ClassVar[bool] = True


class RisingDomain(AnchoredPower):
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return 1e-3 + super().change(theta, tokens, ratio, ref, xp)


class TwiceNamed(ShiftGain):
    parameters: ClassVar[tuple[Parameter, ...]] = (*ShiftGain.parameters, ShiftGain.parameters[0])


class BareExponent(ShiftGain):
    """Finite values but a nan gradient at R = 0: the exponent meets 0 * log(0)."""

    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        t = tokens / ref.tokens
        bare = theta["a"] * (ratio / ref.ratio) ** theta["q"]
        return bare * t / (t + xp.exp(theta["t_shift"])) - theta["b"] * t


@pytest.mark.parametrize(
    ("law", "test"),
    [
        (WrongSlope(), "test_slope_matches_finite_difference"),
        (Swapped(), "test_both_at_once_are_the_two"),
        (WrongPeak(), "test_turning_point_matches_root_finder"),
        (NotMonotone(), "test_monotone_in_ratio_is_true"),
        (RisingDomain(), "test_domain_law_starts_at_base_and_never_rises"),
        (TwiceNamed(), "test_parameters_are_described"),
        (BareExponent(), "test_gradients_are_finite_everywhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_faulty_law_is_caught(law: Law, test: str) -> None:
    suite = type("Suite", (LawConformance,), {"law": law})()
    with pytest.raises(AssertionError):
        getattr(suite, test)()
