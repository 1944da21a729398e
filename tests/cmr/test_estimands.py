"""What each CMR is, and what it is not."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.cmr import ESTIMANDS, Target
from bayescmr.cmr.crossing import first_crossing
from bayescmr.errors import TargetError


def test_gu_is_the_smaller_of_the_two_draw_by_draw(prior):
    draws = prior.cmr(Target(1e9, "law", 10e9, 0.02)).draws
    np.testing.assert_array_equal(
        draws["gu"], np.minimum(draws["tolerance"], draws["turning_point"])
    )


def test_median_of_the_draws_is_not_the_cmr_of_the_median_curve(prior):
    """The contract: CMRs of draws are summarised; that of an averaged curve is another number."""
    target = Target(1e9, "law", 10e9, 0.05)
    cmr = prior.cmr(target)
    theta = prior.general.theta(1e9, "law", "general")
    law, ref = prior.general.spec.law, prior.general.hierarchy.reference
    per_draw = first_crossing(lambda t, r: law.change(t, 10e9, r, ref) - 0.05, theta)
    np.testing.assert_array_equal(np.sort(cmr.draws["tolerance"].ravel()), np.sort(per_draw))
    assert cmr.median == np.median(per_draw)
    grid = np.linspace(0, 1, 2001)
    mean_curve = prior.general.change(1e9, "law", "general", 10e9, grid).mean(axis=0)
    of_mean_curve = grid[np.argmax(mean_curve > 0.05)]
    assert abs(of_mean_curve - per_draw.mean()) > 0.02


def test_atoms_are_reported_and_not_averaged(prior):
    nothing = prior.cmr(Target(1e9, "law", 10e9, 0.0))
    summary = nothing.summary("tolerance")
    assert summary.p_none == (nothing.draws["tolerance"] == 0).mean() > 0.05
    everything = prior.cmr(Target(1e9, "law", 10e9, 90.0)).summary("tolerance")
    assert (everything.p_all, everything.median, everything.lower) == (1.0, 1.0, 1.0)


def test_smallest_over_the_sets_draw_by_draw(prior_three_sets):
    cmr = prior_three_sets.cmr(Target(1e9, "law", 10e9, 0.05))
    assert cmr.eval_sets == ("code", "maths", "web")
    for name in ESTIMANDS:
        single = [
            prior_three_sets.cmr(Target(1e9, "law", 10e9, {s: 0.05})).draws[name]
            for s in cmr.eval_sets
        ]
        np.testing.assert_array_equal(cmr.draws[name], np.min(single, axis=0))
    binding = cmr.binding("tolerance")
    assert sum(binding.values()) == pytest.approx(1)
    assert min(binding.values()) > 0.1  # exchangeable sets bind equally often


def test_a_loose_set_never_binds(prior_three_sets):
    target = Target(1e9, "law", 10e9, {"web": 0.001, "maths": 99.0, "code": 99.0})
    cmr = prior_three_sets.cmr(target)
    infeasible = cmr.draws["tolerance"] < 1
    assert infeasible.any()
    alone = prior_three_sets.cmr(Target(1e9, "law", 10e9, {"web": 0.001}))
    np.testing.assert_array_equal(cmr.draws["tolerance"], alone.draws["tolerance"])
    assert cmr.binding("tolerance")["web"] > 0.99 * infeasible.mean()


def test_one_set_by_name_is_exactly_the_single_set_answer(prior):
    by_number = prior.cmr(Target(1e9, "law", 10e9, 0.05))
    by_name = prior.cmr(Target(1e9, "law", 10e9, {"general": 0.05}))
    for name in ESTIMANDS:
        np.testing.assert_array_equal(by_number.draws[name], by_name.draws[name])
        assert by_number.binding(name) == {"general": 1.0}


def test_new_groups_are_wider_and_smooth_in_size(prior):
    widths = []
    for size in (1e9, 1.0001e9, 1.3e9, 4e9, 30e9):
        draws = prior.cmr(Target(size, "law", 10e9, 0.05)).draws["turning_point"]
        widths.append(draws.mean())
    assert abs(widths[1] - widths[0]) < 0.02
    assert prior.cmr(Target(1e9, "never seen", 10e9, 0.05)).extrapolation.domain_probed is False


def test_share_of_base(make_table):
    import pandas as pd

    import bayescmr as bc

    frame = pd.DataFrame(
        {
            "run": ["a", "a", "b", "b"],
            "size": 1e9,
            "domain": "law",
            "ratio": [0.2, 0.2, 0.6, 0.6],
            "tokens": [1e9, 8e9] * 2,
            "loss_general": [2.01, 2.02, 2.05, 2.06],
            "base_loss_general": 2.0,
        }
    )
    prior = bc.prior_predictive(bc.RunTable.from_frame(frame), seed=1, draws=50)
    share = prior.cmr(Target(1e9, "law", 8e9, 0.03, "share"))
    nats = prior.cmr(Target(1e9, "law", 8e9, 0.06))
    np.testing.assert_allclose(share.draws["tolerance"], nats.draws["tolerance"], atol=1e-7)
    with pytest.raises(TargetError, match="no base loss of 'general' at size 3e"):
        prior.cmr(Target(3e9, "law", 8e9, 0.03, "share"))
    given = prior.cmr(Target(3e9, "law", 8e9, 0.03, "share", base=2.0))
    np.testing.assert_array_equal(
        given.draws["tolerance"], prior.cmr(Target(3e9, "law", 8e9, 0.06)).draws["tolerance"]
    )


def test_lagrange_weight(make_table):
    """A finite weight adds the falling domain loss, so more ratios are feasible."""
    import pandas as pd

    import bayescmr as bc

    rows = [
        {
            "run": f"r{r}",
            "size": 1e9,
            "domain": "law",
            "ratio": r,
            "tokens": t,
            "change_general": 0.0,
            "change_domain": 0.0,
        }
        for r in (0.1, 0.5)
        for t in (1e9, 8e9)
    ]
    prior = bc.prior_predictive(bc.RunTable.from_frame(pd.DataFrame(rows)), seed=1, draws=100)
    target = Target(1e9, "law", 8e9, 0.05)
    limit = prior.cmr(target).draws["turning_point"]
    light, heavy = (prior.cmr(target, lam=lam).draws["turning_point"] for lam in (10.0, 1e9))
    assert (light >= limit - 1e-7).all() and (light > limit + 1e-3).any()
    np.testing.assert_allclose(heavy, limit, atol=1e-3)
    with pytest.raises(TargetError, match="lam: got 0"):
        prior.cmr(target, lam=0)


def test_finite_weight_needs_the_domain_loss(prior):
    with pytest.raises(TargetError, match="domain loss: none"):
        prior.cmr(Target(1e9, "law", 8e9, 0.05), lam=100.0)
