"""The shift-gain law: a distribution shift that saturates, minus a slow gain from replay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power


def _curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
    """See ``Law.curve``."""
    a, q, t_shift, b, r, s = theta
    h = np.exp(t_shift)
    # At a share of 0 the term and its derivatives vanish, as in ``power``.
    log_domain = np.log(ratio / reference_ratio) if ratio > 0.0 else 0.0
    log_replay = np.log((1.0 - ratio) / (1.0 - reference_ratio)) if ratio < 1.0 else 0.0
    shift = a * np.exp(q * log_domain) if ratio > 0.0 else 0.0
    replay = b * np.exp(r * log_replay) if ratio < 1.0 else 0.0
    for k in range(len(x)):
        t = np.exp(x[k])
        saturation = (1.0 + h) * t / (t + h)
        gain = replay * np.exp(s * x[k])
        change[k] = shift * saturation - gain
        gradient[k, 0] = shift * saturation / a
        gradient[k, 1] = shift * saturation * log_domain
        gradient[k, 2] = shift * h * t * (t - 1.0) / (t + h) ** 2
        gradient[k, 3] = -gain / b
        gradient[k, 4] = -gain * log_replay
        gradient[k, 5] = -gain * x[k]


class ShiftGain(Law):
    """General loss anchored at its base, defined on all ratios from pure replay to no replay.

    Notes
    -----
    Both amplitudes are values at the reference point, so that ``a - b`` is the
    rise there and stays well determined when the time scale ``h`` is not. The
    saturated shift at R_ref is ``a (1 + h)``.

    With s < 1 the gain is steeper than the shift as T -> 0, so a curve first
    dips below its base, then rises, peaks and falls: its slope has two roots
    (a minimum, then a maximum) or none. The peak has no closed form; look for
    the *downward* crossing of the slope.

    There is no offset: a jump at the start of training (an uncertain base loss,
    a changed learning rate) is outside this law.
    """

    name = "shift_gain"
    role = "general"
    title = "Shift-gain law"
    equation = (
        "rise(T, R) = a (R / R_ref)^q (1 + h) t / (t + h)"
        " - b ((1 - R) / (1 - R_ref))^r t^s\n"
        "t = T / T_ref,  h = exp(t_shift);"
        "  (1 + h) t / (t + h) is 1 - (1 + t/h)^-1 scaled to 1 at T_ref"
    )
    equation_tex = (
        r"\mathrm{rise}(T, R) &= a \left( \frac{R}{R_\mathrm{ref}} \right)^q"
        r" \frac{(1 + h) \, t}{t + h}"
        r" - b \left( \frac{1 - R}{1 - R_\mathrm{ref}} \right)^r t^s,"
        r" \quad t = T / T_\mathrm{ref} \\"
        r"h &= \exp(t_\mathrm{shift})"
    )
    citation = "bayescmr; no published source"
    parameters = (
        Parameter("a", "a", "nats/token", "positive", "rise by the shift, at T_ref and R_ref"),
        Parameter("q", "q", "1", "positive", "the shift grows as R^q"),
        Parameter("t_shift", "ln h", "ln(T/T_ref)", "real", "log time scale of the shift"),
        Parameter("b", "b", "nats/token", "positive", "gain from replay, at T_ref and R_ref"),
        Parameter("r", "r", "1", "positive", "the gain falls as (1 - R)^r"),
        Parameter("s", "s", "1", "unit", "exponent of the gain with tokens"),
    )
    curve = staticmethod(_curve)
    #: The shift grows with R and the gain shrinks with it, for all a, b, q, r > 0.
    monotone_in_ratio: ClassVar[bool] = True

    def _terms(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return the shift at T_ref, the gain (both >= 0) and t."""
        t = tokens / ref.tokens
        shift = theta["a"] * power(ratio / ref.ratio, theta["q"], xp)
        replay = power((1.0 - ratio) / (1.0 - ref.ratio), theta["r"], xp)
        return shift, theta["b"] * replay * power(t, theta["s"], xp), t

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        shift, gain, t = self._terms(theta, tokens, ratio, ref, xp)
        h = xp.exp(theta["t_shift"])
        return shift * ((1.0 + h) * t / (t + h)) - gain

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        shift, gain, t = self._terms(theta, tokens, ratio, ref, xp)
        h = xp.exp(theta["t_shift"])
        return shift * ((1.0 + h) * t / (t + h)) * (h / (t + h)) - theta["s"] * gain
