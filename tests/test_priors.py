"""A prior as data: round trips, intervals against scipy, errors that name where they stood."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import ModelError
from bayescmr.priors import Prior

scales = st.floats(0.01, 5.0)
priors = st.one_of(
    st.builds(Prior, st.just("normal"), st.floats(-1e6, 1e6), scales),
    st.builds(Prior, st.just("lognormal"), st.floats(1e-9, 1e9), scales),
    st.builds(Prior, st.just("logitnormal"), st.floats(1e-6, 1 - 1e-6), scales),
)


@given(priors)
def test_round_trip_through_yaml_and_json(prior: Prior) -> None:
    assert Prior.from_dict(prior.to_dict(), "here") == prior
    assert Prior.from_dict(yaml.safe_load(yaml.safe_dump(prior.to_dict())), "here") == prior
    assert Prior.from_dict(json.loads(json.dumps(prior.to_dict())), "here") == prior


def test_whole_numbers_become_floats() -> None:
    prior = Prior.from_dict({"normal": [0, 1]}, "here")
    assert prior == Prior("normal", 0.0, 1.0)
    assert type(prior.centre) is float


@pytest.mark.parametrize(
    ("prior", "support", "mean", "text"),
    [
        (Prior("normal", -2.0, 0.5), "real", -2.0, "Normal(-2, 0.5)"),
        (Prior("lognormal", 0.02, 1.5), "positive", math.log(0.02), "LogNormal(0.02, 1.5)"),
        (Prior("logitnormal", 0.2, 1.0), "unit", math.log(0.25), "LogitNormal(0.2, 1)"),
    ],
    ids=lambda value: value.family if isinstance(value, Prior) else None,
)
def test_families(prior: Prior, support: str, mean: float, text: str) -> None:
    assert prior.support == support
    assert prior.mean == pytest.approx(mean, rel=1e-12)
    assert str(prior) == text


@given(priors, st.floats(0.01, 0.999))
def test_interval_is_scipys(prior: Prior, prob: float) -> None:
    low, high = prior.interval(prob)
    if prior.family == "lognormal":
        want = scipy.stats.lognorm(s=prior.scale, scale=prior.centre).interval(prob)
    else:
        mean = prior.centre
        if prior.family == "logitnormal":
            mean = math.log(prior.centre / (1 - prior.centre))
        want = scipy.stats.norm(mean, prior.scale).interval(prob)
        if prior.family == "logitnormal":
            want = tuple(1 / (1 + math.exp(-v)) for v in want)
    np.testing.assert_allclose((low, high), want, rtol=1e-9, atol=1e-12)
    assert low < high


@given(priors)
def test_interval_lies_in_the_support_and_shrinks_to_the_centre(prior: Prior) -> None:
    low, high = prior.interval(0.95)
    bound = {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "unit": (0.0, 1.0)}
    least, most = bound[prior.support]
    assert least < low < prior.centre < high < most
    np.testing.assert_allclose(prior.interval(1e-12), [prior.centre] * 2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "data",
    [
        None,
        3,
        "normal(0, 1)",
        [0, 1],
        {},
        {"normal": [0, 1], "lognormal": [1, 1]},
        {"normal": 1},
        {"normal": [0]},
        {"normal": [0, 1, 2]},
        {"normal": (0, 1)},
        {"normal": ["0", 1]},
        {"normal": [0, True]},
        {"normal": [None, 1]},
        {"normal": {"centre": 0, "scale": 1}},
    ],
    ids=repr,
)
def test_ill_formed_data_is_named(data: object) -> None:
    with pytest.raises(ModelError) as caught:
        Prior.from_dict(data, "my.yaml: general.parameters.a.prior")
    message = str(caught.value)
    assert message.startswith("my.yaml: general.parameters.a.prior: got ")
    assert repr(data) in message
    assert "expected {family: [centre, scale]}" in message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"gamma": [1, 1]}, "expected one of normal, lognormal, logitnormal"),
        ({1: [0, 1]}, "expected one of normal, lognormal, logitnormal"),
        ({"normal": [0, 0]}, "a scale > 0"),
        ({"normal": [0, -1]}, "a scale > 0"),
        ({"normal": [0, math.inf]}, "a finite centre and a scale > 0"),
        ({"normal": [math.nan, 1]}, "a finite centre and a scale > 0"),
        ({"lognormal": [0, 1]}, "a centre > 0 for lognormal"),
        ({"lognormal": [-1, 1]}, "a centre > 0 for lognormal"),
        ({"logitnormal": [0, 1]}, r"a centre in (0, 1) for logitnormal"),
        ({"logitnormal": [1, 1]}, r"a centre in (0, 1) for logitnormal"),
    ],
    ids=repr,
)
def test_impossible_numbers_are_named(data: object, expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        Prior.from_dict(data, "my.yaml: noise.residual.prior")
    assert str(caught.value).startswith("my.yaml: noise.residual.prior: ")
    assert expected in str(caught.value)
