"""What a posterior expects of runs, against the law at its draws and dense linear algebra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayescmr.design.projection import linear_part
from bayescmr.errors import DesignError
from bayescmr.laws import Reference
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.planning.outlook import outlook
from bayescmr.planning.view import GRID

LENGTH = 0.8


@pytest.fixture(scope="module")
def look(prior, target, space, begun):
    return outlook(prior, target, space, begun)


def of(look, size, ratio, seed):
    """The one trajectory of a run."""
    found = [
        t
        for t in look.trajectories
        if (t.candidate.size, t.candidate.ratio, t.candidate.seed) == (size, ratio, seed)
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("size", [2e4, 1e5, 3e5], ids=["probed", "probed-too", "target"])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_new_runs_follow_the_law_at_the_draws(look, prior, size, ratio):
    """Draw by draw, and at the target's size by the very draws that the CMR is made of."""
    found = next(
        t for t in look.trajectories
        if t.candidate.is_new and (t.candidate.size, t.candidate.ratio) == (size, ratio)
    )  # fmt: skip
    marks = np.array(found.candidate.checkpoints)
    expected = prior.general.change(size, "law", "general", marks, ratio)
    np.testing.assert_allclose(found.mean, expected, rtol=1e-12, atol=1e-15)


def test_the_target_is_that_of_the_cmr(look, prior, target):
    cmr = prior.cmr(target)
    np.testing.assert_array_equal(look.cmr, cmr.draws["tolerance"].ravel())
    rise = prior.general.change(target.size, "law", "general", target.tokens, GRID)
    np.testing.assert_allclose(look.excess, rise - target.tolerance, rtol=1e-12, atol=1e-15)
    # Every draw's CMR is where its excess first is above zero.
    inner = (look.cmr > 0) & (look.cmr < 1)
    assert inner.sum() > 50
    for draw in np.flatnonzero(inner):
        assert (look.excess[draw, look.grid < look.cmr[draw] - 1e-9] <= 1e-9).all()


def covariance_by_hand(scales, tokens, variance, reference, no_replay):
    """Covariance of one run under one draw, entry by entry."""
    u, v, d, length, m, f = scales
    x = [np.log(t / reference.tokens) for t in tokens]
    cov = np.empty((len(x), len(x)))
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            shared = u**2 + v**2 * a * b + d**2 * np.exp(-abs(a - b) / length)
            cov[i, j] = shared * (f**2 if no_replay else 1.0)
        cov[i, i] += m**2 + variance[i]
    return cov


def errors_to_come(prior, marks):
    """Squared standard errors of losses not yet measured: those of the table."""
    se = np.median(prior.frame["se"])
    assert se > 0
    return np.full(len(marks), se**2)


@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_noise_of_a_new_run_is_the_mean_covariance(look, prior, ratio):
    found = next(t for t in look.trajectories if t.candidate.is_new and t.candidate.ratio == ratio)
    marks = np.array(found.candidate.checkpoints)
    reference = prior.general.hierarchy.reference
    each = [
        covariance_by_hand(scales, marks, errors_to_come(prior, marks), reference, ratio == 1.0)
        for scales in prior.general.scales
    ]
    np.testing.assert_allclose(found.noise, np.mean(each, axis=0), rtol=1e-10)


@pytest.mark.parametrize(("size", "ratio", "seed"), [(2e4, 0.25, 2), (1e5, 0.25, 1), (1e5, 1.0, 1)])
def test_a_run_gone_on_with_is_the_conditional_of_the_joint_normal(
    look, prior, begun, size, ratio, seed
):
    """Draw by draw: the dense conditional, by the inverse of the joint covariance."""
    run = next(m for m in begun if (m.size, m.ratio, m.seed) == (size, ratio, seed))
    found = of(look, size, ratio, seed)
    rows = prior.frame[prior.frame["run"] == run.run].sort_values("tokens")
    assert found.candidate.reached == run.reached == rows["tokens"].max()
    seen, marks = rows["tokens"].to_numpy(float), np.array(found.candidate.checkpoints)
    every, n = np.concatenate([seen, marks]), len(seen)
    variance = np.concatenate([rows["se"].to_numpy(float) ** 2, errors_to_come(prior, marks)])
    law = prior.general.change(size, "law", "general", every, ratio)
    means, covs = [], []
    for scales, mean in zip(prior.general.scales, law, strict=True):
        cov = covariance_by_hand(
            scales, every, variance, prior.general.hierarchy.reference, ratio == 1.0
        )
        # The precision of the joint normal holds the conditional: no Schur complement here.
        precision = np.linalg.inv(cov)
        ahead = np.linalg.inv(precision[n:, n:])
        residual = rows["change"].to_numpy(float) - mean[:n]
        means.append(mean[n:] - ahead @ precision[n:, :n] @ residual)
        covs.append(ahead)
    np.testing.assert_allclose(found.mean, means, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.noise, np.mean(covs, axis=0), rtol=1e-6, atol=1e-12)
    # It differs from what the law alone says, else this would show nothing.
    assert np.abs(found.mean - law[:, n:]).max() > 1e-3


