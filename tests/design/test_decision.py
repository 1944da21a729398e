"""Closed forms of the value of information against simulation and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bayescmr.design import decision
from bayescmr.design.precision import regret
from bayescmr.errors import DesignError


@given(
    hnp.arrays(float, st.integers(2, 40), elements=st.floats(0, 1, width=32)),
    st.floats(0.02, 0.98),
)
def test_quantile_at_the_risk_is_the_best_ratio(draws, risk):
    least = min(decision.expected_loss(draws, r, risk) for r in draws)
    ratio = float(np.quantile(draws, risk, method="inverted_cdf"))
    assert decision.expected_loss(draws, ratio, risk) == pytest.approx(least, abs=1e-12)


def test_regret_of_draws_is_the_closed_form():
    """Of 200,001 quantiles of a normal law: phi(z) sd / risk."""
    draws = 0.5 + 0.05 * decision.ndtri((np.arange(200_001) + 0.5) / 200_001)
    for risk in (0.05, 0.1, 0.4):
        found = regret(draws, risk, 1000.0).value
        assert found == pytest.approx(decision.evpi(0.05**2, risk), rel=1e-4)
        best = decision.expected_loss(draws, float(np.quantile(draws, risk)), risk)
        assert found == pytest.approx(best, rel=1e-9)


def test_the_next_runs_own_effect_makes_the_decision_more_careful(make):
    theta = make.standard(4000, 2)
    cmr = 0.5 + 0.05 * theta[:, 0]
    next_run = cmr + 0.05 * theta[:, 1]
    for risk in (0.02, 0.1, 0.3):
        assert np.quantile(next_run, risk) < np.quantile(cmr, risk)


@pytest.mark.parametrize("risk", [0.05, 0.1, 0.4])
def test_evsi_is_the_drop_of_regret(risk):
    """Simulated: CMR ~ N(.5, .04^2), its own run effect .02, a measurement that takes away half.

    200,000 pairs of measurement and CMR; the sd of a pinball loss is below 2 of its means, so
    the mean's relative error is below 0.5 %, and that of the difference below 2 %.
    """
    rng = np.random.default_rng(4)
    n, v, stays, reduction = 200_000, 0.04**2, 0.02**2, 0.02**2 * 2
    known = 0.5 + np.sqrt(reduction) * rng.normal(size=n)
    rest = np.sqrt(v - reduction + stays) * rng.normal(size=n)
    draws = known + rest
    z = decision.ndtri(risk)
    after = np.mean(
        [
            decision.expected_loss(rest, z * np.sqrt(v - reduction + stays), risk),
            decision.expected_loss(-rest, z * np.sqrt(v - reduction + stays), risk),
        ]
    )
    simulated = regret(draws, risk, n).value - after
    value = float(decision.evsi(reduction, v, risk, stays))
    assert value == pytest.approx(simulated, rel=0.02)
    assert 0 < value < decision.evpi(v, risk, stays) < decision.evpi(v, risk)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 2), st.floats(0.01, 0.99))
def test_evsi_grows_with_what_is_learnt_and_is_bounded(part, more, stays, risk):
    small, large = sorted((part, more))
    low, high = (float(decision.evsi(share, 1.0, risk, stays)) for share in (small, large))
    assert 0 <= low <= high <= decision.evpi(1.0, risk, stays)


def test_knowledge_gradient_is_its_definition():
    """Against a sum over 400,001 quantiles of the signal."""
    rng = np.random.default_rng(0)
    signal = decision.ndtri((np.arange(400_001) + 0.5) / 400_001)
    for n in (1, 2, 3, 8):
        for _ in range(5):
            a, b = rng.normal(size=n), rng.normal(size=n)
            direct = np.max(a[:, None] + b[:, None] * signal, axis=0).mean() - a.max()
            assert decision.knowledge_gradient(a, b) == pytest.approx(direct, abs=2e-5)


def test_knowledge_gradient_at_ties():
    a = np.array([1.0, 2.0, 2.0, 0.0])
    assert decision.knowledge_gradient(a, np.zeros(4)) == 0.0
    assert decision.knowledge_gradient(a, np.full(4, 3.0)) == 0.0
    # Two lines crossing at 0: E|Z| / 2 x difference of slopes / 2.
    two = decision.knowledge_gradient(np.zeros(3), np.array([-1.0, 1.0, 0.0]))
    assert two == pytest.approx(np.sqrt(2 / np.pi), rel=1e-12)


def test_irreducible_is_what_the_run_effect_adds(make):
    theta = make.standard(1000, 2)
    outlook = make.outlook([make.trajectory(theta[:, :1])], 0.5 + 0.04 * theta[:, 0])
    assert decision.irreducible(outlook) == 0.0
    object.__setattr__(outlook, "next_run", outlook.cmr + 0.03 * theta[:, 1])
    assert decision.irreducible(outlook) == pytest.approx(0.03**2)


@pytest.mark.parametrize("risk", [0.0, 1.0, float("nan"), -0.1])
def test_risk_is_checked(risk):
    with pytest.raises(DesignError, match="risk"):
        decision.evpi(1.0, risk)
