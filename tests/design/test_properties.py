"""What must hold for any draws, designs and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescmr.design.acquisition import (
    Epig,
    Information,
    LossVariance,
    PosteriorVariance,
    Straddle,
    VOptimal,
)
from bayescmr.design.moments import Moments
from bayescmr.design.outlook import Candidate, Option, Outlook, Trajectory
from bayescmr.design.targets import crossing_weights

RULES = [PosteriorVariance, Epig, Information, LossVariance, VOptimal]


@st.composite
def worlds(draw) -> Outlook:
    """Skewed draws, runs of different lengths, noise with any correlation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    draws, parameters = draw(st.integers(12, 60)), draw(st.integers(1, 4))
    theta = rng.normal(size=(draws, parameters))
    theta = np.where(theta > 0, theta * draw(st.sampled_from([1.0, 3.0])), theta)
    level = 10.0 ** draw(st.integers(-3, 3))
    runs = []
    for i in range(draw(st.integers(1, 4))):
        k = draw(st.integers(1, 5))
        mean = level * (theta @ rng.normal(size=(parameters, k)) + 0.3 * theta[:, :1] ** 2)
        root = rng.normal(size=(k, k)) * draw(st.sampled_from([0.1, 1.0]))
        noise = level**2 * (root @ root.T + 0.01 * np.eye(k))
        candidate = Candidate(1e8, "law", 0.5, i, tuple(float(t) for t in range(1, k + 1)))
        runs.append(Trajectory(candidate, mean, noise, 1e15 * np.cumsum(rng.uniform(0.1, 1, k))))
    cmr = 1 / (1 + np.exp(-theta @ rng.normal(size=parameters)))
    grid = np.linspace(0, 1, 15)
    excess = (grid - cmr[:, None]) * np.exp(0.2 * theta[:, :1])
    pairs = ((0, len(runs) - 1),) if len(runs) > 1 else ()
    return Outlook(tuple(runs), cmr, cmr, grid, excess, pairs)


def reductions(outlook: Outlook) -> dict[int, np.ndarray]:
    """Of each trajectory, at all lengths and for all targets."""
    moments = Moments.of(outlook, weights=crossing_weights(outlook))
    return {
        int(i): row
        for group in moments.groups
        for i, row in zip(group.members, moments.gain(group).reduction, strict=True)
    }


def assert_same(one: Outlook, two: Outlook, factor: float = 1.0) -> None:
    """Reductions agree, to rounding relative to the variances."""
    other = reductions(two)
    variance = Moments.of(one, weights=crossing_weights(one)).variance
    for i, reduction in reductions(one).items():
        assert np.abs(factor * reduction - other[i]).max() <= 1e-7 * factor * variance.max()


@given(worlds())
def test_between_zero_and_the_variance_and_more_with_each_checkpoint(outlook):
    variance = Moments.of(outlook, weights=crossing_weights(outlook)).variance
    for reduction in reductions(outlook).values():
        assert (reduction >= 0).all()
        assert (reduction <= variance * (1 + 1e-9)).all()
        assert (np.diff(reduction, axis=0) >= 0).all()


@given(worlds())
def test_more_runs_never_tell_less(outlook):
    moments = Moments.of(outlook)
    options, left = [], [moments.variance[0]]
    for i, run in enumerate(outlook.trajectories):
        options.append(Option(((i, len(run.cost) - 1),)))
        left.append(moments.variance_given(options))
    assert (np.diff(left) <= 1e-10 * left[0]).all()
    assert left[-1] >= 0


@given(worlds(), st.floats(0.01, 100), st.floats(-10, 10))
def test_units_and_offset_of_losses_do_not_matter(outlook, factor, offset):
    runs = tuple(
        replace(t, mean=factor * t.mean + offset * factor, noise=factor**2 * t.noise)
        for t in outlook.trajectories
    )
    assert_same(outlook, replace(outlook, trajectories=runs))


