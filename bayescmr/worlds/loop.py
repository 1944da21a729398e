"""Play a policy in a world: propose, buy, fit, and again, until the budget is gone.

A fit is made each time the spend has passed the next of some levels, which are the same for all
policies; between fits picks of a batch are conditioned on, not their losses. Losses depend on the
run alone, the first runs are the same for all, and so differences between policies are paired.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from bayescmr.cmr import CMR
from bayescmr.design.outlook import Candidate
from bayescmr.design.policy import Policy
from bayescmr.design.stop_rules import StopRules
from bayescmr.errors import DesignError
from bayescmr.model.spec import ModelSpec
from bayescmr.planning.outlook import outlook
from bayescmr.posterior import Posterior, fit
from bayescmr.posterior.diagnostics import measure
from bayescmr.runs import RunTable
from bayescmr.worlds.book import Book
from bayescmr.worlds.foretold import Foretold
from bayescmr.worlds.referee import Referee
from bayescmr.worlds.trace import Round, Trace
from bayescmr.worlds.world import World

#: Share of the budget below which what is left buys nothing that would show.
_REST = 0.02


@dataclass(frozen=True)
class Rules:
    """What is the same for all policies.

    Parameters
    ----------
    first : tuple of (float, float, int, float)
        Size, ratio, seed and tokens of the runs that every play starts with.
    budget : float
        FLOPs, those of the first runs included.
    levels : tuple of float
        Spends, ascending, at which a fit is made; one is made at the end as well.
    model : str or ModelSpec
        What is fitted.
    batch : int
        Picks at most from one look ahead.
    picks : int
        Picks at most between two fits.
    risk : float
        Of the decision.
    draws, tune, retries : int
        Of each fit; see :func:`bayescmr.fit`.
    stop : StopRules or None
        Applied where given; the play goes on after it.
    """

    first: tuple[tuple[float, float, int, float], ...]
    budget: float
    levels: tuple[float, ...]
    model: str | ModelSpec = "turning_point"
    batch: int = 6
    picks: int = 24
    risk: float = 0.1
    draws: int = 250
    tune: int = 300
    retries: int = 0
    stop: StopRules | None = None

    def posterior(
        self, world: World, frame: pd.DataFrame, seed: int, previous: Posterior | None = None
    ) -> Posterior:
        """Fit the general loss of a run table."""
        table = RunTable.from_frame(frame, source="world", min_tokens=world.space.min_tokens)
        return fit(
            table, seed=seed, model=self.model, draws=self.draws, tune=self.tune,
            retries=self.retries, cores=1, reference=world.reference, previous=previous,
        )  # fmt: skip


def opening(world: World, rules: Rules, seed: int) -> tuple[Book, Posterior]:
    """Buy the first runs and fit them: the same for all policies, so it need be done once.

    Raises
    ------
    DesignError
        The first runs are not in the space, or cost more than the budget.
    """
    book = Book(world)
    space = world.space
    for size, ratio, run_seed, tokens in rules.first:
        marks = tuple(m for m in space.checkpoints.get(size, ()) if m <= tokens)
        if not marks or tokens != marks[-1]:
            raise DesignError(
                f"first runs: size {size:g} has no checkpoint at {tokens:g} tokens, expected one of"
                f" {', '.join(f'{m:g}' for m in space.checkpoints.get(size, ()))}"
            )
        candidate = Candidate(size, space.domain, ratio, run_seed, marks)
        book.buy(candidate, len(marks) - 1, float(space.flops(size, 0.0, marks)[-1]))
    if book.spent > rules.budget:
        raise DesignError(
            f"budget: got {rules.budget:g} FLOPs, expected at least the {book.spent:g} of the first"
            " runs"
        )
    book.deliver()
    return book, rules.posterior(world, book.table(), _seed(seed, 0))


def play(
    world: World,
    policy: Policy,
    rules: Rules,
    seed: int,
    opened: tuple[Book, Posterior] | None = None,
) -> Trace:
    """Play one policy in one world.

    Parameters
    ----------
    world : World
        Where losses come from.
    policy : Policy
        What chooses.
    rules : Rules
        Budget, levels, fits.
    seed : int
        Of fits and of the policy's own chance.
    opened : (Book, Posterior), optional
        What :func:`opening` gave for the same world, rules and seed.

    Returns
    -------
    Trace
        One entry for each fit; one that did not converge is in it, and says so.
    """
    started = time.perf_counter()
    first, posterior = opened or opening(world, rules, seed)
    book = Book(world, dict(first.runs), first.spent)
    rng = np.random.default_rng([seed, 1, *policy.name.encode()])
    referee = None if rules.stop is None else Referee(rules.stop, rules.risk)
    rounds: list[Round] = []
    pit: list[float] = []
    while True:
        cmr = posterior.cmr(world.target)
        rounds.append(
            _round(world, book, posterior, cmr, rules.risk, pit, time.perf_counter() - started)
        )
        if referee is not None:
            again = partial(rules.posterior, world, seed=_seed(seed, 100 + len(rounds)))
            referee.look(book, cmr, rounds, rules.budget, again)
        started = time.perf_counter()
        came = _buy(world, book, policy, posterior, rules, rng)
        if came is None:
            break
        pit = came
        posterior = rules.posterior(world, book.table(), _seed(seed, len(rounds)), posterior)
    return Trace(
        policy.name,
        world.truth,
        world.space.cost.training * world.target.size * world.target.tokens,
        tuple(rounds),
        tuple((n, r, s, made.reached) for (n, r, s), made in book.runs.items()),
        None if referee is None else referee.ending,
    )


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] // 2)


def _buy(
    world: World,
    book: Book,
    policy: Policy,
    posterior: Posterior,
    rules: Rules,
    rng: np.random.Generator,
) -> list[float] | None:
    """Buy until the next level of spend; PIT values of what came, None if nothing was bought."""
    if book.spent >= (1.0 - _REST) * rules.budget:
        return None
    level = min((one for one in rules.levels if one > book.spent), default=rules.budget)
    space = world.space
    told = Foretold(posterior, space.domain, space.sizes)
    pit: list[float] = []
    picks = 0
    while book.spent < level and picks < rules.picks:
        ahead = outlook(posterior, world.target, space, book.made)
        batch = policy.propose(ahead, budget=rules.budget - book.spent, batch=rules.batch, rng=rng)
        if not batch:
            break
        for pick in batch[: rules.picks - picks]:
            picks += 1
            for i, k in pick.chosen.parts:
                trajectory = ahead.trajectories[i]
                run, until = trajectory.candidate, trajectory.candidate.checkpoints[k]
                book.buy(run, k, float(trajectory.cost[k]))
                marks = np.asarray(space.checkpoints[run.size])
                use = (marks >= space.min_tokens) & (marks <= until)
                change = world.losses(run.size, run.ratio, run.seed)[use]
                se = world.se(run.size, run.ratio, run.seed)[use]
                pit += [round(u, 4) for u in told.compare(run, marks[use], change, se)]
            if book.spent >= level:
                break
    book.deliver()
    return pit if picks else None


def _round(
    world: World,
    book: Book,
    posterior: Posterior,
    cmr: CMR,
    risk: float,
    pit: Sequence[float],
    seconds: float,
) -> Round:
    draws = cmr.draws["tolerance"].ravel()
    summary, truth = cmr.summary(), world.truth
    verdict, own = posterior.verdict, measure({"CMR": cmr.draws["tolerance"]})
    n = len(draws)  # effective draws of what does not move are infinite, which no file holds
    return Round(
        spent=book.spent,
        runs=len(book.runs),
        median=summary.median,
        lower=summary.lower,
        upper=summary.upper,
        sd=float(draws.std(ddof=1)),
        p_none=summary.p_none,
        p_all=summary.p_all,
        rank=float((draws < truth).mean() + 0.5 * (draws == truth).mean()),
        decision=cmr.decide(risk),
        rhat=verdict.max_rhat,
        ess=min(n, verdict.min_ess_bulk, verdict.min_ess_tail),
        cmr_rhat=own.max_rhat,
        cmr_ess=min(n, own.min_ess_bulk, own.min_ess_tail),
        divergences=verdict.divergences,
        problems=verdict.problems,
        pit=tuple(pit),
        seconds=round(seconds, 2),
    )
