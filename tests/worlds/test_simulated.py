"""Simulated worlds: losses belong to runs, and the truth is that of the changed law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import kstest

import bayescmr as bc
from bayescmr.errors import DesignError
from bayescmr.posterior import prior_predictive
from bayescmr.worlds import posterior_world, prior_world
from bayescmr.worlds.departures import (
    Annealed,
    Departure,
    HeavyTails,
    NonMonotone,
    OutlierRuns,
    SizeByTime,
    WiderRuns,
)
from bayescmr.worlds.simulated import first_root, off_law


def test_losses_belong_to_the_run(inside, make_world, space):
    one = inside.losses(1e8, 0.25, 1)
    inside.losses(4e8, 1.0, 2)  # what others asked for in between changes nothing
    np.testing.assert_array_equal(inside.losses(1e8, 0.25, 1), one)
    again = make_world(inside.seed)
    np.testing.assert_array_equal(again.losses(1e8, 0.25, 1), one)
    assert one.shape == (len(space.checkpoints[1e8]),)
    for other in ((1e8, 0.25, 2), (1e8, 0.5, 1)):
        assert not np.allclose(inside.losses(*other), one)
    assert make_world(inside.seed + 1).truth != inside.truth


def test_a_shorter_run_is_the_beginning_of_a_longer_one(inside, space):
    few = replace(space, checkpoints={n: marks[:2] for n, marks in space.checkpoints.items()})
    np.testing.assert_allclose(
        replace(inside, space=few).losses(1e8, 0.5, 1), inside.losses(1e8, 0.5, 1)[:2], rtol=1e-12
    )


def test_residuals_have_the_covariance_of_the_draw(inside):
    """Whitened first residuals of 400 runs are standard normal (error rate 1 in 1,000)."""
    size, ratio = 1e8, 0.5
    mean = inside.mean(size, np.array(inside.space.checkpoints[size]), ratio)
    residual = np.array([inside.losses(size, ratio, seed) - mean for seed in range(400)])
    x = np.log(np.array(inside.space.checkpoints[size]) / inside.reference.tokens)
    from bayescmr.model.scales import covariance

    root = np.linalg.cholesky(covariance(inside.law.scales[0], x, np.zeros(len(x))))
    whitened = np.linalg.solve(root, residual.T)
    assert kstest(whitened.ravel(), "norm").pvalue > 1e-3


def test_truth_is_that_of_the_package(space, target, make_world):
    """The prior's own first draw, asked through the package's CMR."""
    for seed in range(4):
        world = make_world(seed)
        rows = [
            {
                "run": f"{n}-{r}", "size": n, "domain": "law", "ratio": r, "tokens": t,
                "change_general": 0.0,
            }
            for n in space.sizes for r in space.ratios for t in space.checkpoints[n]
        ]  # fmt: skip
        table = bc.RunTable.from_frame(pd.DataFrame(rows))
        prior = prior_predictive(table, "turning_point", seed=seed, draws=1)
        expected = prior.cmr(target).draws["tolerance"].ravel()[0]
        assert world.truth == pytest.approx(expected, abs=1e-6)


def test_truth_is_the_root(inside, target):
    root = brentq(
        lambda r: float(inside.mean(target.size, target.tokens, r)) - 0.05, 1e-6, 1, xtol=1e-12
    )
    assert inside.truth == pytest.approx(root, abs=1e-8)


def test_first_root():
    assert first_root(lambda r: r - 2.0) == 1.0
    assert first_root(lambda r: r + 1.0) == 0.0
    assert first_root(lambda r: r - 0.3) == pytest.approx(0.3, abs=1e-9)
    # The first of three crossings.
    assert first_root(lambda r: np.sin(9 * r) - 0.5) == pytest.approx(np.arcsin(0.5) / 9, abs=1e-9)


@pytest.mark.parametrize(
    ("departure", "moves"),
    [
        (NonMonotone(0.05, 0.6), True),
        (Annealed(0.02), True),
        # At the target's own size there is nothing to interact with: smaller runs mislead.
        (SizeByTime(0.02), False),
        (HeavyTails(), False),
        (OutlierRuns(), False),
        (WiderRuns(), False),
    ],
)
def test_departures_move_what_they_say(inside, target, departure, moves):
    changed = inside.departing(departure)
    assert (abs(changed.truth - inside.truth) > 1e-3) == moves
    allowed = float(changed.mean(target.size, target.tokens, changed.truth))
    assert allowed == pytest.approx(0.05, abs=1e-6)
    some = [(1e8, r, s) for r in (0.25, 0.75) for s in range(60)]
    same = [np.allclose(changed.losses(*run), inside.losses(*run)) for run in some]
    if isinstance(departure, OutlierRuns):
        assert 0 < np.mean(np.logical_not(same)) < 0.2
    else:
        assert not any(same)
    assert inside.departing(Departure()).truth == inside.truth


def test_departures_combine(inside):
    both = inside.departing(WiderRuns(2.0), WiderRuns(3.0))
    mean = inside.mean(1e8, np.array(inside.space.checkpoints[1e8]), 0.5)
    np.testing.assert_allclose(
        both.losses(1e8, 0.5, 1) - mean, 6 * (inside.losses(1e8, 0.5, 1) - mean), rtol=1e-9
    )


def test_heavy_tails_keep_most_runs_and_throw_some(inside):
    mean = inside.mean(1e8, np.array(inside.space.checkpoints[1e8]), 0.5)
    heavy = inside.departing(HeavyTails(3.0))
    plain, thrown = (
        np.array([w.losses(1e8, 0.5, s) - mean for s in range(400)])[:, 0] for w in (inside, heavy)
    )
    # Student's t with three degrees of freedom: median 1.13 times, variance three times a normal's.
    assert np.median(np.abs(thrown)) / np.median(np.abs(plain)) < 1.3
    assert np.abs(thrown).max() > 1.5 * np.abs(plain).max()


def test_off_law_moves_the_target_size_alone(inside, target):
    up, down = off_law(inside, 2.0), off_law(inside, -2.0)
    tokens = np.array([1e9, 8e9])
    np.testing.assert_allclose(up.mean(1e8, tokens, 0.5), inside.mean(1e8, tokens, 0.5))
    assert up.truth < inside.truth < down.truth
    law = inside.law
    names = [p.name for p in law.spec.law.parameters]
    eval_set = law.hierarchy.eval_sets[0]
    for name in ("a", "delta"):
        moved = [w.law.sampled(target.size, "law", eval_set)[name][0] for w in (inside, up)]
        sd = np.exp(law.ln_effect_sd[0, 0, names.index(name), 0])
        assert moved[1] - moved[0] == pytest.approx(2 * sd)


def test_off_law_says_what_it_cannot(inside):
    with pytest.raises(DesignError, match="no parameter 'x'"):
        off_law(inside, 1.0, ("x",))
    with pytest.raises(DesignError, match="not the law's largest"):
        off_law(replace(inside, target=replace(inside.target, size=2e8)), 1.0)


def test_a_posterior_world_is_one_of_its_draws(make_world, space, target):
    prior = prior_predictive(
        bc.RunTable.from_frame(
            pd.DataFrame(
                {"run": "a", "size": 1e8, "domain": "law", "ratio": 0.5, "tokens": [1e9, 8e9],
                 "change_general": 0.0}
            )
        ),
        "turning_point", seed=3, draws=5,
    )  # fmt: skip
    worlds = [posterior_world(prior, space, target, draw=draw, seed=draw) for draw in (0, 7)]
    assert worlds[0].losses(1e8, 0.5, 1).shape == (4,)
    assert not np.allclose(worlds[0].losses(1e8, 0.5, 1), worlds[1].losses(1e8, 0.5, 1))
    theta = prior.general.change(1e8, "law", "general", 8e9, 0.5)[7]
    assert float(worlds[1].mean(1e8, 8e9, 0.5)) == pytest.approx(float(theta[0]))
    # A size that was never probed is another in another world, though the draw is the same.
    other = posterior_world(prior, space, target, draw=7, seed=8)
    assert float(other.mean(4e8, 8e9, 0.5)) != float(worlds[1].mean(4e8, 8e9, 0.5))


def test_what_is_no_world_is_refused(inside, space, target):
    with pytest.raises(DesignError, match="expected the same domain"):
        prior_world(space, replace(target, domain="medicine"), "turning_point", 1)
    law = replace(inside.law, coef=np.repeat(inside.law.coef, 2, axis=1))
    with pytest.raises(DesignError, match="2 draws of a law, expected one"):
        replace(inside, law=law)
