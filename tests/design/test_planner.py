"""Plans to a variance: reached, honest about what they cost, without what they can do without."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bayescmr.design.moments import Moments
from bayescmr.design.planner import plan_to
from bayescmr.errors import DesignError


def known_parts(make, shares, costs):
    """Independent parts of the CMR with these shares of its variance, one noiseless run each."""
    theta = make.standard(600, len(shares))
    runs = [
        make.trajectory(theta[:, [i]], np.array([[1e-9]]), [c * 1e15]) for i, c in enumerate(costs)
    ]
    return make.outlook(runs, 0.5 + 0.02 * theta @ np.sqrt(shares))


def chosen(plan):
    return sorted(i for option in plan.options for i, _ in option.parts)


def test_plan_reaches_its_target_and_says_the_truth(linear):
    outlook = linear(n=12, k=6, parameters=9)
    for share in (0.6, 0.3, 0.1):
        plan = plan_to(outlook, share * outlook.variance, math.inf)
        assert plan.reached
        moments = Moments.of(outlook)
        assert plan.variance[0] == pytest.approx(outlook.variance)
        assert plan.variance[-1] <= share * outlook.variance * (1 + 1e-8)
        assert plan.variance[-1] == pytest.approx(moments.variance_given(plan.options), rel=1e-8)
        assert plan.cost[-1] == pytest.approx(sum(outlook.cost(o) for o in plan.options))
        assert (np.diff(plan.variance) <= 1e-15).all()
        assert (np.diff(plan.cost) > 0).all()
        runs = [i for o in plan.options for i, _ in o.parts]
        assert len(runs) == len(set(runs))
        for option in plan.options:
            rest = [o for o in plan.options if o is not option]
            assert moments.variance_given(rest) > share * outlook.variance


def test_forecast_grows_with_what_is_asked(linear):
    outlook = linear(n=12, k=6, parameters=9)
    costs = [
        plan_to(outlook, share * outlook.variance, math.inf).cost[-1]
        for share in (1, 0.5, 0.2, 0.1)
    ]
    assert costs[0] == 0.0
    assert costs == sorted(costs)


def test_budget_binds(linear):
    outlook = linear(n=12, k=6, parameters=9)
    whole = plan_to(outlook, 0.1 * outlook.variance, math.inf)
    short = plan_to(outlook, 0.1 * outlook.variance, 0.6 * whole.cost[-1])
    assert not short.reached
    assert 0 < short.cost[-1] <= 0.6 * whole.cost[-1]
    assert 0.1 * outlook.variance < short.variance[-1] < outlook.variance
    nothing = plan_to(outlook, 0.1 * outlook.variance, 0.0)
    assert nothing.options == () and not nothing.reached and nothing.cost[-1] == 0.0


def test_plan_is_the_cheapest_of_all_subsets_in_a_small_world(make):
    """Independent parts of the CMR, one run each, all but noiseless: a knapsack, by brute force."""
    from itertools import combinations

    shares, costs = [0.4, 0.25, 0.2, 0.1, 0.05], [5.0, 1.0, 2.0, 1.0, 4.0]
    outlook = known_parts(make, shares, costs)
    for share in (0.9, 0.6, 0.45, 0.3):
        plan = plan_to(outlook, share * outlook.variance * (1 + 1e-6), math.inf)
        sets = [s for n in range(6) for s in combinations(range(5), n)]
        enough = [s for s in sets if 1 - sum(shares[i] for i in s) <= share + 1e-6]
        cheapest = min(sum(costs[i] * 1e15 for i in s) for s in enough)
        assert plan.reached
        assert plan.cost[-1] <= 1.3 * cheapest  # greedy with pruning is no exact solver


def test_precision_that_is_not_needed_is_not_paid_for(make):
    """The first run has more per FLOP than the second, which is enough."""
    outlook = known_parts(make, [0.6, 0.4], [1.3, 1.0])
    assert chosen(plan_to(outlook, 0.61 * outlook.variance, math.inf)) == [1]


def test_what_a_later_run_makes_needless_is_dropped(make):
    """The first run is the best start at any exponent, and not enough; the second is, alone."""
    outlook = known_parts(make, [0.45, 0.55], [0.3, 1.0])
    assert chosen(plan_to(outlook, 0.46 * outlook.variance, math.inf)) == [1]


def test_no_budget_is_spent_on_what_is_known_by_then(make):
    """Two runs tell the same; with budget for two runs the other part is learnt as well."""
    theta = make.standard(600, 2)
    runs = [make.trajectory(theta[:, [j]], np.array([[1e-6]]), [1e15]) for j in (0, 0, 1)]
    outlook = make.outlook(runs, 0.5 + 0.02 * theta @ np.sqrt([0.6, 0.4]))
    plan = plan_to(outlook, 0.01 * outlook.variance, 2e15)
    assert plan.reached
    assert chosen(plan) == [0, 2]


def test_plan_does_not_depend_on_the_order_of_candidates(linear):
    from dataclasses import replace

    outlook = linear(n=9)
    turned = replace(outlook, trajectories=outlook.trajectories[::-1])
    one, two = (plan_to(o, 0.2 * o.variance, math.inf) for o in (outlook, turned))
    assert one.cost[-1] == pytest.approx(two.cost[-1])
    assert {o.parts[0][0] for o in one.options} == {8 - o.parts[0][0] for o in two.options}


@pytest.mark.parametrize(("target", "budget"), [(-1.0, 1.0), (math.nan, 1.0), (0.1, math.nan)])
def test_refusals(linear, target, budget):
    with pytest.raises(DesignError, match="variance target and budget"):
        plan_to(linear(), target, budget)
