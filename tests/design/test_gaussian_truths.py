"""Identities of Gaussian worlds: information, bundles, going on with a run, futures, and noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from bayescmr.design.moments import Moments
from bayescmr.design.outlook import Candidate, Option, Trajectory


def full(outlook, i=0):
    return Option(((i, len(outlook.trajectories[i].cost) - 1),))


def test_information_lies_between_its_nested_estimates(make):
    """PCE is biased down, NMC up; both converge. 3 standard errors are allowed.

    2,000 simulated losses, 400 contrasts of a Gaussian prior of 2 parameters.
    """
    rng = np.random.default_rng(11)
    design, noise = rng.normal(size=(2, 3)), 0.25 * np.eye(3)
    run = make.trajectory(make.standard(300, 2) @ design, noise)
    moments = Moments.of(make.outlook([run], run.mean[:, 0]))
    exact = moments.gain(moments.groups[0]).information[0, -1]
    truth, contrast = rng.normal(size=(2000, 2)), rng.normal(size=(400, 2))
    y = truth @ design + 0.5 * rng.normal(size=(2000, 3))
    own = -0.5 * (((y - truth @ design) / 0.5) ** 2).sum(1)
    others = -0.5 * (((y[:, None] - contrast @ design) / 0.5) ** 2).sum(2)
    nmc = own - (logsumexp(others, axis=1) - np.log(400))
    pce = own - (logsumexp(np.column_stack([own, others]), axis=1) - np.log(401))
    assert pce.mean() - 3 * pce.std() / np.sqrt(2000) <= exact
    assert exact <= nmc.mean() + 3 * nmc.std() / np.sqrt(2000)
    assert nmc.mean() - pce.mean() < 0.2


def test_information_about_the_cmr_is_the_log_of_what_is_left(linear):
    """-1/2 log(1 - V / v0) against log determinants of the joint covariance."""
    outlook = linear()
    for i, run in enumerate(outlook.trajectories):
        joint = np.cov(np.column_stack([run.mean, outlook.cmr]), rowvar=False)
        joint[:-1, :-1] += run.noise
        parts = [joint, joint[:-1, :-1], joint[-1:, -1:]]
        whole, losses, cmr = (np.linalg.slogdet(part)[1] for part in parts)
        left = Moments.of(outlook).variance_given([full(outlook, i)]) / outlook.variance
        assert -0.5 * np.log(left) == pytest.approx(0.5 * (losses + cmr - whole), rel=1e-9)


def test_only_precision_does_not_care_how_runs_are_bundled(make):
    """n replicates of cost 1, prior variance 1, noise .5: table of active_learning section 1.7."""
    theta = make.standard(400, 1)
    runs = [make.trajectory(theta, np.array([[0.5]]), [1.0]) for _ in range(16)]
    moments = Moments.of(make.outlook(runs, theta[:, 0]))
    left = np.array(
        [moments.variance_given([Option(((i, 0),)) for i in range(n)]) for n in (1, 4, 16)]
    )
    n = np.array([1, 4, 16])
    assert (1 - left) / n == pytest.approx([0.6667, 0.2222, 0.0606], abs=1e-4)
    assert -0.5 * np.log(left) / n == pytest.approx([0.5493, 0.2747, 0.1093], abs=1e-4)
    assert (1 / left - 1) / n == pytest.approx([2.0, 2.0, 2.0], rel=1e-9)


def test_going_on_with_a_run_is_worth_what_its_later_checkpoints_add(make):
    """V(to k2) = V(to k1) + V(k1 to k2, given k1), run effect and all, whatever was seen."""
    rng = np.random.default_rng(5)
    k1, k2, p = 2, 5, 3
    design, goal = rng.normal(size=(p, k2)), rng.normal(size=p) * 0.05
    run_sd, error_sd = 0.5, 0.3
    base = make.standard(2000, p + 1)
    theta, effect = base[:, :p], run_sd * base[:, p]
    start = make.trajectory(theta @ design, make.noise(k2, run_sd, error_sd))
    gain = Moments.of(make.outlook([start], 0.5 + theta @ goal))
    at = gain.gain(gain.groups[0]).cmr[0]
    # Posterior of (parameters, run effect) given losses up to k1: its covariance needs no losses.
    see = np.vstack([design[:, :k1], run_sd * np.ones(k1)])
    covariance = np.linalg.inv(np.eye(p + 1) + see @ see.T / error_sd**2)
    shift = rng.normal(size=p + 1)
    later = base @ np.linalg.cholesky(covariance).T + shift
    theta, effect = later[:, :p], run_sd * later[:, p]
    candidate = Candidate(1e8, "law", 0.5, 0, (3.0, 4.0, 5.0), reached=2.0)
    more = Trajectory(
        candidate,
        theta @ design[:, k1:] + effect[:, None],
        error_sd**2 * np.eye(k2 - k1),
        np.array([1.0, 2.0, 3.0]),
    )
    after = make.outlook([more], 0.5 + theta @ goal)
    moments = Moments.of(after)
    assert after.variance == pytest.approx(goal @ goal - at[k1 - 1], rel=1e-9)
    assert at[k1 - 1] + moments.gain(moments.groups[0]).cmr[0] == pytest.approx(at[k1:], rel=1e-9)


def test_noise_that_forgets_run_effects_promises_what_it_cannot_keep(make):
    """16 checkpoints of one run, run effect .5: taken for independent errors of the same size.

    Coverage of the nominal 90 % interval over 4,000 simulated worlds (standard error .005) and the
    promised variance beside the mean squared error.
    """
    rng = np.random.default_rng(2)
    theta = make.standard(500, 1)
    right = make.noise(16, 0.5, 0.1)
    wrong = np.diag(np.diag(right))
    coverage, ratio = {}, {}
    for name, assumed in (("right", right), ("wrong", wrong)):
        outlook = make.outlook([make.trajectory(theta @ np.ones((1, 16)), assumed)], theta[:, 0])
        left = Moments.of(outlook).variance_given([full(outlook)])
        truth = rng.normal(size=4000)
        losses = truth[:, None] + rng.multivariate_normal(np.zeros(16), right, size=4000)
        a = np.ones((16, 16)) + assumed
        miss = losses @ np.linalg.solve(a, np.ones(16)) - truth
        coverage[name] = np.mean(np.abs(miss) < 1.645 * np.sqrt(left))
        ratio[name] = np.mean(miss**2) / left
    assert 0.88 <= coverage["right"] <= 0.92
    assert ratio["right"] == pytest.approx(1.0, abs=0.1)
    assert coverage["wrong"] < 0.6
    assert ratio["wrong"] > 4


def test_dense_checkpoints_beat_replicates_under_a_wrong_noise_only(make):
    """One run with 8 checkpoints, or four with one: run effects do not average out in a run."""
    theta = make.standard(500, 1)
    right = make.noise(8, 0.5, 0.1)
    for noise, replicates_win in ((right, True), (np.diag(np.diag(right)), False)):
        long = make.trajectory(theta @ np.ones((1, 8)), noise)
        short = [make.trajectory(theta, noise[:1, :1], seed=seed) for seed in range(1, 5)]
        moments = Moments.of(make.outlook([long, *short], theta[:, 0]))
        dense = moments.variance_given([Option(((0, 7),))])
        replicates = moments.variance_given([Option(((i, 0),)) for i in range(1, 5)])
        assert (replicates < dense) == replicates_win
