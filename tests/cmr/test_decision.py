"""The decision against its definition, by brute force over ratios."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.cmr import Target
from bayescmr.cmr.discrepancy import last_ratio, way_to_one
from bayescmr.errors import TargetError
from bayescmr.model.scales import covariance


def _probability_within(posterior, target, grid):
    """P(rise(R') + u <= eps for all R' <= R), on a grid of R, straight from the definition."""
    block = posterior.general
    theta = {k: v[:, None] for k, v in block.theta(target.size, target.domain, "general").items()}
    rise = block.spec.law.change(theta, target.tokens, grid[None, :], block.hierarchy.reference)
    level, _ = block.run_effect(target.tokens)
    # Beyond 0.7, the last ratio probed, the effect grows to that of runs at R = 1.
    way = np.log((0.3 + 0.05) / (1.05 - grid)) / np.log((0.3 + 0.05) / 0.05)
    miss = level[:, None] * block.scales[:, [5]] ** np.clip(way, 0, 1)
    within = rise + miss <= target.tolerance
    return np.logical_and.accumulate(within, axis=1).mean(axis=0)


@pytest.mark.parametrize("risk", [0.02, 0.1, 0.5])
def test_decision_is_its_definition(prior, risk):
    target = Target(1e9, "law", 10e9, 0.1)
    ratio = prior.cmr(target).decide(risk)
    grid = np.linspace(0, 1, 4001)
    within = _probability_within(prior, target, grid)
    # To one draw: a curve that crosses twice between two points of the solver's grid is not seen.
    one = 1.5 / prior.general.n_draws
    assert within[grid < ratio - 3e-4].min(initial=1.0) >= 1 - risk - one
    assert within[grid > ratio + 3e-4].max(initial=0.0) < 1 - risk + one


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


def test_effect_grows_beyond_the_last_ratio_to_that_of_runs_without_replay(prior):
    frame = prior.frame
    assert last_ratio(frame, Target(1e9, "law", 10e9, 0.1)) == 0.7
    shifted = frame.assign(ratio=frame["ratio"].where(frame["domain"] != "law", 0.2))
    assert last_ratio(shifted, Target(1e9, "law", 10e9, 0.1)) == 0.2
    assert last_ratio(shifted, Target(1e9, "never probed", 10e9, 0.1)) == 0.7
    assert last_ratio(frame.assign(ratio=1.0), Target(1e9, "law", 10e9, 0.1)) == 0.0
    for last in (0.0, 0.5, 0.99):
        way = way_to_one(np.linspace(0, 1, 101), last)
        assert np.all(np.diff(way) >= 0) and way[-1] == pytest.approx(1)
        assert np.all(way[np.linspace(0, 1, 101) <= last] == 0)


def test_slope_of_a_new_run_is_that_of_its_drift_over_an_e_fold(prior):
    """Against the covariance of the drift at two points, from the likelihood's own formula."""
    block = prior.general
    reference = block.hierarchy.reference.tokens
    level, slope = block.run_effect(reference)
    scales = block.scales.copy()
    scales[:, 4] = 0.0
    at_two = np.array([covariance(s, np.array([-1.0, 0.0]), np.zeros(2)) for s in scales])
    # By draw, from the covariance of the run's values an e-fold ago and now.
    sd_level = np.sqrt(at_two[:, 1, 1])
    sd_slope = np.sqrt(at_two[:, 0, 0] + at_two[:, 1, 1] - 2 * at_two[:, 0, 1])
    n = len(level)
    for values, sd in ((level, sd_level), (slope, sd_slope)):
        assert np.mean((values / sd) ** 2) == pytest.approx(1, abs=4 * np.sqrt(2 / n))
    expected = np.mean((at_two[:, 1, 1] - at_two[:, 0, 1]) / (sd_level * sd_slope))
    product = level * slope / (sd_level * sd_slope)
    assert product.mean() == pytest.approx(expected, abs=4 * product.std() / np.sqrt(n))


def test_next_run_is_what_decides_and_is_less_certain_than_the_mean(prior):
    cmr = prior.cmr(Target(1e9, "law", 10e9, 0.1))
    for estimand in ("tolerance", "turning_point", "gu"):
        drawn = np.sort(cmr.next_run.draws[estimand].ravel())
        assert cmr.decide(0.1, estimand) == drawn[int(0.1 * len(drawn))]
        assert cmr.next_run.decide(0.1, estimand) == cmr.decide(0.1, estimand)
        narrow, wide = (c.summary(estimand) for c in (cmr, cmr.next_run))
        assert wide.lower <= narrow.lower + 0.02
    record = cmr.to_dict(risk=0.1)
    assert record["next_run"]["gu"]["lower"] == cmr.next_run.interval(estimand="gu")[0]


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
