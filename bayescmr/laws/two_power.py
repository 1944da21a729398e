"""The two-power token law of Gu et al. (2024) as printed, for comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power

#: exp() of this is still a finite number of tokens; beyond it a run never turns.
_MAX_LOG = 600.0


def _curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
    """See ``Law.curve``."""
    c, a2, a3, s2, gap, q, r = theta
    # At a share of 0 the term and its derivatives vanish, as in ``power``.
    log_domain = np.log(ratio / reference_ratio) if ratio > 0.0 else 0.0
    log_replay = np.log((1.0 - ratio) / (1.0 - reference_ratio)) if ratio < 1.0 else 0.0
    up = a2 * np.exp(q * log_domain) if ratio > 0.0 else 0.0
    down = a3 * np.exp(r * log_replay) if ratio < 1.0 else 0.0
    for k in range(len(x)):
        rising = up * np.exp(s2 * x[k])
        falling = down * np.exp((s2 + gap) * x[k])
        change[k] = c + rising - falling
        gradient[k, 0] = 1.0
        gradient[k, 1] = rising / a2
        gradient[k, 2] = -falling / a3
        gradient[k, 3] = (rising - falling) * x[k]
        gradient[k, 4] = -falling * x[k]
        gradient[k, 5] = rising * log_domain
        gradient[k, 6] = -falling * log_replay


class TwoPower(Law):
    """Gu et al. Eq. 6 for the general loss, with power-law amplitudes in the shares.

    Notes
    -----
    **Badly identified.** The published fits have two nearly equal exponents
    (``gap`` of 0.003 to 0.006) and two amplitudes, of 0.05 to 0.15 nats, that
    cancel to 0.002: only ``a2 - a3``, ``(a2 + a3) gap`` and ``s2`` are
    determined by a rise-and-fall curve. Use the ``turning_point`` law, the same
    curve in three numbers and c, for inference; this law is here to be compared.

    The paper fits Eq. 6 to each ratio separately and gives it no ratio
    dependence. Here each amplitude is a power of the share that feeds it: the
    rise of the domain share R, the fall of the replay share 1 - R. Fitted to
    the published curves of one model size (R <= 3/4) this leaves 1e-4 nats rms,
    the published residual scale, with q below 0.01 and r of 0.12 to 0.22;
    powers of R for both terms leave 3.4 to 4.4 times as much. At R = 1 nothing
    falls and the run never turns, as in the paper. As the exponents meet, the law
    becomes the ``turning_point`` law with mu = r / gap, and real runs fit it there.

    Writing the second exponent as s2 + gap, gap > 0, makes the stationary point
    always a peak and costs only curves that fall before they rise.
    """

    name = "two_power"
    role = "general"
    title = "Two-power law, as printed by Gu et al."
    equation = (
        "rise(T, R) = c + a2 (R / R_ref)^q t^s2"
        " - a3 ((1 - R) / (1 - R_ref))^r t^s3,  t = T / T_ref\n"
        "s3 = s2 + gap;  alpha2, alpha3, beta2 of the paper are a2 (..)^q, -a3 (..)^r and c"
    )
    equation_tex = (
        r"\mathrm{rise}(T, R) &= c + a_2 \left( \frac{R}{R_\mathrm{ref}} \right)^q t^{s_2}"
        r" - a_3 \left( \frac{1 - R}{1 - R_\mathrm{ref}} \right)^r t^{s_3},"
        r" \quad t = T / T_\mathrm{ref} \\"
        r"s_3 &= s_2 + \mathrm{gap}"
    )
    citation = "Gu et al. 2024, arXiv 2407.17467, Eq. 6, with power-law amplitudes in R and 1 - R"
    parameters = (
        Parameter("c", "beta2", "nats/token", "real", "jump at the start of CPT"),
        Parameter("a2", "alpha2", "nats/token", "positive", "rising term, at T_ref and R_ref"),
        Parameter("a3", "-alpha3", "nats/token", "positive", "falling term, at T_ref and R_ref"),
        Parameter("s2", "s2", "1", "unit", "exponent of the rising term"),
        Parameter("gap", "s3 - s2", "1", "positive", "how much faster the falling term grows"),
        Parameter("q", "q", "1", "positive", "the rising term grows as R^q"),
        Parameter("r", "r", "1", "positive", "the falling term shrinks as (1 - R)^r"),
    )
    curve = staticmethod(_curve)
    #: The rising term grows with R and the falling one shrinks, for all parameter values.
    monotone_in_ratio: ClassVar[bool] = True

    def _terms(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array]:
        """Return the rising and the falling term, both >= 0, nats/token."""
        t = tokens / ref.tokens
        rising = theta["a2"] * power(ratio / ref.ratio, theta["q"], xp)
        falling = theta["a3"] * power((1.0 - ratio) / (1.0 - ref.ratio), theta["r"], xp)
        return (
            rising * power(t, theta["s2"], xp),
            falling * power(t, theta["s2"] + theta["gap"], xp),
        )

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        rising, falling = self._terms(theta, tokens, ratio, ref, xp)
        return theta["c"] + rising - falling

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        rising, falling = self._terms(theta, tokens, ratio, ref, xp)
        return theta["s2"] * rising - (theta["s2"] + theta["gap"]) * falling

    @override
    def turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        """Tokens at the peak (Gu et al. Eq. 7, lambda -> infinity); inf where a run never turns."""
        tiny = 1e-300
        rising = theta["q"] * xp.log(xp.maximum(ratio / ref.ratio, tiny))
        falling = theta["r"] * xp.log(xp.maximum((1.0 - ratio) / (1.0 - ref.ratio), tiny))
        constant = xp.log(theta["a2"] * theta["s2"] / (theta["a3"] * (theta["s2"] + theta["gap"])))
        log_t0 = (constant + rising - falling) / theta["gap"]
        finite = ref.tokens * xp.exp(xp.minimum(log_t0, _MAX_LOG))
        return xp.where((ratio < 1.0) & (log_t0 < _MAX_LOG), finite, np.inf)
