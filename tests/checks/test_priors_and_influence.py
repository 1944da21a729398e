"""Prior alternatives and single runs, on fits: what was broken on purpose is found."""

from __future__ import annotations

import numpy as np
import pytest

import bayescmr as bc
from bayescmr.checks.influence import weighted_decision, weighted_quantiles
from bayescmr.checks.sensitivity import NEW_RUN, THRESHOLD
from bayescmr.errors import ModelError
from bayescmr.model.settings import Effort
from bayescmr.model.spec import parse_model

EFFORT = Effort(500, 400)


def _moved(name, prior):
    """The default model with another prior of one parameter."""
    spec = bc.load_model("turning_point")
    head, tail = spec.text.split(f"    {name}:\n      prior: ", 1)
    text = f"{head}    {name}:\n      prior: {prior}\n{tail.split(chr(10), 1)[1]}"
    return parse_model(text, f"turning_point with {name} moved")


def test_equal_weights_are_no_weights():
    rng = np.random.default_rng(1)
    draws = np.clip(rng.normal(0.5, 0.4, 1000), 0, 1)
    probs = np.array([0.05, 0.5, 0.95])
    weights = np.full(1000, 1e-3)
    np.testing.assert_allclose(
        weighted_quantiles(draws, weights, probs), np.quantile(draws, probs), rtol=1e-9
    )
    for risk in (0.001, 0.1, 0.25, 0.9):
        expected = np.sort(draws)[int(np.floor(risk * 1000 + 1e-9))]
        assert weighted_decision(draws, weights, risk) == expected


def test_weights_count_like_repeated_draws():
    draws, counts = np.array([0.3, 0.1, 0.2, 0.9]), np.array([2, 1, 3, 4])
    repeated = np.sort(np.repeat(draws, counts))
    for risk in (0.05, 0.15, 0.35, 0.45, 0.75):
        assert weighted_decision(draws, counts / 10, risk) == repeated[int(risk * 10)]


@pytest.mark.slow
def test_silent_where_the_runs_are_strong(make_runs, quick):
    """Twelve runs simulated from the prior itself, so that there is no conflict by construction."""
    ratios = np.linspace(0.05, 0.95, 12).round(3)
    prior = bc.prior_predictive(make_runs(ratios=ratios), seed=1, draws=250)
    for draw in range(1000):
        frame = bc.simulate_runs(prior, draw=draw, seed=1)
        noise = np.sqrt((prior.general.scales[draw, [0, 2, 4]] ** 2).sum())
        if 20 * noise < frame["change"].std() < 0.3:
            break
    fit = bc.fit(bc.RunTable.from_frame(frame), seed=1, **quick)
    # A tolerance that half of the runs exceed at the end: the CMR lies among the ratios.
    last = frame[frame["tokens"] == frame["tokens"].max()]
    target = bc.Target(1e9, "law", 16e9, max(0.0, float(last["change"].median())))
    assert fit.cmr(target).verdict.max_rhat < 1.01
    found = bc.sensitivity(fit, target)
    assert list(found.table.index) == ["tolerance", "turning_point", "gu", NEW_RUN]
    row = found.table.loc["tolerance"]
    assert row["prior"] < max(THRESHOLD, 2 * row["prior_error"]), row
    assert row["likelihood"] > max(THRESHOLD, 2 * row["likelihood_error"]), row


@pytest.mark.slow
def test_conflict_made_on_purpose(make_runs, target, quick):
    """A prior that wants rises a hundred times smaller than the runs show, and is sure of it."""
    wrong = _moved("a", "{lognormal: [0.0001, 0.2]}")
    found = bc.sensitivity(bc.fit(make_runs(), seed=1, model=wrong, **quick), target)
    assert (found.table["prior"] > THRESHOLD).any(), found.table
    assert not found.passed
    assert found.table["diagnosis"].str.contains("conflict").any()


@pytest.mark.slow
def test_prior_alternatives(fit, target):
    wide = bc.widen_priors(fit.model, 2.0)
    table = bc.prior_alternatives(fit, target, [wide], effort=EFFORT).table
    assert list(table.index) == ["turning_point", "turning_point, law x 2"]
    assert table["median_shift"].iloc[0] == 0
    assert table["median"].iloc[0] == fit.cmr(target).median
    # Strong runs: the answer moves by a fraction of its interval.
    width = table["upper"].iloc[0] - table["lower"].iloc[0]
    assert abs(table["median_shift"].iloc[1]) < width / 2
    with pytest.raises(ModelError, match="has the law shift_gain, expected turning_point"):
        bc.prior_alternatives(fit, target, ["shift_gain"])


def test_widening():
    spec = bc.load_model("turning_point")
    wide = bc.widen_priors(spec, 3.0, ["mu", "residual"])
    for old, new in zip(
        spec.blocks["general"].parameters, wide.blocks["general"].parameters, strict=True
    ):
        factor = 3.0 if old.name == "mu" else 1.0
        assert new.prior.scale == pytest.approx(factor * old.prior.scale)
        assert new.size_slope == pytest.approx(factor * old.size_slope)
        assert (new.prior.centre, new.effects) == (old.prior.centre, old.effects)
    noise = spec.blocks["general"].noise, wide.blocks["general"].noise
    assert noise[1]["residual"].scale == pytest.approx(3 * noise[0]["residual"].scale)
    assert noise[1]["run_offset"] == noise[0]["run_offset"]
    assert parse_model(wide.text, "again") == wide
    with pytest.raises(ModelError, match="names: got 'zeta'"):
        bc.widen_priors(spec, 2.0, ["zeta"])
    with pytest.raises(ModelError, match="factor: got 0"):
        bc.widen_priors(spec, 0)


@pytest.mark.slow
def test_a_planted_outlier_comes_first(make_runs, target, quick):
    """Run r0.4 lies 0.01 nats, twenty times the noise, above its curve, near the CMR."""
    fit = bc.fit(make_runs(0.01), seed=1, **quick)
    found = bc.influence(fit, target, risk=0.1, effort=EFFORT)
    table = found.table
    assert table["run"].iloc[0] == "r0.4", table
    # It pushed the CMR down: without it the answer is higher.
    assert table["median_shift"].iloc[0] > 0
    assert found.median == fit.cmr(target).median
    assert found.decision == fit.cmr(target).decide(0.1)
    moved = table[["median_shift", "decision_shift"]].abs().max(axis=1)
    assert moved.is_monotonic_decreasing
    assert table["risk_at_decision"].between(0, 1).all()
