"""The active policy: what it picks, how likely, and what a batch may not do."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.design.acquisition import (
    Epig,
    Information,
    LossVariance,
    PosteriorVariance,
    Straddle,
    VOptimal,
)
from bayescmr.design.active import Active
from bayescmr.design.exploration import Exploration, best
from bayescmr.errors import DesignError

RULES = [PosteriorVariance, Epig, Information, LossVariance, VOptimal, Straddle]
PAIRS = ((0, 1), (1, 2), (4, 5))


def propose(
    outlook, rule=PosteriorVariance, *, budget=1e17, batch=4, seed=0, share=0.1, second=None
):
    policy = Active(rule(), Exploration(share), second)
    return policy.propose(outlook, budget=budget, batch=batch, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("budget", [1e15, 4e15, 9e15, 1e17])
def test_batches_keep_to_budget_and_pick_no_run_twice(linear, rule, budget):
    outlook = linear(pairs=PAIRS)
    for seed in range(8):
        picks = propose(outlook, rule, budget=budget, batch=9, seed=seed, share=0.9)
        assert sum(outlook.cost(p.chosen) for p in picks) <= budget
        parts = [i for p in picks for i, _ in p.chosen.parts]
        assert len(parts) == len(set(parts))
        left = budget
        for pick in picks:
            can = np.isfinite(pick.scores.score)
            assert (pick.scores.cost[can] <= left).all()
            left -= pick.cost
        # It stops only where nothing is left to have.
        unpicked = set(range(6)) - set(parts)
        assert not [i for i in unpicked if outlook.trajectories[i].cost[0] <= left]


@pytest.mark.parametrize("rule", RULES)
def test_propensities_are_probabilities_with_a_floor(linear, rule):
    for pick in propose(linear(pairs=PAIRS), rule, budget=8e15, share=0.2, seed=3):
        can = np.isfinite(pick.scores.score)
        assert pick.propensities.sum() == pytest.approx(1.0, abs=1e-12)
        assert (pick.propensities[can] >= 0.2 / (2 * can.sum()) - 1e-15).all()
        assert (pick.propensities[~can] == 0).all()
        assert pick.propensities[best(pick.scores)] >= 0.8
        assert pick.propensities[pick.option] > 0


def test_propensities_are_the_frequencies_of_batches(linear):
    """Chance of each ordered batch of two, from propensities, against 1,500 proposals.

    Chi-square over the batches expected at least 5 times, the others pooled; the bound is its
    99.9 % quantile, and the seed is fixed.
    """
    from scipy.stats import chi2

    outlook = linear(n=3, k=2, draws=200, pairs=((0, 1),))
    policy = Active(PosteriorVariance(), Exploration(0.6), refinement=None)
    rng = np.random.default_rng(7)
    n, counts, chance = 1500, {}, {}
    for _ in range(n):
        batch = policy.propose(outlook, budget=1e17, batch=2, rng=rng)
        key = tuple(p.option for p in batch)
        counts[key] = counts.get(key, 0) + 1
        chance[key] = np.prod([p.propensities[p.option] for p in batch])
    assert sum(chance.values()) == pytest.approx(1.0, abs=5 / n)
    large = [key for key in chance if n * chance[key] >= 5]
    expected = [n * chance[key] for key in large] + [
        n * (1 - sum(chance[key] for key in large)) + 1e-9
    ]
    seen = [counts[key] for key in large] + [n - sum(counts[key] for key in large)]
    statistic = sum((s - e) ** 2 / e for s, e in zip(seen, expected, strict=True) if e > 1)
    assert statistic < chi2.ppf(0.999, len(large))


def test_same_seed_gives_the_same_batch_bit_by_bit(linear):
    one, two = (propose(linear(pairs=PAIRS), seed=5, share=0.5) for _ in range(2))
    assert [p.option for p in one] == [p.option for p in two]
    for a, b in zip(one, two, strict=True):
        assert a.propensities.tobytes() == b.propensities.tobytes()
        assert a.scores.score.tobytes() == b.scores.score.tobytes()


def test_without_exploration_the_best_is_taken(linear):
    for pick in propose(linear(pairs=PAIRS), share=0.0):
        assert pick.option == best(pick.scores)
        assert pick.propensities[pick.option] == 1.0


def test_score_is_value_per_cost_at_the_best_affordable_length(linear):
    outlook = linear(pairs=PAIRS)
    for exponent in (0.0, 0.7, 1.0):
        rule = PosteriorVariance(exponent)
        moments = rule.moments(outlook)
        scores = rule.score(moments, budget=4e15)
        gains = {
            int(i): row
            for g in moments.groups
            for i, row in zip(g.members, moments.gain(g).cmr, strict=True)
        }
        for i, option in enumerate(scores.options[:6]):
            ((run, k),) = option.parts
            assert run == i
            cost = outlook.trajectories[i].cost
            worth = np.where(cost <= 4e15, gains[i] / cost**exponent, -np.inf)
            assert scores.score[i] == pytest.approx(worth.max())
            assert k == np.argmax(worth)
            assert scores.cost[i] == cost[k] == outlook.cost(option)
            assert scores.diagnostics["reduction"][i] == scores.value[i]
        assert [tuple(i for i, _ in o.parts) for o in scores.options[6:]] == list(PAIRS)


def test_a_pair_is_found_where_neither_run_is_worth_it(make):
    theta = make.standard(400, 3)
    a, b, other = theta.T
    noise = np.array([[0.01]])
    runs = [
        make.trajectory((a + 3 * b)[:, None], noise),
        make.trajectory(b[:, None], noise),
        make.trajectory((a + 2 * other)[:, None], noise),
    ]
    outlook = make.outlook(runs, 0.5 + 0.01 * a, pairs=((0, 1),))
    (pick,) = propose(outlook, batch=1, share=0.0)
    assert [i for i, _ in pick.chosen.parts] == [0, 1]
    (straddle,) = propose(outlook, Straddle, batch=1, share=0.0)
    assert len(straddle.chosen.parts) == 1


def test_a_batch_does_not_buy_the_same_knowledge_twice(make):
    """Two all but equal runs about a, one about b: the second pick turns to b."""
    theta = make.standard(400, 2)
    a, b = theta.T
    noise = np.array([[0.05]])
    runs = [make.trajectory(v[:, None], noise) for v in (a, a, b)]
    outlook = make.outlook(runs, 0.5 + 0.02 * a + 0.015 * b)
    chosen = [p.chosen.parts[0][0] for p in propose(outlook, batch=2, share=0.0)]
    assert chosen == [0, 2]


def test_loss_space_takes_over_where_the_cmr_is_censored(make):
    """All draws but few cross beyond 1: their CMR is 1 whatever is learnt; the loss is not."""
    theta = make.standard(600, 2)
    a, b = theta.T
    root = 1.3 + 0.1 * a
    cmr = np.clip(root, 0.0, 1.0)
    assert (cmr == 1.0).mean() > 0.9
    runs = [make.trajectory(v[:, None], np.array([[0.1]])) for v in (b, a)]
    outlook = make.outlook(runs, cmr)
    grid = outlook.grid
    object.__setattr__(outlook, "excess", grid[None, :] - root[:, None])
    assert outlook.censored > 0.05
    scores = PosteriorVariance().score(PosteriorVariance().moments(outlook))
    assert np.argmax(scores.score) == 1
    # Var(excess) is 0.01 at every ratio: so is the weighted mean of what is learnt about it.
    assert scores.value[1] == pytest.approx(0.01 / 1.1, rel=1e-6)
    assert scores.value[0] == pytest.approx(0.0, abs=1e-12)


def test_straddle_looks_at_the_runs_own_crossing(make):
    theta = make.standard(400, 1)
    means = (0.05, 0.5, 0.06)
    sds = (0.01, 0.02, 0.03)
    runs = [make.trajectory(m + s * theta) for m, s in zip(means, sds, strict=True)]
    outlook = make.outlook(runs, 0.5 + 0.01 * theta[:, 0], tolerance=0.05)
    scores = Straddle().score(Straddle().moments(outlook))
    expected = [1.96 * s - abs(m - 0.05) for m, s in zip(means, sds, strict=True)]
    assert scores.value == pytest.approx(expected, rel=1e-9)


def test_a_benefit_below_zero_is_the_worse_the_more_it_costs(make):
    theta = make.standard(400, 1)
    runs = [make.trajectory(0.5 + 0.01 * theta, cost=[c]) for c in (3e15, 1e15, 2e15)]
    outlook = make.outlook(runs, 0.5 + 0.01 * theta[:, 0])
    scores = Straddle(1.0).score(Straddle().moments(outlook))
    assert (scores.value < 0).all()
    assert np.argsort(-scores.score).tolist() == [1, 2, 0]


def test_epig_is_the_expected_information_about_the_loss(make):
    theta = make.standard(400, 1)
    runs = [make.trajectory(theta, np.array([[0.25]]))]
    outlook = make.outlook(runs, 0.5 + 0.01 * theta[:, 0])
    # Every excess is a linear function of theta: rho^2 = 1 / 1.25.
    scores = Epig().score(Epig().moments(outlook))
    assert scores.value[0] == pytest.approx(-0.5 * np.log(1 - 1 / 1.25), rel=1e-9)


def test_where_nothing_can_be_learnt_the_cheapest_is_picked(make):
    theta = make.standard(300, 2)
    runs = [make.trajectory(theta[:, :1], cost=[c]) for c in (3e15, 1e15, 2e15)]
    outlook = make.outlook(runs, np.full(300, 0.4))
    (pick,) = propose(outlook, batch=1, share=0.0)
    assert pick.chosen.parts == ((1, 0),)
    (pick,) = propose(outlook, batch=1, share=0.4)
    assert pick.propensities == pytest.approx([0.4 / 3, 0.6 + 0.4 / 3, 0.4 / 3])


def test_nothing_affordable_gives_no_pick(linear, make):
    assert propose(linear(), budget=0.0) == ()
    assert propose(make.outlook([], np.linspace(0.2, 0.4, 50))) == ()


@pytest.mark.parametrize(
    ("make_it", "match"),
    [
        (lambda: Exploration(1.0), "exploration share: got 1.0"),
        (lambda: Exploration(-0.1), "exploration share"),
        (lambda: Exploration(temperature=0.0), "temperature"),
        (lambda: PosteriorVariance(-1.0), "exponent of cost: got -1.0"),
        (lambda: PosteriorVariance(float("nan")), "exponent of cost"),
    ],
)
def test_settings_are_checked(make_it, match):
    with pytest.raises(DesignError, match=match):
        make_it()


def test_batch_and_budget_are_checked(linear):
    with pytest.raises(DesignError, match="batch"):
        propose(linear(), batch=0)
    with pytest.raises(DesignError, match="budget"):
        propose(linear(), budget=float("nan"))