@given(worlds(), st.randoms(use_true_random=False))
def test_order_of_draws_does_not_matter(outlook, random):
    order = list(range(outlook.n_draws))
    random.shuffle(order)
    runs = tuple(replace(t, mean=t.mean[order]) for t in outlook.trajectories)
    mixed = replace(
        outlook,
        trajectories=runs,
        cmr=outlook.cmr[order],
        next_run=outlook.next_run[order],
        excess=outlook.excess[order],
    )
    assert_same(outlook, mixed)


@given(worlds(), st.floats(0.1, 10))
def test_value_goes_with_the_square_of_what_is_learnt(outlook, factor):
    scaled = replace(outlook, cmr=factor * outlook.cmr, excess=factor * outlook.excess)
    assert_same(outlook, scaled, factor**2)


@given(worlds())
def test_noise_without_end_tells_nothing(outlook):
    size = max(float(np.var(t.mean)) + float(t.noise.max()) for t in outlook.trajectories)
    runs = tuple(
        replace(t, noise=t.noise + 1e12 * size * np.eye(len(t.cost))) for t in outlook.trajectories
    )
    variance = Moments.of(outlook, weights=crossing_weights(outlook)).variance
    for reduction in reductions(replace(outlook, trajectories=runs)).values():
        assert (reduction <= 1e-9 * variance + 1e-300).all()


@given(worlds())
def test_a_replicate_tells_more_than_one_run(outlook):
    run = outlook.trajectories[0]
    k = len(run.cost) - 1
    twice = Moments.of(replace(outlook, trajectories=(run, run), pairs=()))
    one = twice.variance_given([Option(((0, k),))])
    both = twice.variance_given([Option(((0, k),)), Option(((1, k),))])
    assert both <= one * (1 + 1e-9)
    # Half the noise, since its own part is all that a replicate averages out.
    half = Moments.of(replace(outlook, trajectories=(replace(run, noise=run.noise / 2),), pairs=()))
    assert both == pytest.approx(half.variance_given([Option(((0, k),))]), rel=1e-6, abs=1e-15)


def test_another_domain_without_pooling_tells_nothing(make):
    theta = make.standard(500, 4)
    here, there = theta[:, :2], theta[:, 2:]
    outlook = make.outlook(
        [make.trajectory(there @ np.ones((2, 3))), make.trajectory(here @ np.ones((2, 3)))],
        0.5 + 0.02 * here[:, 0],
    )
    found = reductions(outlook)
    assert found[0] == pytest.approx(0.0, abs=1e-12)
    assert found[1][-1, 0] > 0.1 * outlook.variance


@settings(max_examples=30)
@given(worlds(), st.sampled_from([*RULES, Straddle]), st.floats(0, 1.5), st.floats(0.1, 3))
def test_scores_are_those_of_options_that_can_be_had(outlook, rule, exponent, share):
    rule = rule(exponent)
    budget = share * float(outlook.trajectories[0].cost[-1])
    scores = rule.score(rule.moments(outlook), budget=budget)
    assert np.isfinite(scores.value).all()
    for option, cost, score in zip(scores.options, scores.cost, scores.score, strict=True):
        assert cost == pytest.approx(outlook.cost(option), rel=1e-12)
        cheapest = sum(outlook.trajectories[i].cost[0] for i, _ in option.parts)
        assert np.isfinite(score) == (cheapest <= budget)
        assert np.isneginf(score) or cost <= budget
    if not isinstance(rule, Straddle):
        assert (scores.value >= 0).all()


@given(worlds(), st.sampled_from(RULES))
def test_a_pair_is_worth_no_less_than_each_of_it(outlook, rule):
    """At no cost of cost, the best pair is at least as good as either run alone."""
    rule = rule(0.0)
    scores = rule.score(rule.moments(outlook))
    alone = scores.value[: len(outlook.trajectories)]
    for option, value in list(zip(scores.options, scores.value, strict=True))[len(alone) :]:
        (i, _), (j, _) = option.parts
        assert value >= max(alone[i], alone[j]) * (1 - 1e-7) - 1e-12
