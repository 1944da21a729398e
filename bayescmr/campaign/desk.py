"""What the holder of a campaign's lease does with it: decide, reserve, record, settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bayescmr.campaign.config import Config
from bayescmr.campaign.fits import fit_round, last_fit, table_of
from bayescmr.campaign.history import state_from
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.progress import asked_to_pause, runs_made
from bayescmr.campaign.recording import REVIEW, first_round, fitted_round
from bayescmr.campaign.records import (
    Attempt,
    Budget,
    NewAttempt,
    OptionRecord,
    Part,
    RoundRecord,
    RoundRow,
)
from bayescmr.campaign.store import Store
from bayescmr.design.active import Active
from bayescmr.design.exploration import Exploration
from bayescmr.design.model_check import ModelCheck
from bayescmr.design.stopping import State
from bayescmr.planning.advice import Advice, advise
from bayescmr.planning.initial import ENOUGH, initial_design
from bayescmr.planning.model_checks import model_checks
from bayescmr.planning.predictions import pit_of_new
from bayescmr.planning.review import Pause, to_pause
from bayescmr.planning.space import Made
from bayescmr.posterior import Posterior
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decision:
    """What came of a round.

    Parameters
    ----------
    number : int
        Of the round; of the last one where there was nothing new to say.
    attempts : tuple of Attempt
        Reserved for the picks; none where the campaign stops.
    stop : str or None
        Why it stops.
    pause : tuple of str
        Keys of attempts under way that are not worth going on with for now.
    nothing : str
        Why nothing was chosen, where it does not stop either.
    """

    number: int
    attempts: tuple[Attempt, ...] = ()
    stop: str | None = None
    pause: tuple[str, ...] = ()
    nothing: str = "nothing that could be made can be afforded"


@dataclass(frozen=True)
class _Fitted:
    """A fit, and what came before it."""

    number: int
    table: RunTable
    posterior: Posterior
    pit: Float
    history: tuple[State, ...]
    may_escalate: bool
    checks: tuple[ModelCheck, ...] | None


class Desk:
    """A campaign in the hands of one controller.

    Everything is read from the store anew, so that nothing is lost with the process.

    Parameters
    ----------
    store : Store
        Where it is kept.
    config : Config
        What it was told.
    lease : Lease
        The right to write.
    """

    def __init__(self, store: Store, config: Config, lease: Lease) -> None:
        self.store, self.config, self.lease = store, config, lease
        self._policy = Active(exploration=Exploration(config.exploration))

    @property
    def name(self) -> str:
        """Of the campaign."""
        return self.config.name

    def made(self) -> list[Made]:
        """Runs begun so far."""
        return runs_made(self.config, self.store.attempts(self.name), self.store.runs(self.name))

    def decide(self, batch: int) -> Decision:
        """Fit what is there, decide, and set the cost of the next runs aside.

        Parameters
        ----------
        batch : int
            Runs to pick at most.
        """
        rounds = self.store.rounds(self.name)
        if self._is_unreserved(rounds):
            return self._reserve(rounds[-1].number, rounds[-1].chosen)
        budget, made = self.store.budget(self.name), self.made()
        first = initial_design(self.config.space, made, budget.left)
        if first:
            record = first_round(self.config, len(rounds) + 1, first, budget.spent)
            return self._conclude(record, None)
        if self._first_losses_are_to_come(made):
            return Decision(len(rounds))
        table = table_of(self.config, self.store.runs(self.name))
        if table is None:
            return Decision(len(rounds), nothing="no run has measured a loss that can be fitted")
        if rounds and self._was_said(rounds[-1], table, budget):
            return self._concluded(rounds[-1])
        if self._only_waits(made, budget.left):
            return Decision(len(rounds))
        fitted = self._fitted(rounds, table)
        advice = self._advice(fitted, made, budget, batch)
        return self._conclude(*self._record(fitted, advice, budget))

    def review(self) -> Decision | None:
        """Fit what runs under way have told, and choose which of them to pause.

        Returns
        -------
        Decision or None
            None where there is nothing new.
        """
        rounds, made = self.store.rounds(self.name), self.made()
        if self._is_unreserved(rounds) or self._first_losses_are_to_come(made):
            return None
        table = table_of(self.config, self.store.runs(self.name))
        if table is None or any(row.fingerprint == table.fingerprint for row in rounds):
            return None
        budget = self.store.budget(self.name)
        fitted = self._fitted(rounds, table)
        advice = self._advice(fitted, made, budget, 0)
        pause: tuple[Pause, ...] = ()
        if advice.assessment.stop is None and fitted.posterior.converged:
            rule = self._policy.acquisition
            known = asked_to_pause(rounds)
            asked = [run for run, key in self._open_attempts().items() if key in known]
            pause = to_pause(
                fitted.posterior, advice.task, made, rule, budget=budget.left, asked=asked
            )
        return self._conclude(*self._record(fitted, advice, budget, pause))

    def _fitted(self, rounds: Sequence[RoundRow], table: RunTable) -> _Fitted:
        number, earlier = len(rounds) + 1, [row for row in rounds if row.posterior]
        # The same losses as before: another slot is free, and there is nothing new to learn.
        same = bool(earlier) and earlier[-1].fingerprint == table.fingerprint
        pit = self._pit(earlier, table)
        posterior = last_fit(self.config, _fit_of(earlier)) if same else None
        if posterior is None:
            posterior = fit_round(self.config, table, number)
        # A rule is met twice only where there were new losses in between: of rounds with the same
        # losses the last one counts.
        by_table = {
            row.fingerprint: state_from(row.decision["state"])
            for row in earlier
            if row.decision["counts"] and row.fingerprint != table.fingerprint
        }
        history = tuple(sorted(by_table.values(), key=lambda state: state.round))
        may_escalate = not any(row.decision["escalated"] for row in earlier)
        checks = state_from(earlier[-1].decision["state"]).checks if same else None
        return _Fitted(number, table, posterior, pit, history, may_escalate, checks)

    def _advice(self, fitted: _Fitted, made: Sequence[Made], budget: Budget, batch: int) -> Advice:
        task = self.config.task

        def checks() -> tuple[ModelCheck, ...]:
            return fitted.checks or model_checks(fitted.posterior, task, fitted.pit)

        return advise(
            fitted.posterior,
            task,
            made,
            self._policy,
            budget=budget.left,
            batch=batch,
            rng=np.random.default_rng([self.config.seed, fitted.number]),
            history=fitted.history,
            number=fitted.number,
            checks=checks,
            may_escalate=fitted.may_escalate,
        )

    def _record(
        self, fitted: _Fitted, advice: Advice, budget: Budget, pause: Sequence[Pause] | None = None
    ) -> tuple[RoundRecord, str | None]:
        record = fitted_round(
            self.config,
            fitted.number,
            fitted.table,
            fitted.posterior,
            advice,
            fitted.pit,
            budget.spent,
            self._open_attempts(),
            pause,
        )
        stop = advice.assessment.stop
        return record, None if stop is None else stop.sentence

    def _conclude(self, record: RoundRecord, stop: str | None) -> Decision:
        """Record a round, and do what it says: all of this can be done again after a kill."""
        self.store.add_round(self.name, self.lease, record)
        if stop is not None:
            self.store.set_state(self.name, "stopped", stop)
            return Decision(record.number, stop=stop)
        pause = tuple(record.decision.get("pause", ()))
        chosen = [pick.options[pick.chosen] for pick in record.picks]
        return replace(self._reserve(record.number, chosen), pause=pause)

    def _concluded(self, row: RoundRow) -> Decision:
        """What a round said that is on record already."""
        stop = row.decision["stop"]
        if stop is None:
            return Decision(row.number)
        self.store.set_state(self.name, "stopped", stop["sentence"])
        return Decision(row.number, stop=stop["sentence"])

    def _open_attempts(self) -> dict[str, str]:
        return {a.run: a.key for a in self.store.attempts(self.name, open_only=True)}

    def _was_said(self, last: RoundRow, table: RunTable, budget: Budget) -> bool:
        """Whether the last round looked at the same, and had nothing to make."""
        return (
            last.fingerprint == table.fingerprint
            and last.policy != REVIEW
            and not last.chosen
            and last.decision["state"]["budget_left"] == budget.left
            and last.decision["under_way"] == sorted(self._open_attempts().values())
        )

    def _first_losses_are_to_come(self, made: Sequence[Made]) -> bool:
        """Whether runs are under way without which there is too little to fit."""
        space = self.config.space
        own = [run for run in made if run.domain == space.domain]
        told = [run for run in own if run.reached >= max(space.min_tokens, 1.0)]
        enough = len(told) >= min(ENOUGH, len(own))
        return not enough and any(run.until is not None for run in own)

    def again(self, attempt: Attempt) -> Attempt | None:
        """Set aside another attempt of a run whose last one failed; None without the budget."""
        part = Part(
            attempt.run, attempt.size, attempt.domain, attempt.ratio, attempt.seed, attempt.until
        )
        new = self._attempts([part])
        if new[0].cost > self.store.budget(self.name).left:
            return None
        return self.store.reserve(self.name, self.lease, attempt.round, new)[0]

    def _reserve(self, number: int, chosen: Sequence[OptionRecord]) -> Decision:
        new = self._attempts([part for option in chosen for part in option.parts])
        made = self.store.reserve(self.name, self.lease, number, new) if new else []
        return Decision(number, tuple(made))

    def _attempts(self, parts: Sequence[Part]) -> list[NewAttempt]:
        space = self.config.space
        reached = {run.run: run.reached for run in self.made()}
        return [
            NewAttempt(
                run=part.run,
                size=part.size,
                domain=part.domain,
                ratio=part.ratio,
                seed=part.seed,
                tokens=int(space.checkpoints[part.size][-1]),
                checkpoints=tuple(int(mark) for mark in space.checkpoints[part.size]),
                until=part.until,
                cost=float(space.flops(part.size, reached.get(part.run, 0.0), [part.until])[0]),
            )
            for part in parts
        ]

    def _only_waits(self, made: Sequence[Made], left: float) -> bool:
        """Whether only what is under way can still tell anything: no more can be afforded."""
        if all(run.until is None for run in made):
            return False
        space = self.config.space
        return not any(
            space.flops(c.size, c.reached, c.checkpoints[:1])[0] <= left
            for c in space.candidates(made)
        )

    def _is_unreserved(self, rounds: Sequence[RoundRow]) -> bool:
        """Whether a kill kept the picks of the last round from being reserved."""
        if not rounds or not rounds[-1].chosen:
            return False
        last = rounds[-1]
        if any(attempt.round == last.number for attempt in self.store.attempts(self.name)):
            return False
        return sum(option.cost for option in last.chosen) <= self.store.budget(self.name).left

    def _pit(self, fitted: Sequence[RoundRow], table: RunTable) -> Float:
        """All PIT values so far: those on record, and those of losses that came since."""
        if not fitted:
            return np.empty(0)
        known = np.asarray(fitted[-1].posterior["pit"], dtype=float)
        before = last_fit(self.config, _fit_of(fitted))
        if before is None:
            return known
        return np.concatenate([known, pit_of_new(before, self.config.task, table)])


def _fit_of(rounds: Sequence[RoundRow]) -> int:
    """Number of the round whose fit the last of some rounds used: the first with its losses."""
    return next(row.number for row in rounds if row.fingerprint == rounds[-1].fingerprint)
