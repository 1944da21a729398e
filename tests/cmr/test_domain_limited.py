"""Best ratio for limited domain tokens, draw by draw, against a scalar minimiser."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import bayescmr as bc
from bayescmr.errors import TargetError

QUESTION = {"size": 1e9, "domain": "law", "domain_tokens": 3e9}


@pytest.fixture(scope="module")
def runs():
    rows = [
        {"run": f"{r}", "size": 1e9, "domain": "law", "ratio": r, "tokens": t,
         "change_general": 0.0, "change_domain": 0.0}
        for r in (0.1, 0.4, 0.8) for t in (1e9, 4e9, 16e9)
    ]  # fmt: skip
    return bc.RunTable.from_frame(pd.DataFrame(rows))


@pytest.fixture(scope="module", params=["dcpt", "turning_point"])
def prior(request, runs):
    return bc.prior_predictive(runs, request.param, seed=2, draws=100)


def losses(prior, draw, ratios):
    block = prior.domain_block()
    theta = {k: v[draw] for k, v in block.theta(1e9, "law", "domain").items()}
    tokens = QUESTION["domain_tokens"] / ratios
    return block.spec.law.change(theta, tokens, ratios, block.hierarchy.reference)


def test_no_ratio_is_better(prior):
    found = bc.best_ratio(prior, **QUESTION, ratios=(0.2, 1.0))
    assert found.draws.shape == (4, 100)
    grid = np.linspace(0.2, 1.0, 2001)
    for draw, ratio in enumerate(found.draws.ravel()):
        curve = losses(prior, draw, grid)
        best = losses(prior, draw, np.array([ratio]))[0]
        assert best <= curve.min() + 1e-12 * np.abs(curve).max()


def test_inner_optima_are_those_of_a_scalar_minimiser(runs):
    """A law with inner optima in many draws: the D-CPT law at few domain tokens."""
    prior = bc.prior_predictive(runs, "dcpt", seed=3, draws=100)
    found = bc.best_ratio(prior, **{**QUESTION, "domain_tokens": 0.5e9}, ratios=(0.2, 1.0))
    block = prior.domain_block()
    theta = block.theta(1e9, "law", "domain")
    inside = np.flatnonzero((found.draws.ravel() > 0.2) & (found.draws.ravel() < 1.0))
    assert len(inside) > 40
    for draw in inside:
        one = {k: v[draw] for k, v in theta.items()}

        def loss(ratio, one=one):
            tokens = 0.5e9 / ratio
            return float(block.spec.law.change(one, tokens, ratio, block.hierarchy.reference))

        best = minimize_scalar(loss, bounds=(0.2, 1.0), method="bounded", options={"xatol": 1e-10})
        # Minimising a smooth function leaves the square root of the rounding.
        assert found.draws.ravel()[draw] == pytest.approx(best.x, abs=1e-5)


def test_ends_are_atoms(prior):
    found = bc.best_ratio(prior, **QUESTION, ratios=(0.2, 0.7))
    ends = (found.draws == 0.2) | (found.draws == 0.7)
    assert found.p_lowest + found.p_highest == pytest.approx(ends.mean())
    assert ends.mean() > 0.5
    summary = found.summary(0.8)
    assert (summary["lower"], summary["upper"]) == found.interval(0.8)
    assert (summary["prob"], summary["kind"]) == (0.8, "eti")
    assert 0.2 <= summary["lower"] <= summary["median"] <= summary["upper"] <= 0.7


def test_power_law_of_the_domain_loss_has_its_optimum_at_an_end(runs):
    """R^eta D / R: eta > 1 asks for all domain data, eta < 1 for the longest run."""
    prior = bc.prior_predictive(runs, seed=2, draws=100)
    eta = prior.domain_block().theta(1e9, "law", "domain")["eta"]
    found = bc.best_ratio(prior, **QUESTION, ratios=(0.3, 0.9)).draws.ravel()
    np.testing.assert_array_equal(found, np.where(eta > 1, 0.9, 0.3))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"domain_tokens": 5.0}, "domain_tokens: got 5.0, which looks like billions"),
        ({"domain_tokens": -1e9}, "domain_tokens: got -1000000000.0, expected a count > 0"),
        ({"ratios": (0.0, 1.0)}, "ratios: got .*, expected a range of domain shares"),
        ({"ratios": (0.8, 0.3)}, "ratios: got"),
        ({"ratios": (0.8, 1.2)}, "ratios: got"),
    ],
)
def test_wrong_question(prior, change, text):
    with pytest.raises(TargetError, match=text):
        bc.best_ratio(prior, **{**QUESTION, **change})


def test_needs_a_domain_loss(prior):
    frame = prior.frame[prior.frame["role"] == "general"]
    general = bc.prior_predictive(bc.RunTable.from_frame(frame), seed=1, draws=10)
    with pytest.raises(TargetError, match="domain loss: none in this posterior"):
        bc.best_ratio(general, **QUESTION)