def test_costs_are_those_of_the_space(look, space):
    for t in look.trajectories:
        c = t.candidate
        np.testing.assert_array_equal(t.cost, space.flops(c.size, c.reached, c.checkpoints))


def test_runs_under_way_are_pending_and_no_candidates(prior, target, space, begun, look):
    marks = space.checkpoints[1e5]
    under_way = [
        replace(m, until=marks[4]) if (m.size, m.ratio) == (1e5, 0.25) else m for m in begun
    ]
    under_way.append(replace(begun[0], run="new", ratio=0.5, reached=0.0, until=marks[1]))
    found = outlook(prior, target, space, under_way)
    pending = [t.candidate for t in found.pending]
    assert [(c.size, c.ratio, c.checkpoints) for c in pending] == [
        (1e5, 0.25, marks[3:5]),
        (2e4, 0.5, marks[:2]),
    ]  # fmt: skip
    assert not any(
        t.candidate.reached and (t.candidate.size, t.candidate.ratio) == (1e5, 0.25)
        for t in found.trajectories
    )
    # What is expected of it is what is expected of going on with it.
    going = of(look, 1e5, 0.25, 1)
    np.testing.assert_allclose(found.pending[0].mean, going.mean[:, :2])
    np.testing.assert_allclose(found.pending[0].noise, going.noise[:2, :2])


def test_losses_that_the_fit_has_not_seen_are_still_to_come(prior, target, space, begun):
    """A run that is farther than its fit: all from the fit's last loss on is pending."""
    ahead = [
        replace(m, reached=m.reached * 2, until=m.reached * 4)
        if (m.size, m.ratio) == (1e5, 0.25)
        else m
        for m in begun
    ]
    (pending,) = outlook(prior, target, space, ahead).pending
    marks = space.checkpoints[1e5]
    assert pending.candidate.checkpoints == marks[3:5]


def test_pairs_are_new_runs_with_a_control_or_across_sizes(look):
    assert look.pairs
    for i, j in look.pairs:
        one, other = look.trajectories[i].candidate, look.trajectories[j].candidate
        assert one.is_new and other.is_new
        control = one.size == other.size and one.ratio == 0.0 < other.ratio
        across = one.ratio == other.ratio and (one.size, other.size) == (2e4, 3e5)
        assert control or across
    assert len(set(look.pairs)) == len(look.pairs)
    # Four ratios above the least at three sizes, and five ratios across sizes.
    assert len(look.pairs) == 4 * 3 + 5


def test_no_pairs_without_new_runs(make_space, prior, target, begun):
    space = make_space(sizes=(2e4,), ratios=(0.25,), seeds=2)
    found = outlook(prior, target, space, begun[:2])
    assert [t.candidate.reached for t in found.trajectories] == [begun[1].reached]
    assert found.pairs == ()


def test_wrong_input(prior, target, space, make_space):
    with pytest.raises(DesignError, match="expected the posterior of one model"):
        outlook("fit.nc", target, space)
    with pytest.raises(DesignError, match="the space is of 'code'"):
        outlook(prior, target, make_space(domain="code"))


# --- effects of sizes never probed -----------------------------------------------------------


def effects(block, sizes):
    """Standardised effects of sizes on all parameters, shape (sizes, draws x parameters)."""
    thetas = block.thetas(sizes, "law", "general")
    sd = np.exp(block.ln_effect_sd.reshape(block.n_draws, len(block.spec.parameters), -1))[..., 0]
    coef = block.coef.reshape(block.n_draws, len(block.spec.parameters), -1)
    found = []
    for size, theta in zip(sizes, thetas, strict=True):
        known = coef @ block.hierarchy.place(size, "law", "general").row
        rows = []
        for i, p in enumerate(block.spec.law.parameters):
            value = theta[p.name]
            if p.support == "positive":
                value = np.log(value)
            elif p.support == "unit":
                value = np.log(value) - np.log1p(-value)
            rows.append((value - known[:, i]) / sd[:, i])
        found.append(np.concatenate(rows))
    return np.array(found)


