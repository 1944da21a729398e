"""Questions that make no sense are refused, with a hint."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bayescmr.cmr import Target
from bayescmr.errors import TargetError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 3.1}, "looks like billions: write 3.1e9"),
        ({"size": -1}, "size: got -1, expected a count > 0"),
        ({"size": float("nan")}, "size: got nan"),
        ({"size": "7B"}, "size: got '7B'"),
        ({"tokens": 20}, "tokens: got 20, which looks like billions"),
        ({"tokens": 0}, "tokens: got 0"),
        ({"domain": " "}, "domain: got ' '"),
        ({"tolerance": -0.1}, "tolerance: got -0.1"),
        ({"tolerance": float("inf")}, "tolerance: got inf"),
        ({"tolerance": {}}, "tolerance: got {}"),
        ({"tolerance": True}, "tolerance: got True"),
        ({"tolerance": float("nan")}, "tolerance: got nan"),
        ({"tolerance": "0.05"}, "tolerance: got '0.05'"),
        ({"tolerance": [0.05]}, "tolerance: got [0.05]"),
        ({"tolerance": {"web": -1}}, "tolerance: got {'web': -1}"),
        ({"tolerance": {3: 0.05}}, "tolerance: got {3: 0.05}"),
        ({"tolerance": 3, "tolerance_unit": "share"}, "write 0.03 for 3 %"),
        ({"tolerance_unit": "percent"}, "expected nats or share"),
        ({"size": 10**400}, "expected a count > 0"),
        ({"size": None}, "size: got None"),
        ({"tokens": [20e9]}, "tokens: got [20000000000.0]"),
        ({"tokens": True}, "tokens: got True"),
        ({"domain": None}, "domain: got None, expected a name"),
        ({"domain": 3}, "domain: got 3, expected a name"),
        ({"base": -2.5}, "base: got -2.5, expected losses > 0 in nats/token"),
        ({"base": 0}, "base: got 0"),
        ({"base": float("nan")}, "base: got nan"),
        ({"base": float("inf")}, "base: got inf"),
        ({"base": True}, "base: got True"),
        ({"base": "2.5"}, "base: got '2.5'"),
        ({"base": {}}, "base: got {}"),
        ({"base": {"web": 2.5, "code": -1.0}}, "base: got {'web': 2.5, 'code': -1.0}"),
        ({"base": {None: 2.5}}, "base: got {None: 2.5}"),
    ],
)
def test_bad_targets(arguments, message):
    good = {"size": 3.1e9, "domain": "finance", "tokens": 20e9, "tolerance": 0.05}
    with pytest.raises(TargetError) as error:
        Target(**{**good, **arguments})
    assert message in str(error.value)


def test_unknown_set_in_the_tolerance(prior):
    with pytest.raises(TargetError, match="got the set 'codes', expected some of general"):
        prior.cmr(Target(1e9, "law", 10e9, {"codes": 0.1}))


def test_unknown_set_in_the_base_loss(prior):
    target = Target(1e9, "law", 10e9, 0.03, "share", base={"generl": 2.5})
    with pytest.raises(TargetError, match="base: got the set 'generl', expected some of general"):
        prior.cmr(target)


def test_numbers_of_numpy_are_numbers(prior):
    asked = Target(np.int64(10**9), "law", np.float32(8e9), {"general": np.float64(0.05)})
    answer = prior.cmr(asked).to_dict(0.1)
    assert json.loads(json.dumps(answer["target"])) == {
        "size": 1e9,
        "domain": "law",
        "tokens": 8e9,
        "tolerance": {"general": 0.05},
        "tolerance_unit": "nats",
    }


@pytest.mark.parametrize("value", ["0.1", None, [0.1], True])
def test_other_questions_of_the_wrong_type(prior, value):
    target = Target(1e9, "law", 10e9, 0.1)
    cmr = prior.cmr(target)
    for name, ask in (
        ("risk", cmr.decide),
        ("prob", cmr.interval),
        ("ratio", cmr.risk_at),
        ("lam", lambda value: prior.cmr(target, lam=value)),
    ):
        with pytest.raises(TargetError, match=f"{name}: got "):
            ask(value)


def test_unknown_estimand(prior):
    with pytest.raises(TargetError, match="estimand: got 'mean', expected one of tolerance"):
        prior.cmr(Target(1e9, "law", 10e9, 0.1)).summary("mean")
