"""What a campaign knows after a fit, and how it may end: typed, certified or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bayescmr.design.floor import Floor
from bayescmr.design.model_check import ModelCheck
from bayescmr.design.precision import Estimate
from bayescmr.errors import DesignError


class StopReason(StrEnum):
    """Why a campaign ends."""

    PRECISION = "precision"
    REGRET = "regret"
    VALUE = "value"
    DECISION_STABLE = "decision stable"
    INFEASIBLE = "infeasible"
    BUDGET = "budget"
    MODEL_CHECK = "model check"

    @property
    def certifies(self) -> bool:
        """Whether a result may be called certain on this ground, its model checks passing."""
        return self in _CERTIFYING


_CERTIFYING = (
    StopReason.PRECISION,
    StopReason.REGRET,
    StopReason.VALUE,
    StopReason.DECISION_STABLE,
)


@dataclass(frozen=True)
class State:
    """What is known after one fit.

    Parameters
    ----------
    round : int
        Number of the fit; each has seen losses that the one before had not.
    width : Estimate
        Of the interval of the CMR.
    regret : Estimate
        Expected loss of the decision.
    evpi : Estimate
        Most that probes could save of it.
    decision : float
        Ratio that would be launched, on the grid of ratios.
    forecast : float or None
        FLOPs of the cheapest plan that reaches the precision asked for; infinite where none does,
        None where none was asked for or planned.
    reachable : float or None
        Width that the budget left is expected to reach; None where it was not planned.
    budget_left : float
        FLOPs neither spent nor reserved.
    cheapest : float
        FLOPs of the cheapest option; infinite where no candidate is left.
    floor : Floor
        What has been probed.
    checks : tuple of ModelCheck or None
        Of this fit; None where they have not been made. They need refits, so they are made when
        `Assessment.wants_checks` asks for them.
    """

    round: int
    width: Estimate
    regret: Estimate
    evpi: Estimate
    decision: float
    forecast: float | None
    reachable: float | None
    budget_left: float
    cheapest: float
    floor: Floor
    checks: tuple[ModelCheck, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("decision", "forecast", "reachable", "budget_left", "cheapest"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise DesignError(
                    f"round {self.round}: {name}: got {value}, expected a number >= 0"
                )


@dataclass(frozen=True)
class Stop:
    """The end of a campaign.

    Parameters
    ----------
    reason : StopReason
        Why.
    certified : bool
        Whether what was asked for was reached and every check of the model passed.
    round : int
        After which fit.
    numbers : mapping from str to float
        What the reason rests on.
    sentence : str
        The same in words.
    caveats : tuple of str
        What must be said beside the result.
    span : (float, float) or None
        Of a certified result: the range in which the CMR lies by all fits, those of the checks
        included; None where no check fitted anew.
    """

    reason: StopReason
    certified: bool
    round: int
    numbers: Mapping[str, float]
    sentence: str
    caveats: tuple[str, ...] = ()
    span: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.certified and not self.reason.certifies:
            raise DesignError(f"stop: {self.reason.value!r} never certifies a result")


@dataclass(frozen=True)
class Finding:
    """What one rule says of the last fit.

    Parameters
    ----------
    reason : StopReason
        The rule.
    holds : bool
        Whether its condition is met at the last fit.
    hits : int
        At how many fits in a row it has been met, the last included.
    sentence : str
        The condition with its numbers.
    numbers : mapping from str to float
        The numbers.
    """

    reason: StopReason
    holds: bool
    hits: int
    sentence: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Assessment:
    """What all rules say, and what follows.

    Parameters
    ----------
    findings : tuple of Finding
        Of every rule for which a threshold was given.
    stop : Stop or None
        None: go on.
    wants_checks : bool
        A rule that certifies is met and the checks of the model have not been made: make them, put
        them into the last state, and assess again.
    held_back : tuple of str
        What is still to be probed, or reached, before the rule that is met may end the campaign.
    """

    findings: tuple[Finding, ...]
    stop: Stop | None
    wants_checks: bool = False
    held_back: tuple[str, ...] = ()
