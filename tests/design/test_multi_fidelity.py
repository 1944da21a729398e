"""BoTorch's Gaussian process as a policy: learns about the target, in batches, within budget."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace

import numpy as np
import pytest

from bayescmr.design.baselines.multi_fidelity import Measured, MultiFidelityGP
from bayescmr.design.outlook import Candidate, Outlook, Trajectory
from bayescmr.errors import DesignError

SIZES = (1e6, 4e6, 16e6)
RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
TOKENS = (1e6, 2e6, 4e6, 8e6)
TARGET = {"size": 64e6, "tokens": 16e6, "tolerance": 0.05}


def rise(size, ratio, tokens):
    """Made up, smooth: crosses .05 at the target at a ratio of about .39."""
    return 0.12 * (size / 64e6) ** -0.1 * (tokens / 16e6) ** 0.3 * ratio**1.2 + 0.01 * ratio


def measured(sizes=(1e6, 4e6), ratios=(0.0, 0.5, 1.0)) -> Measured:
    at = np.array(list(itertools.product(sizes, ratios, TOKENS)))
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(at))
    return Measured(at[:, 0], at[:, 1], at[:, 2], rise(*at.T) + noise)


def outlook(candidates=None, pending=(), domain="law") -> Outlook:
    if candidates is None:
        candidates = [Candidate(n, domain, r, 9, TOKENS) for n in SIZES for r in RATIOS]

    def trajectory(c: Candidate) -> Trajectory:
        k = len(c.checkpoints)
        cost = 6 * c.size * (np.array(c.checkpoints) - c.reached) + 1e12
        return Trajectory(c, np.zeros((4, k)), np.eye(k), cost)

    of = [tuple(map(trajectory, some)) for some in (candidates, pending)]
    grid = np.linspace(0, 1, 21)
    return Outlook(of[0], np.zeros(4), np.zeros(4), grid, np.zeros((4, 21)), pending=of[1])


def propose(policy: MultiFidelityGP, at: Outlook, batch: int = 1, budget: float = 1e30):
    return policy.propose(at, budget=budget, batch=batch, rng=np.random.default_rng(0))


def test_without_the_package_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "botorch.fit", None)
    monkeypatch.setitem(sys.modules, "botorch", None)
    with pytest.raises(DesignError, match=r"not installed; `pip install 'bayescmr\[botorch\]'`"):
        propose(MultiFidelityGP(measured(), **TARGET), outlook())


@pytest.mark.parametrize(
    ("column", "value"),
    [("change", np.nan), ("size", 0.0), ("tokens", 0.0)],
)
def test_measurements_that_are_none_are_refused(column: str, value: float) -> None:
    seen = measured()
    with pytest.raises(DesignError, match="expected finite"):
        replace(seen, **{column: np.full(len(seen.change), value)})


def test_too_few_measurements_are_refused() -> None:
    one = np.ones(5)
    with pytest.raises(DesignError, match="at least 6"):
        Measured(one, one, one, one)
    with pytest.raises(DesignError, match="one length"):
        Measured(np.ones(7), one, one, np.ones(7))


@pytest.fixture(scope="module")
def policy() -> MultiFidelityGP:
    pytest.importorskip("botorch", reason="extra botorch is not installed", exc_type=ImportError)
    return MultiFidelityGP(measured(), **TARGET)


def test_a_batch_is_affordable_and_takes_no_run_twice(policy: MultiFidelityGP) -> None:
    at = outlook()
    picks = propose(policy, at, batch=4, budget=1e15)
    assert len(picks) == 4
    assert sum(p.cost for p in picks) <= 1e15
    assert len({p.chosen.parts[0][0] for p in picks}) == 4
    for pick in picks:
        assert pick.propensities[pick.option] == 1 and pick.propensities.sum() == 1
        assert pick.scores.score[pick.option] == pick.scores.score.max()
        assert (pick.scores.value >= 0).all()
    again = propose(policy, at, batch=4, budget=1e15)
    assert [p.chosen for p in again] == [p.chosen for p in picks]
    assert propose(policy, at, budget=1e9) == ()
    assert propose(policy, outlook([])) == ()


def test_value_grows_with_length_and_size(policy: MultiFidelityGP) -> None:
    """Without a price, the largest size to the end is worth the most at its ratio."""
    blind = replace(policy, cost_power=0.0)
    (pick,) = propose(blind, outlook())
    ((index, stop),) = pick.chosen.parts
    assert stop == len(TOKENS) - 1
    assert outlook().trajectories[index].candidate.size == SIZES[-1]
    by_size = pick.scores.value.reshape(len(SIZES), len(RATIOS))
    assert (by_size[2] > by_size[0]).all()
    (cheap,) = propose(replace(policy, cost_power=1.0), outlook())
    assert cheap.cost < pick.cost


def test_what_is_paid_for_is_not_bought_again(policy: MultiFidelityGP) -> None:
    blind = replace(policy, cost_power=0.0)
    (alone,) = propose(blind, outlook())
    twin = Candidate(
        SIZES[-1], "law", outlook().trajectories[alone.option].candidate.ratio, 8, TOKENS
    )
    (beside,) = propose(blind, outlook(pending=[twin]))
    assert beside.scores.value[alone.option] < 0.5 * alone.scores.value[alone.option]
    first, second = propose(blind, outlook(), batch=2)
    assert first.option == alone.option
    assert second.scores.value[first.option] < 0.5 * first.scores.value[first.option]


def test_it_knows_the_surface_better_where_it_looked(policy: MultiFidelityGP) -> None:
    """After the chosen run was made, the same run again is worth less."""
    (pick,) = propose(replace(policy, cost_power=0.0), outlook())
    ((index, _),) = pick.chosen.parts
    run = outlook().trajectories[index].candidate
    seen, new = policy.measured, np.array(run.checkpoints)
    n = len(new)
    more = Measured(
        np.r_[seen.size, np.full(n, run.size)],
        np.r_[seen.ratio, np.full(n, run.ratio)],
        np.r_[seen.tokens, new],
        np.r_[seen.change, rise(run.size, run.ratio, new)],
    )
    (again,) = propose(MultiFidelityGP(more, **TARGET, cost_power=0.0), outlook())
    assert again.scores.value[pick.option] < 0.5 * pick.scores.value[pick.option]


def test_one_domain_at_a_time(policy: MultiFidelityGP) -> None:
    two = [Candidate(1e6, d, 0.5, 0, TOKENS) for d in ("law", "medicine")]
    with pytest.raises(DesignError, match="several domains"):
        propose(policy, outlook(two))


def test_a_target_below_what_is_run(policy: MultiFidelityGP) -> None:
    """All sizes are the target's or larger: the target's own size tells the most."""
    seen = measured(sizes=(4e6, 16e6))
    small = MultiFidelityGP(seen, size=4e6, tokens=8e6, tolerance=0.05, cost_power=0.0)
    at = outlook([Candidate(n, "law", 0.75, 9, TOKENS) for n in (4e6, 16e6)])
    (pick,) = propose(small, at)
    assert at.trajectories[pick.option].candidate.size == 4e6


def test_many_picks_at_once(policy: MultiFidelityGP) -> None:
    picks = propose(policy, outlook(), batch=30)
    assert len(picks) == len(SIZES) * len(RATIOS)
    assert all(np.isfinite(p.scores.value).all() and (p.scores.value >= 0).all() for p in picks)
