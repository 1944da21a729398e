"""Each formula against an independent statement of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from bayescmr.laws import Reference, get_law
from bayescmr.laws.powers import power

REF = Reference(size=1e9, tokens=4e9, ratio=0.3)
TURNING, SHIFT, TWO, DOMAIN = (
    get_law(name) for name in ("turning_point", "shift_gain", "two_power", "anchored_power")
)

shares = st.floats(0.02, 0.98)
multiples = st.floats(0.01, 30.0)
small = st.floats(1e-4, 0.3)
unit = st.floats(0.1, 0.9)
exponents = st.floats(0.05, 3.0)


# -- turning_point ------------------------------------------------------------------------------


def _replay(ratio: float, e: float) -> float:
    """Effective replay share: 1 - R, smoothly bounded below by a floor of 0.05 e."""
    return ((1 - ratio) ** 4 + (0.05 * e) ** 4) ** 0.25


def _ratio(replay: float, e: float) -> float:
    """Inverse of _replay."""
    return 1 - (replay**4 - (0.05 * e) ** 4) ** 0.25


@given(c=st.floats(-0.1, 0.2), a=small, s=unit, delta=st.floats(-1, 1), mu=exponents,
       e=st.floats(1e-12, 1.0), ratio=shares, multiple=multiples)  # fmt: skip
def test_turning_point_law_is_the_peak_height_form(
    c: float, a: float, s: float, delta: float, mu: float, e: float, ratio: float, multiple: float
) -> None:
    """With kappa = nu = 0: rise = c0 + H e^(s x) (1 - s x), x = ln(T/T0), H = b t0^s / s."""
    theta = {"c": c, "a": a, "s": s, "delta": delta, "mu": mu, "kappa": 0.0, "nu": 0.0, "e": e}
    t0 = (np.exp(delta) * _replay(REF.ratio, e) / _replay(ratio, e)) ** mu
    b = a / mu
    c0 = c - b / s
    x = np.log(multiple / t0)
    height = b * t0**s / s
    want = c0 + height * np.exp(s * x) * (1 - s * x)
    got = TURNING.change(theta, multiple * REF.tokens, ratio, REF)
    # The terms may cancel: rounding is relative to the largest of them.
    rounding = 1e-12 * (abs(c) + height + b / s + abs(want))
    np.testing.assert_allclose(got, want, rtol=0, atol=rounding)
    # H is the height of the peak above c0.
    peak = TURNING.change(theta, TURNING.turning_point(theta, ratio, REF), ratio, REF)
    np.testing.assert_allclose(peak - c0, height, rtol=0, atol=rounding)


@given(c=st.floats(-0.1, 0.2), a=small, s=unit, delta=st.floats(-1, 1), mu=exponents,
       e=st.floats(1e-6, 1.0), kappa=st.floats(-1, 1), nu=st.floats(-1, 1),
       ratio=st.floats(0.0, 1.0), multiple=multiples)  # fmt: skip
def test_turning_point_law_is_the_form_of_the_design(
    c: float, a: float, s: float, delta: float, mu: float, e: float, kappa: float, nu: float,
    ratio: float, multiple: float,
) -> None:  # fmt: skip
    """rise = (c - B/s) + B t^s (1/s + ln t0 - ln t), B growing as e^(nu R), t0 also as R^kappa."""
    theta = {"c": c, "a": a, "s": s, "delta": delta, "mu": mu, "kappa": kappa, "nu": nu, "e": e}
    b = a / mu * np.exp(nu * (ratio - REF.ratio))
    log_t0 = mu * (delta + np.log(_replay(REF.ratio, e) / _replay(ratio, e)))
    log_t0 += kappa * np.log((ratio + 0.05) / (REF.ratio + 0.05))
    growth = b * multiple**s * (1 / s + log_t0 - np.log(multiple))
    got = TURNING.change(theta, multiple * REF.tokens, ratio, REF)
    rounding = 1e-12 * (abs(c) + b / s + b * multiple**s * (1 / s + abs(log_t0) + 5))
    np.testing.assert_allclose(got, c - b / s + growth, rtol=0, atol=rounding)


@given(delta=st.floats(-1, 1), mu=exponents, e=st.floats(1e-12, 1.0), cmr=st.floats(0.001, 0.95))
def test_turning_point_cmr_has_a_closed_form(delta: float, mu: float, e: float, cmr: float) -> None:
    """With kappa = 0, T0(R) = T where w(R) = w(R_ref) exp(delta) t^(-1/mu)."""
    theta = {"c": 0.0, "a": 0.1, "s": 0.5, "delta": delta, "mu": mu,
             "kappa": 0.0, "nu": 0.3, "e": e}  # fmt: skip
    log_t = mu * (delta - np.log(_replay(cmr, e) / _replay(REF.ratio, e)))
    tokens = REF.tokens * np.exp(log_t)
    np.testing.assert_allclose(TURNING.turning_point(theta, cmr, REF), tokens, rtol=1e-9)
    solved = _ratio(_replay(REF.ratio, e) * np.exp(delta - log_t / mu), e)
    np.testing.assert_allclose(solved, cmr, rtol=0, atol=1e-11)
    # The slope changes sign there: the run at the CMR peaks exactly at the budget.
    at, below, above = (TURNING.slope(theta, tokens, r, REF) for r in (cmr, cmr - 1e-4, cmr + 1e-4))
    assert below < 0 < above
    assert abs(at) < 1e-6 * (above - below)


@given(c=st.floats(-0.1, 0.2), a=small, s=unit, mu=exponents, nu=st.floats(-1, 1))
def test_turning_point_parameters_mean_what_they_say(
    c: float, a: float, s: float, mu: float, nu: float
) -> None:
    """c, a and delta are read off at (T_ref, R_ref), whatever the other parameters."""
    theta = {"c": c, "a": a, "s": s, "delta": 0.0, "mu": mu, "kappa": 0.0, "nu": nu, "e": 0.001}
    # c: the rise at T_ref of the run that peaks there.
    np.testing.assert_allclose(TURNING.turning_point(theta, REF.ratio, REF), REF.tokens)
    np.testing.assert_allclose(TURNING.change(theta, REF.tokens, REF.ratio, REF), c, atol=1e-15)
    # a: rise per e-fold of lost replay, by a central difference.
    step = 1e-5
    replay = _replay(REF.ratio, theta["e"])
    up, down = (
        TURNING.change(theta, REF.tokens, _ratio(replay * np.exp(h), theta["e"]), REF)
        for h in (-step, step)
    )
    np.testing.assert_allclose((up - down) / (2 * step), a, rtol=1e-6)
    # delta: the run whose replay share is e^delta times the reference's peaks at T_ref.
    theta["delta"] = -0.4
    ratio = _ratio(replay * np.exp(-0.4), theta["e"])
    np.testing.assert_allclose(TURNING.turning_point(theta, ratio, REF), REF.tokens)


@given(c=st.floats(-0.1, 0.2), a=small, s=unit, delta=st.floats(-1, 1), mu=exponents,
       nu=st.floats(-1, 1), ratio=st.floats(0.0, 1.0))  # fmt: skip
def test_turning_point_law_at_no_tokens(
    c: float, a: float, s: float, delta: float, mu: float, nu: float, ratio: float
) -> None:
    """The jump at the start of CPT is c - B/s, exactly, and the slope there is 0."""
    theta = {"c": c, "a": a, "s": s, "delta": delta, "mu": mu, "kappa": 0.2, "nu": nu, "e": 1e-3}
    b = a / mu * np.exp(nu * (ratio - REF.ratio))
    np.testing.assert_allclose(
        TURNING.change(theta, 0.0, ratio, REF), c - b / s, rtol=0, atol=1e-15 * (abs(c) + b / s) * 4
    )
    assert TURNING.slope(theta, 0.0, ratio, REF) == 0.0


# -- two_power ----------------------------------------------------------------------------------


@given(c=st.floats(-0.01, 0.02), a2=small, a3=small, s2=unit, gap=st.floats(0.02, 1.0),
       q=exponents, r=exponents, multiple=multiples)  # fmt: skip
def test_two_power_is_equation_six_at_the_reference_ratio(
    c: float, a2: float, a3: float, s2: float, gap: float, q: float, r: float, multiple: float
) -> None:
    theta = {"c": c, "a2": a2, "a3": a3, "s2": s2, "gap": gap, "q": q, "r": r}
    got = TWO.change(theta, multiple * REF.tokens, REF.ratio, REF)
    want = a2 * multiple**s2 + -a3 * multiple ** (s2 + gap) + c
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_two_power_never_turns_without_replay() -> None:
    theta = {"c": 0.0, "a2": 0.1, "a3": 0.09, "s2": 0.5, "gap": 0.004, "q": 0.01, "r": 0.15}
    t0 = TWO.turning_point(theta, np.array([0.0, 0.3, 1.0]), REF)
    assert t0[0] < t0[1] < t0[2] == np.inf
    tokens = REF.tokens * np.geomspace(0.01, 1e4, 20)
    assert np.all(TWO.slope(theta, tokens, 1.0, REF) > 0)


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.8])
def test_two_power_becomes_the_turning_point_law_as_the_exponents_meet(ratio: float) -> None:
    """Large amplitudes that cancel, exponents gap apart: the same curve, with mu = r / gap."""
    b, s, delta, mu = 0.004, 0.5, 0.6, 2.0
    gap = 1e-6
    level = b * (1 / s + mu * delta)
    two = {"c": 0.001, "a2": level / 2 + b / gap, "a3": -level / 2 + b / gap,
           "s2": s - gap / 2, "gap": gap, "q": 1e-12, "r": mu * gap}  # fmt: skip
    turning = {"c": 0.001 + b / s, "a": b * mu, "s": s, "delta": delta, "mu": mu,
               "kappa": 0.0, "nu": 0.0, "e": 1e-12}  # fmt: skip
    tokens = REF.tokens * np.geomspace(0.05, 30, 15)
    # Of second order in the gap, b gap (ln t)^2 t^s; 4000 - 4000 leaves 1e-12 of rounding.
    np.testing.assert_allclose(
        TWO.change(two, tokens, ratio, REF),
        TURNING.change(turning, tokens, ratio, REF),
        rtol=0,
        atol=2e-7,
    )


# -- shift_gain ---------------------------------------------------------------------------------


@given(a=small, q=exponents, t_shift=st.floats(-3, 3), b=small, r=exponents, s=unit,
       ratio=shares, multiple=multiples)  # fmt: skip
def test_shift_gain_is_the_formula_of_the_design(
    a: float, q: float, t_shift: float, b: float, r: float, s: float,
    ratio: float, multiple: float,
) -> None:  # fmt: skip
    """rise = A R^q (1 - (1 + T/tau)^-1) - B (1 - R)^r T^s in plain units."""
    tau = np.exp(t_shift) * REF.tokens
    big_a = a * (1 + np.exp(t_shift)) / REF.ratio**q
    big_b = b / ((1 - REF.ratio) ** r * REF.tokens**s)
    tokens = multiple * REF.tokens
    want = big_a * ratio**q * (1 - 1 / (1 + tokens / tau)) - big_b * (1 - ratio) ** r * tokens**s
    theta = {"a": a, "q": q, "t_shift": t_shift, "b": b, "r": r, "s": s}
    got = SHIFT.change(theta, tokens, ratio, REF)
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-10)


@given(a=small, q=exponents, t_shift=st.floats(-3, 3), b=small, r=exponents, s=unit)
def test_shift_gain_at_the_edges(
    a: float, q: float, t_shift: float, b: float, r: float, s: float
) -> None:
    theta = {"a": a, "q": q, "t_shift": t_shift, "b": b, "r": r, "s": s}
    # Anchored at the base, whatever the ratio.
    assert np.all(SHIFT.change(theta, 0.0, np.array([0.0, 0.4, 1.0]), REF) == 0.0)
    # The rise at the reference point is a - b, whatever the shape.
    np.testing.assert_allclose(SHIFT.change(theta, REF.tokens, REF.ratio, REF), a - b, atol=1e-12)
    # Pure replay only gains; no replay only loses, and saturates.
    tokens = REF.tokens * np.geomspace(1e-3, 1e6, 10)
    assert np.all(SHIFT.change(theta, tokens, 0.0, REF) < 0)
    none = SHIFT.change(theta, tokens, 1.0, REF)
    assert np.all(np.diff(none) > 0)
    assert none[-1] <= a * (1 + np.exp(t_shift)) * REF.ratio**-q


def test_shift_gain_dips_before_it_rises_and_turns() -> None:
    """Two stationary points: callers must look for the downward crossing of the slope."""
    theta = {"a": 0.1, "q": 0.5, "t_shift": 0.0, "b": 0.03, "r": 1.0, "s": 0.5}
    x = np.linspace(-14, 12, 4001)
    slope = SHIFT.slope(theta, REF.tokens * np.exp(x), REF.ratio, REF)
    crossings = np.diff(np.sign(slope))
    assert crossings[crossings != 0].tolist() == [2.0, -2.0]
    at = x[np.flatnonzero(crossings < 0)[0]]
    peak = brentq(
        lambda v: SHIFT.slope(theta, REF.tokens * np.exp(v), REF.ratio, REF), at - 0.1, at + 0.1
    )
    rise = SHIFT.change(theta, REF.tokens * np.exp(x), REF.ratio, REF)
    np.testing.assert_allclose(
        SHIFT.change(theta, REF.tokens * np.exp(peak), REF.ratio, REF), rise.max(), rtol=1e-5
    )


# -- anchored_power -----------------------------------------------------------------------------


@given(drop=st.floats(0.01, 3.0), eta=exponents, t_dom=st.floats(-3, 3), beta=exponents,
       ratio=shares, multiple=multiples)  # fmt: skip
def test_anchored_power_is_the_formula_of_the_design(
    drop: float, eta: float, t_dom: float, beta: float, ratio: float, multiple: float
) -> None:
    """d = d_inf + (d0 - d_inf) (1 + (R/R_ref)^eta T/tau_dom)^-beta, given the fall at T_ref."""
    theta = {"drop": drop, "eta": eta, "t_dom": t_dom, "beta": beta}
    gain = drop / (1 - (1 + 1 / np.exp(t_dom)) ** -beta)
    scaled = (ratio / REF.ratio) ** eta * multiple / np.exp(t_dom)
    want = -gain * (1 - (1 + scaled) ** -beta)
    got = DOMAIN.change(theta, multiple * REF.tokens, ratio, REF)
    # 1 - (1 + z)^-beta cancels when it is small: its rounding is relative to the gain.
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13 * gain)


@given(drop=st.floats(0.01, 3.0), eta=exponents, t_dom=st.floats(-3, 3), beta=exponents,
       ratio=st.floats(0.0, 1.0), multiple=multiples)  # fmt: skip
def test_anchored_power_is_anchored(
    drop: float, eta: float, t_dom: float, beta: float, ratio: float, multiple: float
) -> None:
    """Exactly no change at T = 0, none ever for pure replay, and -drop at the reference point."""
    theta = {"drop": drop, "eta": eta, "t_dom": t_dom, "beta": beta}
    assert DOMAIN.change(theta, 0.0, ratio, REF) == 0.0
    assert DOMAIN.change(theta, multiple * REF.tokens, 0.0, REF) == 0.0
    np.testing.assert_allclose(DOMAIN.change(theta, REF.tokens, REF.ratio, REF), -drop, rtol=1e-12)


def test_anchored_power_becomes_logarithmic_as_the_exponent_vanishes() -> None:
    theta = {"drop": 0.4, "eta": 0.5, "t_dom": -1.0, "beta": 1e-9}
    multiple = np.geomspace(0.01, 30, 9)
    want = -0.4 * np.log1p(multiple * np.e) / np.log1p(np.e)
    got = DOMAIN.change(theta, multiple * REF.tokens, REF.ratio, REF)
    np.testing.assert_allclose(got, want, rtol=1e-7)


# -- powers -------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(base=st.floats(0.0, 1e6), exponent=st.floats(1e-3, 5.0))
def test_power_is_the_power(base: float, exponent: float) -> None:
    np.testing.assert_allclose(power(base, exponent), base**exponent, rtol=1e-9)


def test_power_has_no_nan_gradient_at_zero() -> None:
    pytensor = pytest.importorskip("pytensor")
    import pytensor.tensor as pt

    base, exponent = pt.dscalars("base", "exponent")
    gradient = pytensor.function(
        [base, exponent],
        pytensor.grad(power(base, exponent, pt), [base, exponent]),
        mode="FAST_COMPILE",
    )
    assert [float(g) for g in gradient(0.0, 0.3)] == [0.0, 0.0]
    np.testing.assert_allclose(
        gradient(0.5, 0.3), [0.3 * 0.5**-0.7, 0.5**0.3 * np.log(0.5)], rtol=1e-12
    )
