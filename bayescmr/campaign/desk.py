"""What the holder of a campaign's lease does with it: decide, reserve, record, settle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.campaign.config import Config
from bayescmr.campaign.fits import fit_round, last_fit, table_of
from bayescmr.campaign.history import state_from
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.progress import runs_made
from bayescmr.campaign.recording import first_round, fitted_round
from bayescmr.campaign.records import Attempt, NewAttempt, OptionRecord, Part, RoundRow
from bayescmr.campaign.store import Store
from bayescmr.design.active import Active
from bayescmr.design.exploration import Exploration
from bayescmr.design.model_check import ModelCheck
from bayescmr.planning.advice import advise
from bayescmr.planning.initial import First, initial_design
from bayescmr.planning.model_checks import model_checks
from bayescmr.planning.predictions import pit_of_new
from bayescmr.planning.space import Made
from bayescmr.runs import RunTable

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decision:
    """What came of a round.

    Parameters
    ----------
    number : int
        Of the round; the next one where nothing can be decided yet.
    attempts : tuple of Attempt
        Reserved for the picks; none where the campaign stops.
    stop : str or None
        Why it stops.
    nothing : str
        Why nothing was chosen, where it does not stop either.
    """

    number: int
    attempts: tuple[Attempt, ...] = ()
    stop: str | None = None
    nothing: str = "nothing that could be made can be afforded"


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
        interrupted = self._interrupted(rounds)
        if interrupted is not None:
            return interrupted
        number = len(rounds) + 1
        budget = self.store.budget(self.name)
        made = self.made()
        first = initial_design(self.config.space, made, budget.left)
        if first:
            return self._begin(number, first, budget.spent)
        table = table_of(self.config, self.store.runs(self.name))
        if table is None:
            return Decision(number, nothing="no run has measured a loss that can be fitted")
        fitted = [r for r in rounds if r.posterior]
        # The same losses as before: another slot is free, and nothing is new to say.
        same = bool(fitted) and fitted[-1].fingerprint == table.fingerprint
        if same and not fitted[-1].chosen:
            return Decision(number)
        if self._waits(made, budget.left):
            return Decision(number)
        pit = self._pit(fitted, table)
        posterior = last_fit(self.config, fitted[-1].number) if same else None
        if posterior is None:
            posterior = fit_round(self.config, table, number)
        known = posterior

        def checks() -> tuple[ModelCheck, ...]:
            return model_checks(known, self.config.task, pit)

        advice = advise(
            posterior,
            self.config.task,
            made,
            Active(exploration=Exploration(self.config.exploration)),
            budget=budget.left,
            batch=batch,
            rng=np.random.default_rng([self.config.seed, number]),
            # A rule is met twice only where there were new losses in between.
            history=[
                state_from(r.decision["state"])
                for r in fitted
                if r.decision["counts"] and r.fingerprint != table.fingerprint
            ],
            number=number,
            checks=checks,
            may_escalate=not any(r.decision["escalated"] for r in fitted),
        )
        record = fitted_round(self.config, number, table, posterior, advice, pit, budget.spent)
        self.store.add_round(self.name, self.lease, record)
        stop = advice.assessment.stop
        if stop is not None:
            self.store.set_state(self.name, "stopped", stop.sentence)
            return Decision(number, (), stop.sentence)
        return self._reserve(number, [pick.options[pick.chosen] for pick in record.picks])

    def _begin(self, number: int, first: Sequence[First], spent: float) -> Decision:
        record = first_round(self.config, number, first, spent)
        self.store.add_round(self.name, self.lease, record)
        return self._reserve(number, [pick.options[pick.chosen] for pick in record.picks])

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

    def _waits(self, made: Sequence[Made], left: float) -> bool:
        """Whether only what is under way can still tell anything: no more can be afforded."""
        if all(run.until is None for run in made):
            return False
        space = self.config.space
        return not any(
            space.flops(c.size, c.reached, c.checkpoints[:1])[0] <= left
            for c in space.candidates(made)
        )

    def _interrupted(self, rounds: Sequence[RoundRow]) -> Decision | None:
        """Go on with a round whose picks a kill kept from being reserved."""
        if not rounds or not rounds[-1].chosen:
            return None
        last = rounds[-1]
        if any(attempt.round == last.number for attempt in self.store.attempts(self.name)):
            return None
        if sum(option.cost for option in last.chosen) > self.store.budget(self.name).left:
            return None
        return self._reserve(last.number, last.chosen)

    def _pit(self, fitted: Sequence[RoundRow], table: RunTable) -> Float:
        """All PIT values so far: those on record, and those of losses that came since."""
        if not fitted:
            return np.empty(0)
        known = np.asarray(fitted[-1].posterior["pit"], dtype=float)
        before = last_fit(self.config, fitted[-1].number)
        if before is None:
            return known
        return np.concatenate([known, pit_of_new(before, self.config.task, table)])
