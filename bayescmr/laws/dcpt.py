"""The D-CPT law of Que et al. (2024): each loss falls in the share of its own corpus and in tokens.

The formula is that of the paper; its parameters are values and slopes at the
reference point, and its two constraints hold for whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power

#: Where the law begins, in units of the reference tokens. The paper's D_min of 0.1311e9 is the first
#: of 200 evenly spaced checkpoints, whose geometric mean (our reference) lies 75 times higher.
FIRST = 1.0 / 75.0
_LOG_FIRST = float(np.log(FIRST))


def _curve_of(replay: bool) -> Callable[..., None]:
    """Return ``Law.curve`` for a loss whose own share is that of replay, or of the domain."""

    def curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
        level, a, w, beta, h, gamma, eps = theta
        own = 1.0 - ratio if replay else ratio
        reference = 1.0 - reference_ratio if replay else reference_ratio
        # How the share acts: G, and its derivatives.
        z = np.log((own + eps) / (reference + eps))
        z_by_eps = 1.0 / (own + eps) - 1.0 / (reference + eps)
        stretch = (reference + eps) / reference
        falling = np.exp(-gamma * z)
        bent = np.expm1(-gamma * z) / gamma
        share = stretch * bent
        share_by_gamma = -stretch * (z * falling + bent) / gamma
        share_by_eps = bent / reference - stretch * falling * z_by_eps
        # The fall per e-fold of tokens, and the derivatives of its logarithm.
        eta = 1.0 + h
        log_part = np.log((reference + eps) / (1.0 + eps))
        part = np.exp((gamma + 1.0) * log_part)
        steep = np.exp(-h * np.log(reference) - beta * _LOG_FIRST)
        room = steep - part
        fall = w * a * beta * part / (eta * room)
        by_beta = 1.0 / beta + steep * _LOG_FIRST / room
        by_h = -1.0 / eta + steep * np.log(reference) / room
        by_gamma = log_part * steep / room
        by_eps = (gamma + 1.0) * (1.0 / (reference + eps) - 1.0 / (1.0 + eps)) * steep / room
        pull = a + fall * eta / beta
        # At a share of 0 the tokens do nothing, as in ``power``.
        log_own = np.log(own / reference) if own > 0.0 else 0.0
        for k in range(len(x)):
            late = max(x[k], _LOG_FIRST)
            left = np.exp(eta * log_own - beta * late) if own > 0.0 else 0.0
            both = (left - 1.0 + eta * share) / beta
            change[k] = level + a * share + fall * both
            gradient[k, 0] = 1.0
            gradient[k, 1] = share + fall * both / a
            gradient[k, 2] = fall * both / w
            gradient[k, 3] = fall * (both * (by_beta - 1.0 / beta) - late * left / beta)
            gradient[k, 4] = fall * (both * by_h + (log_own * left + share) / beta)
            gradient[k, 5] = pull * share_by_gamma + fall * both * by_gamma
            gradient[k, 6] = pull * share_by_eps + fall * both * by_eps

    return curve


class _Dcpt(Law):
    """L3 of the paper, E + A/N^alpha + B r^eta / D^beta + C / (r + eps)^gamma, r the own share.

    Notes
    -----
    At one size all that does not depend on r or D, the base loss included, is
    one offset; here it is the level at the reference point. Sizes differ by the
    hierarchy, not by A/N^alpha.

    The paper's constraints, eta > 1 and C > C0, make the loss fall in its own
    share for all D >= D_min. The second bounds B, and so the fall per e-fold of
    tokens, given how the loss falls in its share; ``w`` says how near the bound
    B is. The bound is low: with usual exponents an e-fold of tokens may matter
    a few hundredths of what an e-fold of the own share does.

    B / D^beta has no limit as D -> 0 and no link to the loss before CPT. Tokens
    below D_min count as D_min, below which the paper says nothing. Nor can a
    loss rise and then fall: the law has no turning point.
    """

    equation = (
        "change(T, r) = level + a G(r) + b [(r / r_ref)^eta t^-beta - 1 + eta G(r)] / beta\n"
        "G(r)         = (r_ref + eps) / r_ref [((r + eps) / (r_ref + eps))^-gamma - 1] / gamma\n"
        "b            = w a beta p / (eta (r_ref^(1 - eta) 75^beta - p))\n"
        "p            = ((r_ref + eps) / (1 + eps))^(gamma + 1),  eta = 1 + h\n"
        "t            = max(T / T_ref, 1/75);  r is the share of the corpus whose loss this is\n"
        "that is E + B r^eta / T^beta + C / (r + eps)^gamma with eta > 1 and C > C0"
    )
    citation = "Que et al. 2024, arXiv 2406.01375, L3 with its constraints, in an identified form"
    parameters = (
        Parameter("level", "level", "nats/token", "real", "change of the loss at T_ref and R_ref"),
        Parameter(
            "a", "a", "nats/token", "positive", "fall per e-fold of the own share, at (T_ref, R_ref)"
        ),
        Parameter(
            "w", "w", "1", "unit", "fall per e-fold of tokens there, b, over the bound that C > C0 sets"
        ),
        Parameter("beta", "beta", "1", "positive", "exponent of tokens"),
        Parameter("h", "eta - 1", "1", "positive", "tokens help as the own share to the 1 + h"),
        Parameter("gamma", "gamma", "1", "positive", "exponent of the own share"),
        Parameter("eps", "eps", "1", "positive", "share below which less of it matters less"),
    )

    @staticmethod
    def _own(ratio: Array) -> Array:
        """Share of the corpus whose loss this is, given the domain share."""
        raise NotImplementedError

    def _parts(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array, Array]:
        """Return G(r), b and (r/r_ref)^eta t^-beta."""
        gamma, eps, beta, eta = theta["gamma"], theta["eps"], theta["beta"], 1.0 + theta["h"]
        own, reference = self._own(ratio), self._own(ref.ratio)
        bent = xp.expm1(-gamma * xp.log((own + eps) / (reference + eps))) / gamma
        part = xp.exp((gamma + 1.0) * xp.log((reference + eps) / (1.0 + eps)))
        steep = xp.exp(-theta["h"] * xp.log(reference) - beta * _LOG_FIRST)
        fall = theta["w"] * theta["a"] * beta * part / (eta * (steep - part))
        late = xp.log(xp.maximum(tokens / ref.tokens, FIRST))
        left = power(own / reference, eta, xp) * xp.exp(-beta * late)
        return (reference + eps) / reference * bent, fall, left

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        return self._change(theta, *self._parts(theta, tokens, ratio, ref, xp))

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        _, fall, left = self._parts(theta, tokens, ratio, ref, xp)
        return self._slope(fall, left, tokens, ref, xp)

    @override
    def change_and_slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> tuple[Array, Array]:
        share, fall, left = self._parts(theta, tokens, ratio, ref, xp)
        return (
            self._change(theta, share, fall, left),
            self._slope(fall, left, tokens, ref, xp),
        )

    @staticmethod
    def _change(theta: Mapping[str, Array], share: Array, fall: Array, left: Array) -> Array:
        by_tokens = fall * (left - 1.0 + (1.0 + theta["h"]) * share) / theta["beta"]
        return theta["level"] + theta["a"] * share + by_tokens

    @staticmethod
    def _slope(fall: Array, left: Array, tokens: Array, ref: Reference, xp: Any) -> Array:
        return xp.where(tokens > FIRST * ref.tokens, -fall * left, 0.0)


class DcptGeneral(_Dcpt):
    """The D-CPT law of the general loss, whose own share is the replay share 1 - R."""

    name = "dcpt_general"
    role = "general"
    title = "D-CPT law of the general loss"
    equation = _Dcpt.equation.replace("is the share of the corpus whose loss this is", "= 1 - R")
    curve = staticmethod(_curve_of(replay=True))
    #: By construction.
    monotone_in_ratio: ClassVar[bool] = True

    @override
    @staticmethod
    def _own(ratio: Array) -> Array:
        return 1.0 - ratio


class DcptDomain(_Dcpt):
    """The D-CPT law of the domain loss, whose own share is the domain share R."""

    name = "dcpt_domain"
    role = "domain"
    title = "D-CPT law of the domain loss"
    equation = _Dcpt.equation.replace("is the share of the corpus whose loss this is", "= R")
    curve = staticmethod(_curve_of(replay=False))
    anchored: ClassVar[bool] = False

    @override
    @staticmethod
    def _own(ratio: Array) -> Array:
        return ratio
