"""The decision against its definition, by brute force over ratios."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.cmr import Target
from bayescmr.errors import TargetError


def _probability_within(posterior, target, grid):
    """P(rise(R') + u <= eps for all R' <= R), on a grid of R, straight from the definition."""
    block = posterior.general
    theta = {k: v[:, None] for k, v in block.theta(target.size, target.domain, "general").items()}
    rise = block.spec.law.change(theta, target.tokens, grid[None, :], block.hierarchy.reference)
    level, _ = block.run_effect(target.tokens)
    within = rise + level[:, None] <= target.tolerance
    return np.logical_and.accumulate(within, axis=1).mean(axis=0)


@pytest.mark.parametrize("risk", [0.02, 0.1, 0.5])
def test_decision_is_its_definition(prior, risk):
    target = Target(1e9, "law", 10e9, 0.1)
    ratio = prior.cmr(target).decide(risk)
    grid = np.linspace(0, 1, 4001)
    within = _probability_within(prior, target, grid)
    allowed = grid[within >= 1 - risk]
    expected = allowed.max() if len(allowed) else 0.0
    assert ratio == pytest.approx(expected, abs=5e-4)


def test_decision_grows_with_risk_and_lies_below_the_median(prior):
    cmr = prior.cmr(Target(1e9, "law", 10e9, 0.1))
    ratios = [cmr.decide(risk) for risk in (0.01, 0.05, 0.2, 0.5, 0.9)]
    assert ratios == sorted(ratios)
    assert cmr.decide(0.05) < cmr.median


def test_risk_at_inverts_decide(prior):
    cmr = prior.cmr(Target(1e9, "law", 10e9, 0.1))
    for risk in (0.15, 0.3, 0.6):
        ratio = cmr.decide(risk)
        if 0 < ratio < 1:
            assert cmr.risk_at(ratio) <= risk
            assert cmr.risk_at(ratio) == pytest.approx(risk, abs=2e-3)


def test_run_effects_make_the_decision_more_careful(prior):
    """Without the effect of the new run the risk is understated."""
    cmr = prior.cmr(Target(1e9, "law", 10e9, 0.1))
    assert cmr.decide(0.1) <= np.quantile(cmr.draws["tolerance"], 0.1) + 1e-9


@pytest.mark.parametrize("risk", [0, 1, -0.1, 2, float("nan")])
def test_bad_risk(prior, risk):
    with pytest.raises(TargetError, match=r"risk: got .* expected a probability in \(0, 1\)"):
        prior.cmr(Target(1e9, "law", 10e9, 0.1)).decide(risk)


def test_to_dict_is_the_documented_format(prior):
    import json

    record = prior.cmr(Target(3e9, "law", 100e9, 0.1)).to_dict(risk=0.1)
    again = json.loads(json.dumps(record))
    assert set(again) >= {"converged", "target", "estimands", "decision", "extrapolation"}
    assert set(again["estimands"]) == {"tolerance", "turning_point", "gu"}
    for estimand in again["estimands"].values():
        assert set(estimand) == {"median", "lower", "upper", "prob", "kind", "p_none", "p_all"}
    assert again["decision"]["risk"] == 0.1
    assert again["extrapolation"]["size_factor"] == pytest.approx(3)
    assert again["extrapolation"]["tokens_factor"] == pytest.approx(6.25)
    assert not again["extrapolation"]["inside"]
