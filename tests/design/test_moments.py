"""The prefix identity and down-dating against direct formulas."""

from __future__ import annotations

import numpy as np
import pytest

from bayescmr.design.joint import joint_gains
from bayescmr.design.moments import Moments
from bayescmr.design.outlook import Option, Outlook
from bayescmr.design.targets import crossing_weights
from bayescmr.errors import DesignError


def direct(outlook: Outlook, parts, target: np.ndarray) -> tuple[float, float]:
    """c' (A + S)^-1 c and 1/2 log det(I + S^-1 A), by the textbook."""
    means, noise = [], []
    for t, k in parts:
        means.append(t.mean[:, : k + 1])
        noise.append(t.noise[: k + 1, : k + 1])
    m = np.concatenate(means, axis=1)
    s = np.zeros((m.shape[1],) * 2)
    start = 0
    for block in noise:
        s[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    joint = np.cov(np.column_stack([m, target]), rowvar=False)
    a, c = joint[:-1, :-1], joint[:-1, -1]
    value = c @ np.linalg.solve(a + s, c)
    return float(value), float(np.linalg.slogdet(np.eye(len(s)) + np.linalg.solve(s, a))[1] / 2)


def test_every_prefix_has_its_exact_value(linear):
    outlook = linear()
    moments = Moments.of(outlook, weights=crossing_weights(outlook))
    seen = 0
    for group in moments.groups:
        gain = moments.gain(group)
        for n, i in enumerate(group.members):
            run = outlook.trajectories[i]
            for k in range(len(run.cost)):
                value, nats = direct(outlook, [(run, k)], outlook.cmr)
                assert gain.cmr[n, k] == pytest.approx(value, rel=1e-9)
                assert gain.information[n, k] == pytest.approx(nats, rel=1e-9)
                seen += 1
    assert seen == sum(len(t.cost) for t in outlook.trajectories)


def test_linear_gaussian_value_is_that_of_simulated_losses(make):
    """The formula against 40,000 simulated posteriors: drop of E Var(cmr | losses).

    The posterior mean is computed from each simulated loss; its squared error is what is left. The
    standard error of a mean of squares is sqrt(2 / 40000) of it: 4 of them are allowed.
    """
    rng = np.random.default_rng(3)
    design, goal = rng.normal(size=(3, 4)), rng.normal(size=3)
    theta = make.standard(500, 3)
    outlook = make.outlook([make.trajectory(theta @ design)], theta @ goal)
    moments = Moments.of(outlook)
    value = moments.gain(moments.groups[0]).cmr[0, -1]
    truth = rng.normal(size=(40_000, 3))
    noise = make.noise(4)
    losses = truth @ design + rng.multivariate_normal(np.zeros(4), noise, size=len(truth))
    precision = np.eye(3) + design @ np.linalg.solve(noise, design.T)
    estimate = np.linalg.solve(precision, design @ np.linalg.solve(noise, losses.T)).T @ goal
    left = np.mean((truth @ goal - estimate) ** 2)
    assert goal @ goal - value == pytest.approx(left, rel=4 * np.sqrt(2 / len(truth)))


def test_down_dating_is_the_joint_value(linear):
    outlook = linear()
    parts = [(0, 2), (4, 3), (1, 0)]
    joint, _ = direct(outlook, [(outlook.trajectories[i], k) for i, k in parts], outlook.cmr)
    start = Moments.of(outlook)
    moments = start
    for part in parts:
        moments = moments.given_option(Option((part,)))
    assert moments.variance[0] == pytest.approx(outlook.variance - joint, rel=1e-9)
    options = [Option((part,)) for part in parts]
    assert start.variance_given(options) == pytest.approx(outlook.variance - joint, rel=1e-9)
    # What is left to gain afterwards, too.
    for group in moments.groups:
        for n, i in enumerate(group.members):
            if i in {0, 4, 1}:
                continue
            every = [
                *[(outlook.trajectories[j], k) for j, k in parts],
                (outlook.trajectories[i], 1),
            ]
            value, _ = direct(outlook, every, outlook.cmr)
            assert moments.gain(group).cmr[n, 1] == pytest.approx(value - joint, rel=1e-7)


def test_pending_runs_are_conditioned_on(linear):
    outlook = linear()
    waiting = outlook.trajectories[3]
    asked = Outlook(
        outlook.trajectories,
        outlook.cmr,
        outlook.next_run,
        outlook.grid,
        outlook.excess,
        pending=(waiting,),
    )
    as_pick = Moments.of(outlook).given_option(Option(((3, len(waiting.cost) - 1),)))
    pending = Moments.of(asked)
    assert pending.variance == pytest.approx(as_pick.variance, rel=1e-9)
    for a, b in zip(pending.groups, as_pick.groups, strict=True):
        assert pending.gain(a).cmr == pytest.approx(as_pick.gain(b).cmr, rel=1e-8)


def test_pairs_have_their_joint_value_at_all_lengths(linear):
    outlook = linear(pairs=((0, 1), (4, 2), (3, 0), (1, 5)))
    moments = Moments.of(outlook, weights=crossing_weights(outlook)).given_option(Option(((2, 1),)))
    conditioned = (outlook.trajectories[2], 1)
    known, known_nats = direct(outlook, [conditioned], outlook.cmr)
    seen = set()
    for pairs, gain, cost in joint_gains(moments):
        for n, p in enumerate(pairs):
            i, j = outlook.pairs[p]
            seen.add(p)
            if 2 in (i, j):
                continue
            one, two = outlook.trajectories[i], outlook.trajectories[j]
            for k in range(len(one.cost)):
                for m in range(len(two.cost)):
                    parts = [conditioned, (one, k), (two, m)]
                    value, nats = direct(outlook, parts, outlook.cmr)
                    assert gain.cmr[n, k, m] == pytest.approx(value - known, rel=1e-7)
                    assert gain.information[n, k, m] == pytest.approx(nats - known_nats, rel=1e-7)
                    assert cost[n, k, m] == one.cost[k] + two.cost[m]
    assert seen == {0, 1, 2, 3}


def test_two_runs_may_tell_what_neither_does(make):
    """cmr = a; losses a + b and b, Var b = 3.8, noise 0.2: greedy sees nothing in the second."""
    theta = make.standard(400, 2)
    a, b = theta[:, 0], np.sqrt(3.8) * theta[:, 1]
    noise = np.array([[0.2]])
    runs = [make.trajectory((a + b)[:, None], noise), make.trajectory(b[:, None], noise)]
    outlook = make.outlook(runs, a, pairs=((0, 1),))
    moments = Moments.of(outlook)
    single = moments.gain(moments.groups[0]).cmr[:, 0]
    ((_, gain, _),) = joint_gains(moments)
    assert single == pytest.approx([1 / (1 + 3.8 + 0.2), 0.0], abs=1e-9)
    left = 0.2 + 3.8 * 0.2 / (3.8 + 0.2)  # noise of y1 - E[b | y2]
    assert gain.cmr[0, 0, 0] == pytest.approx(1 / (1 + left), rel=1e-9)


def test_runs_may_be_left_out(linear):
    outlook = linear(pairs=((0, 1), (4, 5)))
    few = Moments.of(outlook, among=[4, 1, 5])
    everything = Moments.of(outlook)
    assert sorted(few.first) == [1, 4, 5]
    whole = {
        int(i): everything.gain(g).cmr[n]
        for g in everything.groups
        for n, i in enumerate(g.members)
    }
    for group in few.groups:
        for n, i in enumerate(group.members):
            assert few.gain(group).cmr[n] == pytest.approx(whole[int(i)], rel=1e-9)
    assert [pairs for pairs, _, _ in joint_gains(few)] == [[1]]


def test_refusals(linear, make):
    outlook = linear()
    broken = outlook.trajectories[1].mean.copy()
    broken[5, 2] = np.nan
    runs = [outlook.trajectories[0], make.trajectory(broken, ratio=0.25)]
    with pytest.raises(DesignError, match=r"ratio 0\.25: got expected losses that are not finite"):
        Moments.of(make.outlook(runs, outlook.cmr))
    silent = make.trajectory(outlook.trajectories[1].mean, -np.eye(5))
    with pytest.raises(DesignError, match="not positive definite"):
        moments = Moments.of(make.outlook([silent], outlook.cmr))
        moments.gain(moments.groups[0])
    with pytest.raises(DesignError, match="not finite"):
        Moments.of(make.outlook(outlook.trajectories, np.full(outlook.n_draws, np.nan)))


@pytest.mark.parametrize("pair", [(1, 1), (0, 6), (-1, 2)])
def test_pairs_are_two_runs_that_there_are(linear, pair):
    with pytest.raises(DesignError, match="pairs: got"):
        linear(pairs=(pair,))
