"""The second look: its parts against known truths, and all of it against nested simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from bayescmr.design.acquisition import Epig, Information, PosteriorVariance
from bayescmr.design.active import Active
from bayescmr.design.moments import Moments
from bayescmr.design.outlook import Candidate, Option, Outlook, Trajectory
from bayescmr.design.psis import khat_limit, smooth
from bayescmr.design.refinement import DIAGNOSTICS, Refinement
from bayescmr.design.regression import bend
from bayescmr.design.reweighting import reweight
from bayescmr.errors import DesignError
from bayescmr.laws import get_law
from bayescmr.laws.base import Reference

SIZES = np.array([1e7, 3e7, 1e8, 3e8])
TOKENS = 4e9 * 2.0 ** -np.arange(6)[::-1]
#: Mean, sd, sd of the slope in ln N and sd of size effects, on the unconstrained scale.
PARAMETERS = {
    "c": (0.0, 0.02, 0.006, 0.003),
    "a": (np.log(0.02), 0.3, 0.1, 0.06),
    "s": (0.0, 0.25, 0.06, 0.06),
    "delta": (0.2, 0.25, 0.1, 0.06),
    "mu": (np.log(2.0), 0.2, 0.1, 0.06),
    "kappa": (0.2, 0.1, 0.06, 0.03),
    "nu": (0.0, 0.2, 0.06, 0.06),
    "e": (0.0, 0.3, 0.06, 0.06),
}


def curved(draws: int, seed: int) -> Outlook:
    """Runs of four sizes, the largest being the target, under the turning-point law.

    Draws are independent, of a spread as after a few runs; 24 designs.
    """
    rng = np.random.default_rng(seed)
    law, reference = get_law("turning_point"), Reference(size=1e8, tokens=1e9, ratio=0.5)
    common = {
        name: (mean + sd * rng.normal(size=draws), slope * rng.normal(size=draws))
        for name, (mean, sd, slope, _) in PARAMETERS.items()
    }
    theta = [
        {
            p.name: p.natural(
                common[p.name][0]
                + common[p.name][1] * np.log(size / reference.size)
                + PARAMETERS[p.name][3] * rng.normal(size=draws)
            )[:, None]
            for p in law.parameters
        }
        for size in SIZES
    ]
    grid = np.linspace(0, 1, 121)
    excess = law.change(theta[-1], np.full(121, TOKENS[-1]), grid[None, :], reference) - 0.05
    above = np.maximum.accumulate(excess, axis=1)
    cmr = np.array([np.interp(0.0, row, grid, left=0.0, right=1.0) for row in above])
    x = np.log(TOKENS)
    drift = np.exp(-np.abs(np.subtract.outer(x, x)) / 0.7)
    noise = 0.012**2 + 0.008**2 * drift + 0.006**2 * np.eye(len(x))
    runs = []
    for size, th in zip(SIZES, theta, strict=True):
        for ratio in (0.1, 0.5, 0.9):
            for k in (2, 6):
                mean = law.change(th, TOKENS[None, :k], np.full((1, k), ratio), reference)
                candidate = Candidate(size, "law", ratio, 0, tuple(TOKENS[:k]))
                runs.append(Trajectory(candidate, mean, noise[:k, :k], 6 * size * TOKENS[:k]))
    return Outlook(tuple(runs), cmr, cmr, grid, excess)


def thinned(outlook: Outlook, draws: int) -> Outlook:
    """The first draws only."""
    runs = tuple(
        Trajectory(t.candidate, t.mean[:draws], t.noise, t.cost) for t in outlook.trajectories
    )
    return Outlook(
        runs, outlook.cmr[:draws], outlook.cmr[:draws], outlook.grid, outlook.excess[:draws]
    )


def nested_truth(outlook: Outlook, simulations: int, rng: np.random.Generator) -> np.ndarray:
    """Drop of variance by plain importance weights of very many draws, for each full run."""
    truth = []
    for run in outlook.trajectories:
        white = np.linalg.solve(np.linalg.cholesky(run.noise), run.mean.T)
        made = rng.choice(outlook.n_draws, simulations, replace=False)
        losses = white[:, made] + rng.normal(size=(len(white), simulations))
        log = losses.T @ white - 0.5 * (white**2).sum(0)
        log[np.arange(simulations), made] = -np.inf
        weight = np.exp(log - log.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        left = weight @ outlook.cmr**2 - (weight @ outlook.cmr) ** 2
        truth.append(outlook.cmr.var() - left.mean())
    return np.array(truth)


def test_values_rank_as_nested_simulation_does():
    """24 designs under the turning-point law; 20,000 draws x 300 simulations are the truth.

    Bounds are those of active_learning section 8, item 10: Spearman of the linear value .95, mean
    signed error of the second look .03 of the variance.
    """
    world = curved(20_000, seed=1)
    truth = nested_truth(world, 300, np.random.default_rng(2))
    outlook = thinned(world, 3000)
    rule = PosteriorVariance(0.0)
    moments = rule.moments(outlook)
    assert moments.targets.weighing.tolist() == [1.0]
    scores = rule.score(moments)
    assert [o.parts[0][1] for o in scores.options] == [len(t.cost) - 1 for t in world.trajectories]
    assert spearmanr(scores.value, truth).statistic >= 0.95
    second = Refinement(simulations=128).refine(rule, moments, scores, np.random.default_rng(3))
    assert spearmanr(second.value, truth).statistic >= 0.95
    numbers = {name: second.diagnostics[name] / outlook.variance for name in DIAGNOSTICS[:3]}
    trusted = (second.diagnostics["good_weights"] >= 0.9) & (second.diagnostics["ess"] >= 100)
    share = truth / outlook.variance
    assert trusted.sum() >= 12
    assert abs(np.mean(numbers["regression"] - share)) <= 0.03
    assert abs(np.mean((numbers["reweighted"] - share)[trusted])) <= 0.03
    assert abs(np.mean(second.value / outlook.variance - share)) <= 0.03
    # What the CMR's bend hides from a line is found again.
    first_error = np.abs(numbers["linear"] - share).mean()
    assert np.abs(second.value / outlook.variance - share).mean() < first_error


def test_smoothing_is_arvizs():
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(0)
    for draws in (100, 226, 1000, 4000):
        spread = np.array([0.1, 1.0, 2.0, 5.0])[:, None]
        log = spread * rng.normal(size=(4, draws))
        theirs, khat = array_stats.psislw(-log, axis=-1)
        weights, own = smooth(log)
        assert own == pytest.approx(khat, rel=1e-9)
        assert weights == pytest.approx(np.exp(theirs), rel=1e-9, abs=1e-15)


def test_smoothing_at_its_edges():
    even, khat = smooth(np.zeros((1, 100)))
    assert even == pytest.approx(np.full((1, 100), 0.01))
    assert khat[0] < khat_limit(100)
    lonely = np.full((2, 400), -1e5)
    lonely[0, 7] = 0.0
    lonely[1] -= 1e3 * np.arange(400)
    weights, khat = smooth(lonely)
    assert np.isfinite(weights).all() and weights.sum(1) == pytest.approx([1, 1])
    assert weights[0, 7] == pytest.approx(1.0)
    out = np.random.default_rng(0).normal(size=(3, 500))
    out[:, :3] = -np.inf
    weights, _ = smooth(out)
    assert (weights[:, :3] == 0).all()


def gaussian(make, draws=1500, k=3, noise=1.0):
    theta = make.standard(draws, 2, seed=4)
    design = np.random.default_rng(1).normal(size=(2, k))
    run = make.trajectory(theta @ design, noise**2 * np.eye(k))
    return make.outlook([run, run], 0.5 + 0.03 * theta[:, 0]), run


def test_reweighting_obeys_total_variance_and_is_a_martingale(make):
    """Mean of the variance left and variance of the mean sum to the variance; means stay.

    1,500 simulations; 3 standard errors of each mean are allowed, that of the variance of means by
    its fourth moment.
    """
    outlook, run = gaussian(make)
    n = outlook.n_draws
    errors = np.random.default_rng(9).normal(size=(3, n))
    told = reweight(run.mean.T, run.noise, outlook.cmr, np.arange(n), errors)
    assert told.trusted
    centred = told.mean - outlook.cmr.mean()
    total = told.left + centred**2
    error = total.std() / np.sqrt(n)
    assert total.mean() == pytest.approx(outlook.variance, abs=3 * error)
    assert told.mean.mean() == pytest.approx(
        outlook.cmr.mean(), abs=3 * told.mean.std() / np.sqrt(n)
    )
    assert told.left.mean() < outlook.variance
    exact = Moments.of(outlook).variance_given([Option(((0, 2),))])
    assert told.left.mean() == pytest.approx(exact, rel=0.05)


def test_weights_on_few_draws_are_not_trusted(make):
    outlook, run = gaussian(make, noise=0.003)
    chosen = np.arange(64)
    errors = np.random.default_rng(9).normal(size=(3, 64))
    told = reweight(run.mean.T, run.noise, outlook.cmr, chosen, errors)
    assert told.ess < 100
    assert not told.trusted
    # The draw that made a simulation would have all the weight, and leave nothing to be learnt.
    assert (np.abs(told.mean - outlook.cmr[chosen]) > 1e-6).all()


def test_a_line_has_no_bend_and_a_parabola_has(make):
    theta = make.standard(3000, 1, seed=2)[:, 0]
    errors = np.random.default_rng(3).normal(size=(1, 3000))
    noise = np.array([[0.1]])
    straight = bend(theta[None, :], noise, theta, errors)
    assert abs(straight.mean()) < 3 * straight.std() / np.sqrt(3000) + 2e-3
    parabola = theta**2 / np.sqrt(2)
    # E[Var] of a parabola, from the Hermite expansion: correlation^4 of losses and parameter.
    explained = bend(theta[None, :], noise, parabola - parabola.mean(), errors).mean()
    assert explained == pytest.approx((1 / 1.1) ** 2, abs=0.12)


def test_a_cubic_is_judged_on_draws_it_was_not_fitted_to():
    """Of pure noise a fitted cubic explains some; on other draws it does harm on average.

    Two more terms, fitted to n draws of variance 1, cost 2 / n of the squared error there, and
    would gain as much in sample: over 400 tables of 40 draws the signs are 6 standard errors apart.
    """
    rng = np.random.default_rng(12)
    noise = np.array([[0.1]])
    gains = [
        bend(rng.normal(size=(1, 40)), noise, rng.normal(size=40), rng.normal(size=(1, 40))).mean()
        for _ in range(400)
    ]
    assert np.mean(gains) < -3 * np.std(gains) / np.sqrt(400)


def test_a_bend_that_is_known_already_is_not_counted_again(make):
    """Of two equal runs whose parabola the first has told, the second adds little."""
    theta = make.standard(2000, 1, seed=3)
    cmr = 0.3 + 0.02 * theta[:, 0] ** 2
    runs = [make.trajectory(theta, np.array([[0.05]])) for _ in range(2)]
    outlook = make.outlook(runs, cmr)
    rule = PosteriorVariance()
    moments = rule.moments(outlook).given_option(Option(((0, 0),)))
    scores = rule.score(moments, taken={0})
    second = Refinement().refine(rule, moments, scores, np.random.default_rng(0))
    assert second.diagnostics["regression"][1] < 0.15 * outlook.variance
    assert second.diagnostics["reweighted"][1] < 0.15 * outlook.variance


def test_a_second_look_finds_what_no_line_shows(make):
    """The CMR is a parabola of one loss and all but unrelated to the other's line."""
    theta = make.standard(2000, 2, seed=3)
    cmr = 0.3 + 0.02 * theta[:, 0] ** 2 + 0.002 * theta[:, 1]
    noise = np.array([[0.3]])
    outlook = make.outlook([make.trajectory(theta[:, [j]], noise) for j in (0, 1)], cmr)
    rng = np.random.default_rng(0)
    rule = PosteriorVariance()
    moments = rule.moments(outlook)
    first = rule.score(moments)
    second = Refinement().refine(rule, moments, first, rng)
    assert first.value[0] < 0.1 * outlook.variance
    assert second.value[0] > 0.4 * outlook.variance
    assert second.score == pytest.approx(second.value / second.cost**0.7)


