"""Baselines: in which order they take runs, at what propensities, and within what budget."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from bayescmr.design.baselines import Bisection, Grid, Random, Sobol
from bayescmr.design.outlook import Candidate, Outlook, Trajectory
from bayescmr.design.policy import Pick, Policy
from bayescmr.errors import DesignError

SIZES = (1e6, 4e6, 16e6)
RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
TOKENS = (1e6, 2e6, 4e6, 8e6)
ALL: tuple[Policy, ...] = (Grid(), Random(), Sobol(), Bisection())
PLENTY = 1e30


def run(size: float, ratio: float, seed: int = 0, reached: float = 0.0) -> Candidate:
    return Candidate(size, "law", ratio, seed, tuple(t for t in TOKENS if t > reached), reached)


def runs(seeds: Iterable[int] = (0, 1)) -> list[Candidate]:
    return [run(n, r, s) for s, n, r in itertools.product(seeds, SIZES, RATIOS)]


def outlook(
    candidates: Sequence[Candidate], *, centre: float = 0.4, pending: Sequence[Candidate] = ()
) -> Outlook:
    """A CMR about ``centre``; FLOPs are 6 N T and 1e11 for the set-up."""
    rng = np.random.default_rng(0)
    cmr = np.clip(centre + 0.1 * rng.standard_normal(200), 0, 1)
    ratios = np.linspace(0, 1, 21)

    def trajectory(c: Candidate) -> Trajectory:
        tokens = np.array(c.checkpoints)
        mean = 0.1 * (c.ratio - cmr[:, None]) * np.log(tokens / 1e5)
        noise = 1e-4 * (np.eye(len(tokens)) + 1)
        return Trajectory(c, mean, noise, 6 * c.size * (tokens - c.reached) + 1e11)

    of = [tuple(trajectory(c) for c in some) for some in (candidates, pending)]
    return Outlook(of[0], cmr, cmr, ratios, 0.3 * (ratios - cmr[:, None]), pending=of[1])


def chosen(at: Outlook, picks: Sequence[Pick]) -> list[tuple[Candidate, float]]:
    """Each pick as its run and the tokens that it is trained to."""
    parts = [p.chosen.parts for p in picks]
    assert all(len(p) == 1 for p in parts)
    found = [(at.trajectories[i].candidate, k) for ((i, k),) in parts]
    return [(c, c.checkpoints[k]) for c, k in found]


def propose(policy: Policy, at: Outlook, batch: int = 1, budget: float = PLENTY, seed: int = 0):
    return policy.propose(at, budget=budget, batch=batch, rng=np.random.default_rng(seed))


def campaign(policy: Policy, candidates: list[Candidate], n: int) -> list[tuple[Candidate, float]]:
    """One pick a round; what was taken is no longer on offer."""
    taken = []
    for _ in range(n):
        at = outlook([c for c in candidates if c not in [t for t, _ in taken]])
        taken += chosen(at, propose(policy, at))
    return taken


@pytest.mark.parametrize("policy", ALL, ids=lambda p: p.name)
def test_a_batch_is_affordable_and_takes_no_run_twice(policy: Policy) -> None:
    at = outlook(runs())
    budget = 3e15
    picks = propose(policy, at, batch=12, budget=budget)
    spent = sum(p.cost for p in picks)
    assert 0 < spent <= budget
    taken = [i for p in picks for i, _ in p.chosen.parts]
    assert len(set(taken)) == len(taken)
    for p in picks:
        assert p.propensities.sum() == pytest.approx(1, abs=1e-12)
        assert p.propensities[p.option] > 0
        assert p.scores.score[p.option] == p.scores.score.max()
        assert p.cost == at.cost(p.chosen)
        assert (p.propensities[p.scores.score == -np.inf] == 0).all()
    if len(picks) < 12:
        left = [at.cost(o) for i, o in enumerate(picks[0].scores.options) if i not in taken]
        assert min(left) > budget - spent


@pytest.mark.parametrize("policy", ALL, ids=lambda p: p.name)
def test_nothing_is_picked_where_nothing_can_be(policy: Policy) -> None:
    assert propose(policy, outlook(runs()), budget=0.0) == ()
    assert propose(policy, outlook(())) == ()


@pytest.mark.parametrize("policy", ALL, ids=lambda p: p.name)
@pytest.mark.parametrize(("budget", "batch"), [(-1.0, 1), (float("nan"), 1), (1.0, 0), (1.0, 1.5)])
def test_what_cannot_be_meant_is_refused(policy: Policy, budget: float, batch: int) -> None:
    with pytest.raises(DesignError, match="expected"):
        propose(policy, outlook(runs()), batch=batch, budget=budget)


def test_grid_goes_up_sizes_and_ratios_seed_by_seed() -> None:
    candidates = runs()
    rng = np.random.default_rng(3)
    mixed = [candidates[i] for i in rng.permutation(len(candidates))]
    at = outlook(mixed)
    in_order = [(c, TOKENS[-1]) for c in candidates]
    assert chosen(at, propose(Grid(), at, batch=30)) == in_order
    assert campaign(Grid(), mixed, 30) == in_order


def test_grid_passes_over_what_is_too_dear() -> None:
    at = outlook(runs())
    cheap = 6 * SIZES[0] * TOKENS[-1] + 1e11
    taken = [c for c, _ in chosen(at, propose(Grid(), at, batch=30, budget=6.5 * cheap))]
    assert taken == [*(run(SIZES[0], r) for r in RATIOS), run(SIZES[0], RATIOS[0], 1)]


def test_random_is_uniform_over_what_is_affordable() -> None:
    at = outlook(runs())
    budget = 6 * SIZES[1] * TOKENS[-1] + 2e11
    counts = np.zeros(30)
    rng = np.random.default_rng(5)
    policy, n = Random(), 4000
    for _ in range(n):
        (pick,) = policy.propose(at, budget=budget, batch=1, rng=rng)
        counts[pick.option] += 1
    affordable = np.array([t.candidate.size < SIZES[2] for t in at.trajectories])
    np.testing.assert_array_equal(pick.propensities, affordable / 20)
    assert counts[~affordable].sum() == 0
    # Pearson's chi-square with 19 degrees of freedom; 43.8 is its 99.9 % quantile.
    assert ((counts[affordable] - n / 20) ** 2 / (n / 20)).sum() < 43.8


@pytest.mark.parametrize(("centre", "ratio"), [(0.4, 0.5), (0.3, 0.25), (0.9, 1.0)])
def test_bisection_asks_at_the_median_of_the_largest_affordable_size(centre, ratio) -> None:
    at = outlook(runs(), centre=centre)
    ((first, tokens),) = chosen(at, propose(Bisection(), at))
    assert (first, tokens) == (run(SIZES[2], ratio), TOKENS[-1])
    two = [c for c, _ in chosen(at, propose(Bisection(), at, batch=2))]
    assert two == [run(SIZES[2], ratio, 0), run(SIZES[2], ratio, 1)]
    budget = 6 * SIZES[1] * TOKENS[-1] + 2e11
    ((small, _),) = chosen(at, propose(Bisection(), at, budget=budget))
    assert small == run(SIZES[1], ratio)


def test_sobol_goes_on_where_it_stopped() -> None:
    """One at a time or in batches, one object or a new one each time: the same runs."""
    candidates = runs()
    at = outlook(candidates)
    at_once = chosen(at, propose(Sobol(seed=4), at, batch=12))
    assert campaign(Sobol(seed=4), candidates, 12) == at_once
    first = [c for c, _ in at_once[:7]]
    rest = outlook([c for c in candidates if c not in first])
    assert chosen(rest, propose(Sobol(seed=4), rest, batch=5, seed=99)) == at_once[7:]
    other = chosen(at, propose(Sobol(seed=5), at, batch=12))
    assert other != at_once


def test_sobol_spreads_evenly_where_chance_does_not() -> None:
    """8 of 64 cells on an 8 x 8 design: how unevenly quarters and halves are filled."""
    sizes, ratios = 2.0 ** np.arange(8) * 1e6, np.linspace(0, 1, 8)
    candidates = [run(n, r) for n, r in itertools.product(sizes, ratios)]
    at = outlook(candidates)

    def unevenness(policy: Policy, seed: int) -> float:
        taken = [c for c, _ in chosen(at, propose(policy, at, batch=16, seed=seed))]
        quarter = [2 * (c.size > sizes[3]) + (c.ratio > ratios[3]) for c in taken]
        return float(np.var(np.bincount(quarter, minlength=4)))

    sobol = np.mean([unevenness(Sobol(seed=s), 0) for s in range(20)])
    chance = np.mean([unevenness(Random(), s) for s in range(20)])
    assert sobol < chance / 2


def test_sobol_uses_every_length() -> None:
    at = outlook(runs(range(4)))
    tokens = [t for _, t in chosen(at, propose(Sobol(), at, batch=40))]
    counts = [tokens.count(t) for t in TOKENS]
    assert all(7 <= n <= 13 for n in counts)


def test_sobol_takes_the_next_seed_of_a_cell_only_at_its_next_point() -> None:
    taken = [c for c, _ in campaign(Sobol(), runs(range(3)), 40)]
    for c in taken:
        earlier = taken[: taken.index(c)]
        assert all(run(c.size, c.ratio, s) in earlier for s in range(c.seed))
    at = outlook(runs(range(3)))
    assert len({(c.size, c.ratio) for c, _ in chosen(at, propose(Sobol(), at, batch=40))}) == 15


def test_sobol_goes_on_with_a_run_only_when_no_new_one_can_be_had() -> None:
    begun, new = run(SIZES[0], 0.25, 0, reached=TOKENS[1]), run(SIZES[1], 0.75, 0)
    at = outlook([begun, new])
    assert [c for c, _ in chosen(at, propose(Sobol(), at, batch=3))] == [new, begun]


def test_sobol_shortens_what_the_budget_does_not_pay_for() -> None:
    budget = 6 * SIZES[0] * TOKENS[0] + 2e11
    at = outlook(runs())
    ((c, tokens),) = chosen(at, propose(Sobol(), at, budget=budget))
    assert (c.size, tokens) == (SIZES[0], TOKENS[0])


def test_sobol_keeps_domains_apart() -> None:
    other = [Candidate(c.size, "medicine", c.ratio, c.seed, c.checkpoints) for c in runs()]
    at = outlook(runs() + other)
    taken = [c.domain for c, _ in chosen(at, propose(Sobol(), at, batch=16))]
    assert 6 <= taken.count("law") <= 10


def test_sobol_takes_every_run_in_the_end() -> None:
    seeds = [7, 1000, 31]
    candidates = runs(seeds)
    at = outlook(candidates)
    taken = [c for c, _ in chosen(at, propose(Sobol(), at, batch=100))]
    assert sorted(taken, key=str) == sorted(candidates, key=str)
