"""When a played campaign would have ended: the stop rules, and the refits that they ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import CMR
from bayescmr.design.floor import floor
from bayescmr.design.model_check import FAR_RATIOS_OUT, SMALLEST_SIZE_OUT, ModelCheck
from bayescmr.design.precision import probe_value, regret, width
from bayescmr.design.prequential import prequential_check
from bayescmr.design.refits import refit_check
from bayescmr.design.stop_rules import StopRules
from bayescmr.design.stopping import State
from bayescmr.planning.advice import DECISION_STEP
from bayescmr.planning.model_checks import MIN_RUNS, without_far_ratios
from bayescmr.posterior import Posterior
from bayescmr.posterior.intervals import PROB
from bayescmr.worlds.book import Book
from bayescmr.worlds.trace import Ending, Round

Float = npt.NDArray[np.float64]


@dataclass
class Referee:
    """Applies the stop rules after each fit, until they end the campaign.

    Parameters
    ----------
    rules : StopRules
        Thresholds.
    risk : float
        Of the decision.
    states : list of State
        What was known after each fit.
    ending : Ending or None
        None as long as the campaign goes on.
    """

    rules: StopRules
    risk: float
    states: list[State] = field(default_factory=list)
    ending: Ending | None = None

    def look(
        self,
        book: Book,
        cmr: CMR,
        rounds: Sequence[Round],
        budget: float,
        refit: Callable[[pd.DataFrame], Posterior],
    ) -> None:
        """Take in one more fit.

        Parameters
        ----------
        book : Book
            Runs so far, all delivered.
        cmr : CMR
            Answer of the fit.
        rounds : sequence of Round
            Of all fits, this one last.
        budget : float
            FLOPs of the whole campaign.
        refit : callable
            Gives the posterior of a part of the run table.
        """
        if self.ending is not None:
            return
        self.states.append(self._state(book, cmr, rounds, budget))
        found = self.rules.assess(self.states)
        if found.wants_checks:
            checks = self._checks(book, cmr, rounds, refit)
            self.states[-1] = replace(self.states[-1], checks=checks)
            found = self.rules.assess(self.states)
        if found.stop is not None:
            stop = found.stop
            lower, upper = stop.span or (None, None)
            self.ending = Ending(
                len(rounds) - 1, stop.reason.value, stop.certified, stop.sentence, lower, upper
            )

    def _state(self, book: Book, cmr: CMR, rounds: Sequence[Round], budget: float) -> State:
        space, target, last = book.world.space, book.world.target, rounds[-1]
        draws, following = cmr.draws["tolerance"].ravel(), cmr.predictive["tolerance"]
        candidates = space.candidates(book.made)
        costs = [float(space.flops(c.size, c.reached, c.checkpoints)[0]) for c in candidates]
        ess = max(last.cmr_ess, 1.0)
        decision = DECISION_STEP * math.floor(last.decision / DECISION_STEP)
        return State(
            round=len(rounds),
            width=width(draws, PROB, ess),
            regret=regret(following, self.risk, ess),
            evpi=probe_value(draws, following, self.risk, ess),
            decision=decision,
            forecast=None,
            reachable=None,
            budget_left=max(budget - last.spent, 0.0),
            cheapest=min(costs, default=math.inf),
            floor=floor(
                book.runs,
                decision=decision,
                target=target.size,
                sizes_offered=len(space.sizes),
                seeds_offered=space.seeds,
            ),
        )

    def _checks(
        self,
        book: Book,
        cmr: CMR,
        rounds: Sequence[Round],
        refit: Callable[[pd.DataFrame], Posterior],
    ) -> tuple[ModelCheck, ...]:
        frame, full = book.table(), cmr.draws["tolerance"].ravel()
        parts = {
            SMALLEST_SIZE_OUT: frame[frame["size"] > frame["size"].min()],
            FAR_RATIOS_OUT: without_far_ratios(frame, float(np.median(full))),
        }
        checks = []
        for name, part in parts.items():
            sub = None
            if len(part) < len(frame) and part["run"].nunique() >= MIN_RUNS:
                sub = refit(part).cmr(cmr.target).draws["tolerance"].ravel()
            checks.append(refit_check(name, full, sub, width=self.rules.shift))
        pit = np.array([u for one in rounds for u in one.pit])
        return (*checks, prequential_check(pit))
