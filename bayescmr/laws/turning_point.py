"""The turning-point law: the identified form of the two-power token law of Gu et al. (2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power

#: Keeps ln(ratio) finite at ratio = 0, where a run is pure replay.
RATIO_FLOOR = 0.05
#: How sharply the replay share 1 - R gives way to its floor as R -> 1.
SHARPNESS = 4
#: Largest floor. It moves ln w by 0.0004 at R = 3/4 and by 0.015 at R = 0.9: what happens without
#: replay cannot bend the other curves. Without a bound the curves bounded the floor, by a wall so
#: steep that chains broke on it wherever no run at R = 1 says where the floor lies.
MAX_FLOOR = 0.05
#: Tokens (in units of the reference) below which a run counts as not begun.
_TINY = 1e-12


def _curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
    """See ``Law.curve``."""
    c, a, s, delta, mu, kappa, nu, e = theta
    floor = (MAX_FLOOR * e) ** SHARPNESS
    own = (1.0 - ratio) ** SHARPNESS + floor
    reference = (1.0 - reference_ratio) ** SHARPNESS + floor
    replay = np.log(own / reference) / SHARPNESS
    small = np.log((ratio + RATIO_FLOOR) / (reference_ratio + RATIO_FLOOR))
    log_t0 = mu * (delta - replay) + kappa * small
    amplitude = a / mu * np.exp(nu * (ratio - reference_ratio))
    by_e = -mu * MAX_FLOOR**SHARPNESS * e ** (SHARPNESS - 1) * (1.0 / own - 1.0 / reference)
    # Divisions are what costs here: one of each is enough.
    by_a, by_mu, by_shape = amplitude / a, amplitude / mu, 1.0 / s
    for k in range(len(x)):
        growth = np.exp(s * x[k])
        rest = growth * (log_t0 - x[k])
        shape = (growth - 1.0) * by_shape + rest
        lever = amplitude * growth
        change[k] = c + amplitude * shape
        gradient[k, 0] = 1.0
        gradient[k, 1] = by_a * shape
        by_s = (growth * x[k] - (growth - 1.0) * by_shape) * by_shape + rest * x[k]
        gradient[k, 2] = amplitude * by_s
        gradient[k, 3] = lever * mu
        gradient[k, 4] = lever * (delta - replay) - by_mu * shape
        gradient[k, 5] = lever * small
        gradient[k, 6] = (ratio - reference_ratio) * amplitude * shape
        gradient[k, 7] = lever * by_e


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
        "w(R)       = ((1 - R)^4 + (0.05 e)^4)^(1/4)\n"
        "B(R)       = (a / mu) exp(nu (R - R_ref))"
    )
    equation_tex = (
        r"\mathrm{rise}(T, R) &= c + B(R) \left[ \frac{t^s - 1}{s}"
        r" + t^s \left( \ln t_0(R) - \ln t \right) \right], \quad t = T / T_\mathrm{ref} \\"
        r"\ln t_0(R) &= \mu \left( \delta - \ln \frac{w(R)}{w(R_\mathrm{ref})} \right)"
        r" + \kappa \, \ln \frac{R + 0.05}{R_\mathrm{ref} + 0.05} \\"
        r"w(R) &= \left[ (1 - R)^4 + (0.05 \, e)^4 \right]^{1/4} \\"
        r"B(R) &= \frac{a}{\mu} \, \exp \left( \nu \, (R - R_\mathrm{ref}) \right)"
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
        Parameter("e", "e", "1", "unit", "replay share that R = 1 is worth, over its bound 0.05"),
    )
    curve = staticmethod(_curve)

    def _amplitude(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        return theta["a"] / theta["mu"] * xp.exp(theta["nu"] * (ratio - ref.ratio))

    def _log_turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        floor = _fourth_power(MAX_FLOOR * theta["e"])
        share = (_fourth_power(1.0 - ratio) + floor) / (_fourth_power(1.0 - ref.ratio) + floor)
        replay = xp.log(share) * (1.0 / SHARPNESS)
        small = xp.log((ratio + RATIO_FLOOR) / (ref.ratio + RATIO_FLOOR))
        return theta["mu"] * (theta["delta"] - replay) + theta["kappa"] * small

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return self._change(theta, *self._parts(theta, tokens, ratio, ref, xp))

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return self._slope(theta, *self._parts(theta, tokens, ratio, ref, xp))

    @override
    def change_and_slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> tuple[Array, Array]:
        parts = self._parts(theta, tokens, ratio, ref, xp)
        return self._change(theta, *parts), self._slope(theta, *parts)

    def _parts(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return B(R), t^s (0 at T = 0) and ln t0 - ln t (t floored there, where t^s kills it)."""
        t = tokens / ref.tokens
        ahead = self._log_turning_point(theta, ratio, ref, xp) - xp.log(xp.maximum(t, _TINY))
        return self._amplitude(theta, ratio, ref, xp), power(t, theta["s"], xp), ahead

    @staticmethod
    def _change(theta: Mapping[str, Array], amplitude: Array, growth: Array, ahead: Array) -> Array:
        return theta["c"] + amplitude * ((growth - 1.0) / theta["s"] + growth * ahead)

    @staticmethod
    def _slope(theta: Mapping[str, Array], amplitude: Array, growth: Array, ahead: Array) -> Array:
        return amplitude * (theta["s"] * growth) * ahead

    @override
    def turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return ref.tokens * xp.exp(self._log_turning_point(theta, ratio, ref, xp))


def _fourth_power(share: Array) -> Array:
    """Return share^4 (4 is SHARPNESS); a general power takes several times as long."""
    square = share * share
    return square * square