def test_what_is_known_already_is_not_counted_again(make):
    """Given one of two equal runs, the other is worth what down-dating says."""
    outlook, _ = gaussian(make, noise=0.5)
    rule = PosteriorVariance()
    moments = rule.moments(outlook).given_option(Option(((0, 2),)))
    scores = rule.score(moments, taken={0})
    second = Refinement(simulations=256).refine(rule, moments, scores, np.random.default_rng(0))
    v = outlook.variance
    for name in ("regression", "reweighted"):
        assert second.diagnostics[name][1] == pytest.approx(scores.value[1], abs=0.02 * v)
    assert second.diagnostics["linear"][1] == scores.value[1]
    assert np.isneginf(second.score[0]) and np.isnan(second.diagnostics["linear"][0])


def test_only_variances_of_the_cmr_are_looked_at_again(linear):
    outlook = linear()
    for rule in (Epig(), Information()):
        moments = rule.moments(outlook)
        scores = rule.score(moments)
        assert Refinement().refine(rule, moments, scores, np.random.default_rng(0)) is scores


def test_some_of_the_rest_are_looked_at_too(linear):
    outlook = linear(n=12)
    rule = PosteriorVariance()
    moments = rule.moments(outlook)
    scores = rule.score(moments, budget=5e15)
    second = Refinement(best=3, others=2).refine(rule, moments, scores, np.random.default_rng(0))
    looked = np.flatnonzero(np.isfinite(second.diagnostics["ess"]))
    assert len(looked) == 5
    assert set(np.argsort(-scores.score)[:3]) <= set(looked)
    untouched = np.setdiff1d(np.arange(12), looked)
    assert (second.score[untouched] == scores.score[untouched]).all()


def test_refined_proposals_are_the_same_for_the_same_seed(linear):
    policy = Active(PosteriorVariance(), refinement=Refinement(best=4, others=1))
    one, two = (
        policy.propose(linear(), budget=1e17, batch=3, rng=np.random.default_rng(8))
        for _ in range(2)
    )
    assert [p.option for p in one] == [p.option for p in two]
    assert all(
        a.scores.score.tobytes() == b.scores.score.tobytes() for a, b in zip(one, two, strict=True)
    )


def test_settings_are_checked():
    with pytest.raises(DesignError, match="refinement: got best=0"):
        Refinement(best=0)
