"""A stacked posterior answers like one posterior, draws of its components in proportion."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import bayescmr as bc
from bayescmr.errors import ModelError, PosteriorFileError
from bayescmr.gu2024 import trajectories

TARGET = bc.Target(7e9, "finance", 30e9, 0.05)
WEIGHTS = {"turning_point": 0.7, "shift_gain": 0.3}


@pytest.fixture(scope="module")
def fits():
    """Draws of two priors: they need no sampler, and answer like posteriors."""
    runs = bc.RunTable.from_frame(trajectories(4))
    return {name: bc.prior_predictive(runs, name, seed=1, draws=1500) for name in WEIGHTS}


@pytest.fixture(scope="module")
def stacked(fits):
    return bc.StackedPosterior.of(fits, WEIGHTS, {"method": "by hand"})


def test_draws_are_those_of_the_components_in_proportion(fits, stacked):
    cmr = stacked.cmr(TARGET)
    for estimand in ("tolerance", "turning_point", "gu"):
        for predictive in (False, True):
            draws = cmr.predictive[estimand] if predictive else cmr.draws[estimand].ravel()
            assert len(draws) == 8000
            start = 0
            for name, share in WEIGHTS.items():
                count = round(8000 * share)
                part = fits[name].cmr(TARGET)
                own = part.predictive[estimand] if predictive else part.draws[estimand].ravel()
                kept = stacked.kept[name]
                assert len(kept) == count
                np.testing.assert_array_equal(draws[start : start + count], own[kept])
                # Evenly spaced: every draw of 6000 comes once, or not at all, if few are wanted.
                assert np.ptp(np.bincount(kept, minlength=6000)) <= 1
                start += count


def test_mass_in_any_interval_is_the_weighted_mass(fits, stacked):
    """Thinning to 5600 and 2400 of 6000 draws: within 4 standard errors of a share."""
    cmr = stacked.cmr(TARGET)
    lower, upper = cmr.interval(0.5, "turning_point")
    mass = 0.0
    for name, share in WEIGHTS.items():
        draws = fits[name].cmr(TARGET).draws["turning_point"]
        mass += share * ((draws >= lower) & (draws <= upper)).mean()
    assert mass == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(8000))


def test_the_whole_face_of_an_answer(stacked):
    cmr = stacked.cmr(TARGET)
    summary = cmr.summary("tolerance")
    assert 0 <= summary.lower <= summary.median <= summary.upper <= 1
    assert cmr.decide(0.1) <= cmr.decide(0.5)
    assert cmr.risk_at(cmr.decide(0.3)) <= 0.3
    assert cmr.extrapolation.size_factor > 1
    json.dumps(cmr.to_dict(0.1))
    assert cmr.plot() is not None
    with pytest.raises(bc.BayesCMRError, match="lam: got"):
        stacked.cmr(TARGET, lam=-1.0)
    assert stacked.cmr(TARGET, lam=3.0).median > 0


def test_prediction_mixes_too(fits, stacked):
    where = {"size": 1.6e9, "domain": "finance", "tokens": [1e9, 9e9], "ratio": 0.4}
    draws = stacked.changes("general", **where)
    assert draws.shape == (8000, 2)
    np.testing.assert_array_equal(
        draws[:5600],
        fits["turning_point"].changes("general", **where)[stacked.kept["turning_point"]],
    )
    table = stacked.predict("domain", **where, prob=0.5)
    assert (table["lower"] < table["median"]).all()
    assert (table["median"] < table["upper"]).all()


def test_the_verdict_is_the_worst_of_the_components(fits, stacked):
    assert stacked.verdict.max_rhat == max(f.verdict.max_rhat for f in fits.values())
    assert stacked.verdict.worst["rhat"].endswith(("(turning_point)", "(shift_gain)"))
    runs = bc.RunTable.from_frame(trajectories(4))
    few = {**fits, "shift_gain": bc.prior_predictive(runs, "shift_gain", seed=1, draws=20)}
    mixed = bc.StackedPosterior.of(few, WEIGHTS, {})
    assert not mixed.converged
    assert not mixed.cmr(TARGET).converged
    assert "(shift_gain)" in mixed.verdict.problems[0]
    # A component without weight has no say.
    assert bc.StackedPosterior.of(few, {"turning_point": 1.0, "shift_gain": 0.0}, {}).converged


def test_full_weight_is_the_component(fits):
    alone = bc.StackedPosterior.of(fits, {"turning_point": 1.0, "shift_gain": 0.0}, {})
    own = fits["turning_point"].cmr(TARGET)
    assert list(alone.components) == ["turning_point"]
    assert alone.provenance.settings["weights"] == {"turning_point": 1.0, "shift_gain": 0.0}
    assert alone.cmr(TARGET).interval(0.9) == pytest.approx(own.interval(0.9), abs=5e-3)


def test_round_trip(stacked, tmp_path):
    path = stacked.save(tmp_path / "stacked.nc")
    again = bc.load(path)
    assert again.weights == stacked.weights
    assert again.provenance == stacked.provenance
    assert again.provenance.settings["method"] == "by hand"
    assert again.kind == "prior"
    for name, draws in stacked.cmr(TARGET).draws.items():
        np.testing.assert_array_equal(again.cmr(TARGET).draws[name], draws)
    assert again.cmr(TARGET).decide(0.1) == stacked.cmr(TARGET).decide(0.1)


@pytest.mark.parametrize("weights", ['{"turning_point": 0.7}', "[]", '{"a": 0.7, "b": 0.2}'])
def test_damaged_weights(stacked, tmp_path, weights):
    path = stacked.save(tmp_path / "stacked.nc")
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load()
    tree.attrs = {**tree.attrs, "weights": weights}
    tree.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(PosteriorFileError, match="damaged"):
        bc.load(path)


def test_wrong_weights_and_tables(fits):
    with pytest.raises(ModelError, match="shares that sum to 1"):
        bc.StackedPosterior.of(fits, {"turning_point": 0.7, "shift_gain": 0.7}, {})
    other = bc.prior_predictive(bc.RunTable.from_frame(trajectories(3)), seed=1, draws=10)
    with pytest.raises(ModelError, match="different tables"):
        bc.StackedPosterior.of({**fits, "shift_gain": other}, WEIGHTS, {})
