"""Questions that make no sense are refused, with a hint."""

from __future__ import annotations

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
        ({"tolerance_unit": "percent"}, "expected nats or share"),
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


def test_unknown_estimand(prior):
    with pytest.raises(TargetError, match="estimand: got 'mean', expected one of tolerance"):
        prior.cmr(Target(1e9, "law", 10e9, 0.1)).summary("mean")
