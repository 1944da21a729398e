"""The domain loss: a power law anchored at the base loss, so that nothing has changed at T = 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power


def _curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
    """See ``Law.curve``."""
    drop, eta, t_dom, beta = theta
    start = np.exp(-t_dom)
    whole = -np.expm1(-beta * np.log1p(start))
    whole_by_start = beta * np.exp(-(beta + 1.0) * np.log1p(start))
    whole_by_beta = np.log1p(start) * np.exp(-beta * np.log1p(start))
    # At R = 0 nothing is learnt: the change and its derivatives vanish, as in ``power``.
    log_domain = np.log(ratio / reference_ratio) if ratio > 0.0 else 0.0
    speed = start * np.exp(eta * log_domain) if ratio > 0.0 else 0.0
    for k in range(len(x)):
        z = speed * np.exp(x[k])
        log_z = np.log1p(z)
        part = -np.expm1(-beta * log_z)
        part_by_z = beta * np.exp(-(beta + 1.0) * log_z)
        part_by_beta = log_z * np.exp(-beta * log_z)
        change[k] = -drop * part / whole
        gradient[k, 0] = -part / whole
        gradient[k, 1] = -drop / whole * part_by_z * z * log_domain
        by_t = part * whole_by_start * start / whole - part_by_z * z
        gradient[k, 2] = -drop / whole * by_t
        gradient[k, 3] = -drop / whole * (part_by_beta - part * whole_by_beta / whole)


class AnchoredPower(Law):
    """Domain loss that falls from its base towards a floor, faster at larger ratios.

    Notes
    -----
    Its amplitude is the drop at the reference point, which data near it
    determine whatever the exponent; the floor d_inf lies
    ``drop / (1 - (1 + exp(-t_dom))^-beta)`` below the base. As beta -> 0 the
    fall is logarithmic in tokens, as most published curves are.
    """

    name = "anchored_power"
    role = "domain"
    title = "Anchored power law of the domain loss"
    equation = (
        "change(T, R) = -drop G((R / R_ref)^eta exp(-t_dom) t) / G(exp(-t_dom)),  t = T / T_ref\n"
        "G(z)         = 1 - (1 + z)^-beta\n"
        "that is d = d_inf + (d0 - d_inf) (1 + R^eta T / tau_dom)^-beta"
    )
    equation_tex = (
        r"\mathrm{change}(T, R) &= -\mathrm{drop} \;"
        r" \frac{G\left( (R / R_\mathrm{ref})^\eta \, e^{-t_\mathrm{dom}} \, t \right)}"
        r"{G\left( e^{-t_\mathrm{dom}} \right)}, \quad t = T / T_\mathrm{ref} \\"
        r"G(z) &= 1 - (1 + z)^{-\beta}"
    )
    citation = "Anchored form of Gu et al. 2024, arXiv 2407.17467, Eq. 6 (domain loss)"
    parameters = (
        Parameter("drop", "drop", "nats/token", "positive", "fall of the loss at T_ref and R_ref"),
        Parameter("eta", "eta", "1", "positive", "how strongly the ratio speeds up learning"),
        Parameter("t_dom", "t_dom", "ln(T/T_ref)", "real", "log time scale at R_ref"),
        Parameter("beta", "beta", "1", "positive", "exponent of the power law"),
    )
    curve = staticmethod(_curve)

    def _scaled(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        """Return (R/R_ref)^eta exp(-t_dom) T/T_ref."""
        speed = power(ratio / ref.ratio, theta["eta"], xp) * xp.exp(-theta["t_dom"])
        return speed * (tokens / ref.tokens)

    def _gain(self, theta: Mapping[str, Array], xp: Any) -> Array:
        """Return d0 - d_inf."""
        return -theta["drop"] / xp.expm1(-theta["beta"] * xp.log1p(xp.exp(-theta["t_dom"])))

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scaled = self._scaled(theta, tokens, ratio, ref, xp)
        return self._gain(theta, xp) * xp.expm1(-theta["beta"] * xp.log1p(scaled))

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scaled = self._scaled(theta, tokens, ratio, ref, xp)
        fall = xp.exp(-(theta["beta"] + 1.0) * xp.log1p(scaled))
        return -self._gain(theta, xp) * theta["beta"] * scaled * fall
