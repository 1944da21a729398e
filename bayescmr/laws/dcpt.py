"""The D-CPT law of Que et al. (2024): each loss falls in the share of its own corpus and in tokens.

The formula is that of the paper; its parameters are values and slopes at the
reference point, and its two constraints hold for whatever they are.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, override

import numpy as np

from bayescmr.laws.base import Array, Law, Parameter, Reference
from bayescmr.laws.powers import power

#: Where the law begins, in units of the reference tokens. The D_min of the paper, 0.1311e9, is the
#: first of 200 evenly spaced checkpoints, whose geometric mean (our reference) is 75 times that.
FIRST = 1.0 / 75.0
_LOG_FIRST = float(np.log(FIRST))
_LOG_TWO = float(np.log(2.0))


def _curve_of(replay: bool, held_from: float) -> Callable[..., None]:
    """Return ``Law.curve`` for a loss whose own share is that of replay, or of the domain."""
    log_held = float(np.log(held_from))

    def curve(theta, x, ratio, reference_ratio, change, gradient):  # type: ignore[no-untyped-def]  # numba
        level, a, w, beta, h, gamma, eps = theta
        own = 1.0 - ratio if replay else ratio
        reference = 1.0 - reference_ratio if replay else reference_ratio

        def bend(share):  # type: ignore[no-untyped-def]
            """Return g, and its derivatives by gamma and eps."""
            z = np.log((share + eps) / (reference + eps))
            rest = np.exp(-gamma * z)
            g = np.expm1(-gamma * z) / gamma
            by_eps = -rest * (1.0 / (share + eps) - 1.0 / (reference + eps))
            return g, -(z * rest + g) / gamma, by_eps

        eta = 1.0 + h
        log_edge = np.log((reference + eps) / (1.0 + eps))
        log_c = (gamma + 1.0) * log_edge + eta * np.log(reference) + beta * log_held
        c = w * np.exp(log_c) / (eta * (reference + eps))
        c_by_h = c * (np.log(reference) - 1.0 / eta)
        c_by_eps = c * (gamma / (reference + eps) - (gamma + 1.0) / (1.0 + eps))
        # F at half the reference share, which sets the scale.
        g, g_by_gamma, g_by_eps = bend(0.5 * reference)  # type: ignore[no-untyped-call]
        left = np.exp(-eta * _LOG_TWO)
        whole = g + c * (left - 1.0)
        by_w = c * (left - 1.0) / w
        by_beta = c * log_held * (left - 1.0)
        by_h = c_by_h * (left - 1.0) - c * _LOG_TWO * left
        by_gamma = g_by_gamma + c * log_edge * (left - 1.0)
        by_eps = g_by_eps + c_by_eps * (left - 1.0)
        g, g_by_gamma, g_by_eps = bend(own)  # type: ignore[no-untyped-call]
        # At a share of 0 tokens do nothing, as in ``power``.
        log_own = np.log(own / reference) if own > 0.0 else 0.0
        scale = a / whole
        for k in range(len(x)):
            late = max(x[k], _LOG_FIRST)
            left = np.exp(eta * log_own - beta * late) if own > 0.0 else 0.0
            part = (g + c * (left - 1.0)) / whole
            change[k] = level + a * part
            gradient[k, 0] = 1.0
            gradient[k, 1] = part
            gradient[k, 2] = scale * (c * (left - 1.0) / w - part * by_w)
            slope = c * (log_held * (left - 1.0) - late * left)
            gradient[k, 3] = scale * (slope - part * by_beta)
            gradient[k, 4] = scale * (c_by_h * (left - 1.0) + c * log_own * left - part * by_h)
            slope = g_by_gamma + c * log_edge * (left - 1.0)
            gradient[k, 5] = scale * (slope - part * by_gamma)
            gradient[k, 6] = scale * (g_by_eps + c_by_eps * (left - 1.0) - part * by_eps)

    return curve


class _Dcpt(Law):
    """L3 of the paper, E + A/N^alpha + B r^eta / D^beta + C / (r + eps)^gamma, r the own share.

    Notes
    -----
    At one size all that does not depend on r or D, the base loss included, is
    one offset; here it is the level at the reference point. Sizes differ by the
    hierarchy, not by A/N^alpha.

    The amplitude is a difference of two losses, not the slope at the reference:
    a large gamma puts all of the fall at small shares, and the slope at the
    reference is then small while what runs see is not.

    The paper's constraints, eta > 1 and C > C0, make the loss fall in its own
    share for all D >= D_min, here ``held_from``. The second bounds the effect of
    tokens, given how the loss falls in its share; w says how near that bound it
    is. The smaller D_min, the lower the bound: with the paper's, and usual
    exponents, an e-fold of tokens may matter a few hundredths of what an e-fold
    of the own share does. And no interior optimum is left for D domain tokens
    used once: with T = D / r the loss rises in r at r = 1 only if
    (D / D_min)^beta < 1 + beta / eta, so D < e D_min whatever beta and eta > 1.

    B / D^beta has no limit as D -> 0 and no link to the loss before CPT. Tokens
    below the paper's first checkpoint, :data:`FIRST`, count as that many: the
    paper says nothing of fewer. Nor can a loss rise and then fall: the law has
    no turning point.
    """

    equation = (
        "change(T, r) = level + a F(r, t) / F(r_ref / 2, 1)\n"
        "F(r, t)      = [((r + eps) / (r_ref + eps))^-gamma - 1] / gamma"
        " + c [(r / r_ref)^eta t^-beta - 1]\n"
        "c            = w ((r_ref + eps) / (1 + eps))^(gamma + 1) r_ref^eta HELD"
        "/ (eta (r_ref + eps))\n"
        "t            = max(T / T_ref, 1/75),  eta = 1 + h;  OWN\n"
        "that is E + B r^eta / T^beta + C / (r + eps)^gamma with w = C0 / C < 1"
    )
    equation_tex = (
        r"\mathrm{change}(T, r) &= \mathrm{level}"
        r" + a \, \frac{F(r, t)}{F(r_\mathrm{ref} / 2, 1)} \\"
        r"F(r, t) &= \frac{1}{\gamma} \left[ \left( \frac{r + \varepsilon}"
        r"{r_\mathrm{ref} + \varepsilon} \right)^{-\gamma} - 1 \right]"
        r" + c \left[ \left( \frac{r}{r_\mathrm{ref}} \right)^\eta t^{-\beta} - 1 \right] \\"
        r"c &= w \left( \frac{r_\mathrm{ref} + \varepsilon}{1 + \varepsilon} \right)^{\gamma + 1}"
        r" \frac{r_\mathrm{ref}^\eta \, HELD}{\eta \, (r_\mathrm{ref} + \varepsilon)} \\"
        r"t &= \max(T / T_\mathrm{ref}, 1/75), \quad \eta = 1 + h, \quad OWN"
    )
    citation = "Que et al. 2024, arXiv 2406.01375, L3 with its constraints, in an identified form"
    #: D_min of the constraint, in units of T_ref.
    held_from: ClassVar[float]
    parameters = (
        Parameter("level", "level", "nats/token", "real", "change of the loss at T_ref and R_ref"),
        Parameter("a", "a", "nats/token", "positive", "rise as the own share is halved from there"),
        Parameter("w", "C0/C", "1", "unit", "effect of tokens over its bound"),
        Parameter("beta", "beta", "1", "positive", "exponent of tokens"),
        Parameter("h", "eta - 1", "1", "positive", "tokens help as the own share to the 1 + h"),
        Parameter("gamma", "gamma", "1", "positive", "exponent of the own share"),
        Parameter("eps", "eps", "1", "positive", "share below which less of it matters less"),
    )

    @staticmethod
    @abstractmethod
    def _own(ratio: Array) -> Array:
        """Share of the corpus whose loss this is, given the domain share."""

    def _parts(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any
    ) -> tuple[Array, Array, Array, Array]:
        """Return a / F(r_ref / 2, 1), the first term of F, c and (r/r_ref)^eta t^-beta."""
        gamma, eps, beta, eta = theta["gamma"], theta["eps"], theta["beta"], 1.0 + theta["h"]
        own, reference = self._own(ratio), self._own(ref.ratio)
        edge = (gamma + 1.0) * xp.log((reference + eps) / (1.0 + eps))
        tokens_at_edge = xp.exp(edge + eta * np.log(reference) + beta * np.log(self.held_from))
        c = theta["w"] * tokens_at_edge / (eta * (reference + eps))

        def bend(share: Array) -> Array:
            return xp.expm1(-gamma * xp.log((share + eps) / (reference + eps))) / gamma

        whole = bend(0.5 * reference) + c * xp.expm1(-eta * _LOG_TWO)
        late = xp.log(xp.maximum(tokens / ref.tokens, FIRST))
        left = power(own / reference, eta, xp) * xp.exp(-beta * late)
        return theta["a"] / whole, bend(own), c, left

    @override
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scale, share, c, left = self._parts(theta, tokens, ratio, ref, xp)
        return theta["level"] + scale * (share + c * (left - 1.0))

    @override
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        scale, _, c, left = self._parts(theta, tokens, ratio, ref, xp)
        fall = scale * c * theta["beta"] * left
        return xp.where(tokens > FIRST * ref.tokens, -fall, 0.0)


class DcptGeneral(_Dcpt):
    """The D-CPT law of the general loss, whose own share is the replay share 1 - R."""

    name = "dcpt_general"
    role = "general"
    #: The paper's D_min: no tokens count as fewer, so the loss falls in its share at any T.
    held_from: ClassVar[float] = FIRST
    title = "D-CPT law of the general loss"
    equation = _Dcpt.equation.replace("OWN", "r = 1 - R, r_ref = 1 - R_ref").replace(
        "HELD", "75^-beta "
    )
    equation_tex = _Dcpt.equation_tex.replace(
        "OWN", r"r = 1 - R, \; r_\mathrm{ref} = 1 - R_\mathrm{ref}"
    ).replace("HELD", r"75^{-\beta}")
    curve = staticmethod(_curve_of(True, held_from))
    #: By construction, see ``held_from``.
    monotone_in_ratio: ClassVar[bool] = True

    @override
    @staticmethod
    def _own(ratio: Array) -> Array:
        return 1.0 - ratio


class DcptDomain(_Dcpt):
    """The D-CPT law of the domain loss, whose own share is the domain share R."""

    name = "dcpt_domain"
    role = "domain"
    #: The weakest that leaves ``a`` positive. With the paper's D_min the best ratio for D domain
    #: tokens would be 1 for all D > e D_min = 0.36e9, the published 0.732 at 5e9 notwithstanding.
    held_from: ClassVar[float] = 1.0
    title = "D-CPT law of the domain loss"
    equation = _Dcpt.equation.replace("OWN", "r = R, r_ref = R_ref").replace("HELD", "")
    equation_tex = _Dcpt.equation_tex.replace(
        "OWN", r"r = R, \; r_\mathrm{ref} = R_\mathrm{ref}"
    ).replace(r" \, HELD", "")
    curve = staticmethod(_curve_of(False, held_from))
    anchored: ClassVar[bool] = False

    @override
    @staticmethod
    def _own(ratio: Array) -> Array:
        return ratio
