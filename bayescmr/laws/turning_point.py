"""The turning-point law: the identified form of the two-power token law of Gu et al. (2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power

#: Keeps ln(ratio) finite at ratio = 0, where a run is pure replay.
RATIO_FLOOR = 0.05
#: How sharply the replay share 1 - R gives way to its floor e as R -> 1. With 4, a floor of 0.1
#: moves ln w at R = 3/4 by 0.006: what happens without replay does not bend the other curves.
SHARPNESS = 4
#: Tokens (in units of the reference) below which a run counts as not begun.
_TINY = 1e-12


class TurningPoint(Law):
    """General loss that rises, peaks at T0 and falls, T0 growing as replay vanishes.

    Notes
    -----
    With b = a / mu and a constant amplitude (nu = 0) this is
    ``c0 + b T^s (1/s + ln T0 - ln T)``, c0 = c - b/s: the two-power law of the
    paper in the limit s1 -> s2, which is where all its published fits lie. The
    parameters are those that runs near (T_ref, R_ref) determine separately;
    (c0, b, ln T0) are not when the exponent s is small.
    """

    name = "turning_point"
    role = "general"
    title = "Turning-point law"
    equation = (
        "rise(T, R) = c + B(R) [ (t^s - 1)/s + t^s (ln t0(R) - ln t) ],  t = T / T_ref\n"
        "ln t0(R)   = mu (delta - ln(w(R) / w(R_ref))) + kappa ln((R + 0.05) / (R_ref + 0.05))\n"
        "w(R)       = ((1 - R)^4 + e^4)^(1/4)\n"
        "B(R)       = (a / mu) exp(nu (R - R_ref))"
    )
    citation = "Gu et al. 2024, arXiv 2407.17467, Eq. 6 and Table 4, in an identified form"
    parameters = (
        Parameter("c", "c", "nats/token", "real", "rise at T_ref of the run that peaks there"),
        Parameter(
            "a", "a", "nats/token", "positive", "rise per e-fold of lost replay, at (T_ref, R_ref)"
        ),
        Parameter("s", "s", "1", "unit", "exponent of the growth with tokens"),
        Parameter(
            "delta", "delta", "1", "real", "ln(1 - R) of the run that peaks at T_ref, from R_ref's"
        ),
        Parameter("mu", "mu", "1", "positive", "turning point grows as (1 - R)^-mu"),
        Parameter("kappa", "kappa", "1", "real", "turning point grows as R^kappa at small R"),
        Parameter("nu", "nu", "1", "real", "growth of ln B with the ratio"),
        Parameter("e", "e", "1", "positive", "replay share that R = 1 is worth"),
    )

    def _amplitude(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        return theta["a"] / theta["mu"] * xp.exp(theta["nu"] * (ratio - ref.ratio))

    def _log_turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        floor = theta["e"] ** SHARPNESS
        replay = (
            xp.log(((1.0 - ratio) ** SHARPNESS + floor) / ((1.0 - ref.ratio) ** SHARPNESS + floor))
            / SHARPNESS
        )
        small = xp.log((ratio + RATIO_FLOOR) / (ref.ratio + RATIO_FLOOR))
        return theta["mu"] * (theta["delta"] - replay) + theta["kappa"] * small

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        growth, log_t = self._growth(theta, tokens, ref, xp)
        log_t0 = self._log_turning_point(theta, ratio, ref, xp)
        shape = (growth - 1.0) / theta["s"] + growth * (log_t0 - log_t)
        return theta["c"] + self._amplitude(theta, ratio, ref, xp) * shape

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        growth, log_t = self._growth(theta, tokens, ref, xp)
        log_t0 = self._log_turning_point(theta, ratio, ref, xp)
        return self._amplitude(theta, ratio, ref, xp) * (theta["s"] * growth) * (log_t0 - log_t)

    def _growth(
        self, theta: Mapping[str, Array], tokens: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array]:
        """Return t^s (0 at T = 0) and ln t (floored there, where t^s kills it)."""
        t = tokens / ref.tokens
        return power(t, theta["s"], xp), xp.log(xp.maximum(t, _TINY))

    @override
    def turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return ref.tokens * xp.exp(self._log_turning_point(theta, ratio, ref, xp))
