"""What the sliders show is what the API says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bayescmr as bc
from bayescmr.report.asked import Asked
from bayescmr.report.explorer import explorer

RISK = 0.4


def _at(data, posterior, target, i, j):
    """Summary and CMR at a position of the sliders."""
    tolerances = [float(t.split()[0]) for t in data["tolerances"]]
    return posterior.cmr(replace(target, tolerance=tolerances[i], tokens=data["tokens"][j]))


def test_positions_agree_with_the_api(data, saved, target):
    found = data.explorer.to_dict()
    posterior = bc.load(saved)
    rng = np.random.default_rng(1)
    for _ in range(12):
        i, j = rng.integers(len(found["tolerances"])), rng.integers(len(found["tokens"]))
        cmr = _at(found, posterior, target, i, j)
        summary = cmr.summary("tolerance")
        for name in ("median", "lower", "upper", "p_none", "p_all"):
            assert found[name][i][j] == pytest.approx(getattr(summary, name), abs=0.6e-5)
        for k, risk in enumerate(found["risks"]):
            safe = cmr.decide(risk)
            assert 0 <= safe - found["safe"][i][j][k] + 1e-12 < 1.1e-5


def test_it_starts_at_the_question(data, target):
    found = data.explorer.to_dict()
    t, e, r = found["at"]
    assert found["tokens"][t] == target.tokens
    assert found["tolerances"][e] == "0.05 nats/token"
    assert found["risks"][r] == RISK
    numbers = {n.name: n.value for n in data.numbers}
    assert found["median"][e][t] == pytest.approx(numbers["answer_median"], abs=0.6e-5)


def test_rises_are_those_of_predict(data, saved, target):
    found = data.explorer.to_dict()
    table = bc.load(saved).predict(
        "general",
        size=target.size,
        domain=target.domain,
        tokens=found["tokens"][3],
        ratio=found["ratios"],
    )
    for k, name in enumerate(("median", "lower", "upper")):
        np.testing.assert_allclose(found["rise"][3][k], table[name], atol=0.6e-5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (bc.Target(9e8, "finance", 3e9, {"general": 0.02}), "1 times those asked"),
        (bc.Target(9e8, "finance", 3e9, 0.03, "share", base=2.5), "3 % of its base"),
        (bc.Target(9e8, "finance", 3e9, 0.0), "0 nats/token"),
    ],
)
def test_other_tolerances(prior, target, words):
    found = explorer(Asked(prior, target, RISK, "tolerance", 0.9, "posterior.nc"))
    t, e, r = found.at
    assert found.tolerances[e] == words
    cmr = prior.cmr(target)
    assert found.median[e, t] == cmr.median and found.safe[e, t, r] == cmr.decide(RISK)
    if target.tolerance_unit == "share":
        assert found.allowed[e] == pytest.approx(0.075)
