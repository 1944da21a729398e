"""The verdict on posteriors known exactly, and on ones that are wrong on purpose.

theta ~ N(0, 1), five observations y ~ N(theta, 1): the posterior is
N(5 mean(y) / 6, 1/6). 200 simulations, 99 draws, two parameters. The error rate
of the verdict is 5 % by construction; the errors looked for are found with
probability > 0.999 (a bias of half a posterior sd; an sd 0.6 times too small).
"""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.checks.sbc_result import SBCResult
from bayescmr.checks.uniformity import rank

N = 200


def _study(shift=0.0, squeeze=1.0, seed=1, converged=lambda i: True, failed=()):
    rng = np.random.default_rng(seed)
    records = []
    for i in range(N):
        record = {"index": i, "largest_change": 1.0, "error": None, "seconds": 1.0}
        if i in failed:
            records.append(record | {"error": "SamplingError: no starting point"})
            continue
        theta = rng.standard_normal(2)
        mean = (theta + rng.standard_normal((5, 2))).sum(axis=0) / 6
        sd = np.sqrt(1 / 6)
        draws = mean + sd * (shift + squeeze * rng.standard_normal((99, 2)))
        records.append(
            record
            | {
                "converged": converged(i),
                "problems": [] if converged(i) else ["R-hat 1.02 of a, must be < 1.01"],
                "leapfrog_steps": 15.0,
                "attempts": {"general": 1},
                "ranks": [rank(draws[:, k], theta[k], rng) for k in range(2)],
            }
        )
    return SBCResult({"quantities": ["a", "b"], "ranked_draws": 99, "model": "toy"}, records)


def test_exact_posterior_passes():
    result = _study()
    assert result.outcome == "PASS"
    assert result.calibrated
    assert abs(result.uniformity[0].bias) < 0.1
    assert result.uniformity[0].spread == pytest.approx(1.0, abs=0.15)


def test_verdict_errs_as_rarely_as_it_says():
    """Of 60 calibrated studies at most 9 may fail: more has probability 2e-3 at a rate of 5 %."""
    assert sum(_study(seed=s).outcome != "PASS" for s in range(60)) <= 9


@pytest.mark.parametrize("wrong", [{"shift": 0.5}, {"shift": -0.5}, {"squeeze": 0.6}])
def test_wrong_posteriors_fail(wrong):
    result = _study(**wrong)
    assert result.outcome == "FAIL"
    assert len(result.not_uniform) == 2
    if "squeeze" in wrong:
        assert result.uniformity[0].spread > 1.1
    else:
        # A posterior that lies too high finds the truth among its lowest draws.
        assert np.sign(result.uniformity[0].bias) == -np.sign(wrong["shift"])


def test_too_wide_posteriors_fail():
    result = _study(squeeze=2.0)
    assert result.outcome == "FAIL"
    assert result.uniformity[0].spread < 0.8


def test_lost_simulations_are_counted_and_said():
    result = _study(failed=range(4), converged=lambda i: i >= 10)
    assert (len(result.failed), len(result.not_converged)) == (4, 6)
    assert "4 failed and 6 did not converge (5.0 %" in str(result)
    assert result.outcome == "PASS"
    assert result.ranks().shape == (196, 2)
    assert result.ranks(converged=True).shape == (190, 2)
    assert result.to_dict()["errors"][0]["error"] == "SamplingError: no starting point"
    assert result.reasons == {"R-hat": 6}


def test_many_lost_simulations_are_no_pass():
    result = _study(converged=lambda i: i >= 20)
    assert result.outcome == "REVIEW"
    assert not result.calibrated
    assert result.not_uniform == []


def test_a_wrong_posterior_cannot_hide_behind_its_convergence():
    """Half of the fits are wrong and all of these not converged: the study fails."""
    right, wrong = _study(), _study(shift=1.5, converged=lambda i: False)
    mixed = [(wrong if i % 2 else right).records[i] for i in range(N)]
    assert SBCResult(right.header, mixed).outcome == "FAIL"


def test_nothing_fitted_is_a_failure():
    assert _study(failed=range(N)).outcome == "FAIL"
