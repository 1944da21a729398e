"""When a campaign is over: the rules, their thresholds, and what must hold beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bayescmr.design.model_check import (
    FAR_RATIOS_OUT,
    PREQUENTIAL,
    SMALLEST_SIZE_OUT,
    ModelCheck,
)
from bayescmr.design.precision import Estimate
from bayescmr.design.stopping import Assessment, Finding, State, Stop, StopReason
from bayescmr.errors import DesignError

_Says = tuple[bool, str, Mapping[str, float]]


@dataclass(frozen=True)
class StopRules:
    """Thresholds; a rule whose threshold is None is not applied.

    Reasons and forms follow the stopping theory of Bayesian experimental design: the value rule is
    its safe form, EVPI against the cheapest option, because the value of one step alone stops too
    early where only pairs of runs are worth something.

    Parameters
    ----------
    width : float or None
        Interval width of the CMR that is precise enough, in units of the ratio.
    regret : float or None
        Expected loss of the decision that is small enough, same units.
    price : float or None
        What a FLOP is worth, in the units of the loss. EVPI bounds the value of any batch: where
        it is less than the price of the cheapest option, nothing is left to gain.
    stable : int
        Fits with the same decision that make it stable, where width or regret is also within
        ``slack`` times its threshold.
    slack : float
        See ``stable``.
    hits : int
        Fits in a row at which a rule must be met; an exhausted budget needs none.
    margin : float
        Monte Carlo errors by which a number must be below its threshold.
    required : tuple of str
        Names of checks without which nothing is certified; others are heard too.
    """

    width: float | None = None
    regret: float | None = None
    price: float | None = None
    stable: int = 3
    slack: float = 1.5
    hits: int = 2
    margin: float = 2.0
    required: tuple[str, ...] = (SMALLEST_SIZE_OUT, FAR_RATIOS_OUT, PREQUENTIAL)

    def __post_init__(self) -> None:
        for name in ("width", "regret", "price"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise DesignError(f"stop rules: {name}: got {value}, expected a number > 0")
        for name, least in (("stable", 2), ("hits", 1), ("slack", 1), ("margin", 0)):
            value = getattr(self, name)
            if not value >= least:
                raise DesignError(f"stop rules: {name}: got {value}, expected at least {least}")

    @property
    def shift(self) -> float | None:
        """Width of an interval by whose share an answer may move for nothing.

        The one asked for, where nothing else was: a small loss may be asked for where a wide
        interval would do.
        """
        return self.width if self.regret is self.price is None else None

    def assess(self, history: Sequence[State]) -> Assessment:
        """Say whether the campaign is over, and what every rule says.

        Parameters
        ----------
        history : sequence of State
            One for each fit, the last one last.

        Returns
        -------
        Assessment
            Its stop is certified only where a rule that certifies is met at ``hits`` fits in a
            row, the floor design is reached, every check of the last state passed, and, where it
            is certified for its width, the intervals of all fits together are no wider than that.

        Raises
        ------
        DesignError
            Where there is no state, or rounds do not ascend.
        """
        rounds = [state.round for state in history]
        if not history or rounds != sorted(set(rounds)):
            raise DesignError(f"stop rules: got rounds {rounds}, expected one or more, ascending")
        last = history[-1]
        findings = tuple(self._finding(reason, rule, history) for reason, rule in self._rules())
        met = [f for f in findings if f.reason.certifies and f.hits >= self.hits]
        lacks = last.floor.lacks if met else ()
        if met and not lacks:
            if last.checks is None:
                return Assessment(findings, None, wants_checks=True)
            for ground in met:
                stop = self._certify(ground, last)
                wide = self._too_wide(stop)
                if not wide:
                    return Assessment(findings, stop)
                # What was asked for is in the words of the first ground, the strictest.
                lacks = lacks or wide
        return Assessment(findings, self._give_up(findings, last, lacks), held_back=lacks)

    def _rules(self) -> Iterator[tuple[StopReason, Callable[[Sequence[State]], _Says]]]:
        if self.width is not None:
            yield StopReason.PRECISION, self._precision
        if self.regret is not None:
            yield StopReason.REGRET, self._regret
        if self.price is not None:
            yield StopReason.VALUE, self._value
        if self.width is not None or self.regret is not None:
            yield StopReason.DECISION_STABLE, self._decision_stable
        yield StopReason.INFEASIBLE, self._infeasible
        yield StopReason.BUDGET, self._budget

    def _finding(
        self, reason: StopReason, rule: Callable[[Sequence[State]], _Says], past: Sequence[State]
    ) -> Finding:
        holds, sentence, numbers = rule(past)
        hits = 0
        while hits < len(past) and rule(past[: len(past) - hits])[0]:
            hits += 1
        return Finding(reason, holds, hits, sentence, numbers)

    def _within(self, what: str, found: Estimate, bound: float) -> _Says:
        return (
            found.below(bound, margin=self.margin),
            f"{what} {found.value:.3g} (Monte Carlo error {found.mcse:.1g}); wanted {bound:.3g}",
            {what: found.value, "mcse": found.mcse, "wanted": bound},
        )

    def _precision(self, past: Sequence[State]) -> _Says:
        assert self.width is not None
        return self._within("interval width", past[-1].width, self.width)

    def _regret(self, past: Sequence[State]) -> _Says:
        assert self.regret is not None
        return self._within("expected loss", past[-1].regret, self.regret)

    def _value(self, past: Sequence[State]) -> _Says:
        assert self.price is not None
        if not math.isfinite(past[-1].cheapest):
            return False, "no candidate is left to weigh against", {"cheapest": math.inf}
        return self._within(
            "value of perfect information", past[-1].evpi, self.price * past[-1].cheapest
        )

    def _decision_stable(self, past: Sequence[State]) -> _Says:
        same = 1
        while same < len(past) and past[-1 - same].decision == past[-1].decision:
            same += 1
        pairs = ((past[-1].width, self.width), (past[-1].regret, self.regret))
        near = any(
            found.below(self.slack * bound, margin=self.margin)
            for found, bound in pairs
            if bound is not None
        )
        return (
            same >= self.stable and near,
            f"decision {past[-1].decision:.3g} at {same} fit(s) in a row, wanted {self.stable};"
            f" {'' if near else 'not '}within {self.slack:g} times what was asked for",
            {"decision": past[-1].decision, "fits": same, "wanted": self.stable},
        )

    def _infeasible(self, past: Sequence[State]) -> _Says:
        last = past[-1]
        if last.forecast is None:
            return False, "no plan to what was asked for was made", {}
        reach = "" if last.reachable is None else f"; width {last.reachable:.3g} can be reached"
        plan = (
            f"the cheapest plan to what was asked for needs {last.forecast:.3g} FLOPs"
            if math.isfinite(last.forecast)
            else "no plan reaches what was asked for"
        )
        return (
            last.forecast > last.budget_left,
            f"{plan}; {_left(last)}{reach}",
            {"forecast": last.forecast, "budget left": last.budget_left}
            | ({} if last.reachable is None else {"reachable width": last.reachable}),
        )

    def _budget(self, past: Sequence[State]) -> _Says:
        last = past[-1]
        dear = (
            f"the cheapest option costs {last.cheapest:.3g} FLOPs"
            if math.isfinite(last.cheapest)
            else "no candidate is left"
        )
        return (
            last.cheapest > last.budget_left,
            f"{dear}; {_left(last)}",
            {"cheapest": last.cheapest, "budget left": last.budget_left},
        )

    def _certify(self, met: Finding, last: State) -> Stop:
        """The end on a ground that certifies, or, where a check did not pass, on that."""
        assert last.checks is not None
        caveats = tuple(filter(None, [last.floor.gap]))
        names = [check.name for check in last.checks]
        absent = [name for name in self.required if name not in names]
        bad = [check for check in last.checks if check.passed is not True]
        if not bad and not absent:
            span = _span(last.checks)
            sentence = f"{_capital(met.sentence)}. Every check of the model passed{_reach(span)}."
            return Stop(met.reason, True, last.round, met.numbers, sentence, caveats, span)
        why = [check.sentence.rstrip(".") for check in bad]
        why += [f"the check {name!r} was not made" for name in absent]
        return Stop(
            StopReason.MODEL_CHECK,
            False,
            last.round,
            {check.name: check.value for check in bad},
            f"Not certified: {'; '.join(why)}. But for that: {met.sentence}.",
            caveats,
        )

    def _too_wide(self, stop: Stop) -> tuple[str, ...]:
        """What keeps a certificate back: without some of the runs the answer is not as precise.

        A law that is wrong by a little passes every test and moves every interval by a little;
        what all fits leave open is what may be promised.
        """
        if not stop.certified or stop.span is None or self.width is None:
            return ()
        # A small loss of the decision, or its worth, is no promise of a width.
        factors = {StopReason.PRECISION: 1.0, StopReason.DECISION_STABLE: self.slack}
        bound = self.width * factors.get(stop.reason, math.inf)
        wide = stop.span[1] - stop.span[0]
        if wide <= bound:
            return ()
        return (
            "an answer as precise where runs are left out: the intervals of all fits together are"
            f" {wide:.3g} wide, wanted {bound:.3g}",
        )

    def _give_up(
        self, findings: Sequence[Finding], last: State, lacks: Sequence[str]
    ) -> Stop | None:
        """The end without a certificate: nothing can be bought, or nothing that helps."""
        by_reason = {finding.reason: finding for finding in findings}
        for reason, hits in ((StopReason.BUDGET, 1), (StopReason.INFEASIBLE, self.hits)):
            found = by_reason[reason]
            if found.hits >= hits:
                lacking = (
                    f"A rule was met, and this was lacking: {'; '.join(lacks)}." if lacks else ""
                )
                caveats = tuple(filter(None, [lacking, last.floor.gap]))
                sentence = f"Not certified: {found.sentence}."
                return Stop(reason, False, last.round, found.numbers, sentence, caveats)
        return None


def _left(state: State) -> str:
    if math.isinf(state.budget_left):
        return "no budget was named"
    return f"{state.budget_left:.3g} are left"


def _span(checks: Sequence[ModelCheck]) -> tuple[float, float] | None:
    spans = [check.span for check in checks if check.span is not None]
    if not spans:
        return None
    return min(low for low, _ in spans), max(high for _, high in spans)


def _reach(span: tuple[float, float] | None) -> str:
    if span is None:
        return ""
    return f"; the intervals of all fits are within {span[0]:.3g} to {span[1]:.3g}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