def test_new_sizes_are_drawn_jointly(prior):
    """Covariance of the effects of two unseen sizes against the kernel given probed sizes.

    400 draws times the parameters: n independent products; the standard error of a covariance of
    unit-scale normals is at most sqrt(2 / n). Bound: 4.5 of these, on 3 numbers.
    """
    block = prior.general
    sizes = [3e5, 4e5, 1e6]
    found = effects(block, sizes)
    n = found.shape[1]
    expected = block.hierarchy.unexplained(sizes)
    assert expected[0, 1] > 0.05  # near sizes share something
    np.testing.assert_allclose(found @ found.T / n, expected, atol=4.5 * np.sqrt(2 / n))


def test_the_first_new_size_is_drawn_as_alone(prior):
    block = prior.general
    for sizes in ([3e5, 4e5], [2e4, 3e5, 1e6], [1e5, 2e4]):
        together = block.thetas(sizes, "law", "general")
        first_new = next((i for i, n in enumerate(sizes) if n not in (2e4, 1e5)), None)
        for i, (size, theta) in enumerate(zip(sizes, together, strict=True)):
            if i == first_new or size in (2e4, 1e5):
                for name, values in block.theta(size, "law", "general").items():
                    np.testing.assert_allclose(theta[name], values, rtol=1e-9)
    # A later one is not: it shares only a part of its effect.
    later = block.thetas([3e5, 4e5], "law", "general")[1]
    assert any(
        not np.allclose(later[name], values)
        for name, values in block.theta(4e5, "law", "general").items()
    )


def test_unexplained_is_the_dense_conditional():
    """Against the Schur complement of the whole kernel."""
    probed, new = np.array([2e4, 1e5, 7e5]), np.array([3e5, 1e5, 1e6, 5e3])
    reference = Reference(size=1e5, tokens=1e5, ratio=0.5)
    hierarchy = Hierarchy(tuple(probed), ("law",), ("general",), LENGTH, reference)
    logs = np.log(np.concatenate([probed, new]))
    kernel = np.exp(-np.abs(logs[:, None] - logs) / LENGTH)
    k = len(probed)
    expected = kernel[k:, k:] - kernel[k:, :k] @ np.linalg.inv(kernel[:k, :k]) @ kernel[:k, k:]
    found = hierarchy.unexplained(new)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert abs(found[1]).max() < 1e-12  # a probed size has no effect of its own left


# --- the part of the CMR that is linear in losses --------------------------------------------


def test_linear_part_of_a_linear_cmr_is_itself(look):
    """A CMR that is a linear function of losses at the target is explained whole."""
    weights = np.linspace(-1, 1, len(look.grid))
    linear = replace(look, cmr=0.3 + look.excess @ weights)
    found, share = linear_part(linear)
    assert share == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(found.cmr, linear.cmr, atol=1e-5 * np.ptp(linear.cmr))


def test_linear_part_is_the_least_squares_fit(look):
    found, share = linear_part(look)
    x = look.excess - look.excess.mean(axis=0)
    y = look.cmr - look.cmr.mean()
    fitted = x @ np.linalg.lstsq(x, y, rcond=1e-6)[0]
    assert share == pytest.approx(fitted @ fitted / (y @ y), rel=1e-3)
    assert found.variance == pytest.approx(look.variance, rel=1e-9)
    assert np.corrcoef(found.cmr, fitted)[0, 1] > 1 - 1e-6


def test_linear_part_of_noise_is_small_and_of_a_known_cmr_whole(look):
    rng = np.random.default_rng(1)
    _, share = linear_part(replace(look, cmr=rng.normal(size=look.n_draws)))
    # At most 41 directions of 400 explain chance.
    assert share < 0.25
    known = replace(look, cmr=np.full(look.n_draws, 0.4))
    assert linear_part(known) == (known, 1.0)


@pytest.mark.parametrize("field", ["cmr", "next_run", "excess"])
@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["nan", "inf"])
def test_draws_that_are_not_finite_are_refused_by_name(look, field, bad):
    """Not left to linear algebra, which fails on them without saying where."""
    values = getattr(look, field).copy()
    values[7] = bad
    with pytest.raises(DesignError, match=rf"outlook: {field}: got \d+ of {values.size} values"):
        replace(look, **{field: values})
