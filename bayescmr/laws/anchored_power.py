"""The domain loss: a power law anchored at the base loss, so that nothing has changed at T = 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power


class AnchoredPower(Law):
    """Domain loss that falls from its base towards a floor, faster at larger ratios."""

    name = "anchored_power"
    role = "domain"
    title = "Anchored power law of the domain loss"
    equation = (
        "change(T, R) = -gain (1 - (1 + (R / R_ref)^eta T / T_half)^-beta),"
        "  gain = d0 - d_inf,  T_half = T_ref exp(t_dom)"
    )
    citation = "Anchored form of Gu et al. 2024, arXiv 2407.17467, Eq. 6 (domain loss)"
    parameters = (
        Parameter("gain", "d0 - d_inf", "nats/token", "positive", "largest possible gain"),
        Parameter("eta", "eta", "1", "positive", "how strongly the ratio speeds up learning"),
        Parameter("t_dom", "ln(tau_dom/T_ref)", "ln(T/T_ref)", "real", "log time scale at R_ref"),
        Parameter("beta", "beta", "1", "positive", "exponent of the power law"),
    )

    def _scaled(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> Array:
        """Return (R/R_ref)^eta T/tau_dom."""
        speed = power(ratio / ref.ratio, theta["eta"], xp) * xp.exp(-theta["t_dom"])
        return speed * (tokens / ref.tokens)

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scaled = self._scaled(theta, tokens, ratio, ref, xp)
        return theta["gain"] * xp.expm1(-theta["beta"] * xp.log1p(scaled))

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scaled = self._scaled(theta, tokens, ratio, ref, xp)
        fall = xp.exp(-(theta["beta"] + 1.0) * xp.log1p(scaled))
        return -theta["gain"] * theta["beta"] * scaled * fall
