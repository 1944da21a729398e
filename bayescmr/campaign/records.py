"""What goes into a store of campaigns and what comes out, as plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bayescmr.runners.contract import LossRow as LossRow

State = Literal["running", "paused", "stopped"]
#: Of an attempt that is under way: paid for from the reserve, not yet settled.
Open = Literal["reserved", "submitted"]
#: ``done``: reached ``until``. ``stopped``: saved before, may be gone on with. ``lost``: nobody
#: knows what became of it.
Outcome = Literal["done", "stopped", "diverged", "failed", "lost"]

STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[Open, ...] = get_args(Open)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

#: Name of the runner of attempts that people make themselves.
BY_HAND = "by hand"
#: Relative rounding of a sum of FLOPs: three attempts of a third of the budget each fit into it.
ROUNDING = 1e-9


@dataclass(frozen=True)
class CampaignRow:
    """A campaign: its name, configuration (plain JSON data), state, why, and when it was made."""

    name: str
    config: dict[str, Any]
    state: State
    reason: str
    created: str


@dataclass(frozen=True)
class Budget:
    """FLOPs of a campaign: allowed, charged so far, and set aside for attempts under way."""

    total: float
    spent: float
    reserved: float

    @property
    def left(self) -> float:
        """FLOPs that can still be reserved."""
        return max(0.0, self.total - self.spent - self.reserved)


@dataclass(frozen=True)
class Part:
    """One run of an option, up to ``until`` tokens."""

    run: str
    size: float
    domain: str
    ratio: float
    seed: int
    until: int


@dataclass(frozen=True)
class OptionRecord:
    """Something that could have been done, as the policy saw it.

    Parameters
    ----------
    parts : tuple of Part
        Runs that would have been made or gone on with, together.
    score : float
        What the policy maximises; may be -inf (cannot be afforded).
    value : float
        Expected benefit, in units of the policy.
    cost : float
        FLOPs.
    propensity : float
        Probability with which it would have been picked, in [0, 1].
    diagnostics : mapping from str to float
        Other numbers; not finite ones are kept as None.
    """

    parts: tuple[Part, ...]
    score: float
    value: float
    cost: float
    propensity: float
    diagnostics: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class PickRecord:
    """One choice: all options with their propensities (sum 1), and which was chosen."""

    options: tuple[OptionRecord, ...]
    chosen: int


@dataclass(frozen=True)
class RoundRecord:
    """One fit and what was decided on it.

    Parameters
    ----------
    number : int
        1 for the first; each is one more than the last, so that none is recorded twice.
    fingerprint : str
        Of the run table.
    posterior : dict
        Summary of the posterior, plain JSON data.
    seed : int
        Of the fit and the choices.
    policy, software : str
        Name of the policy; version of bayescmr.
    spent : float
        FLOPs charged so far.
    forecast : float or None
        FLOPs still needed, where that can be told.
    decision : dict
        Plain JSON data: ratio, risk, stop reason or None.
    picks : tuple of PickRecord
        Choices, in order; none where the campaign stops.
    """

    number: int
    fingerprint: str
    posterior: dict[str, Any]
    seed: int
    policy: str
    software: str
    spent: float
    forecast: float | None
    decision: dict[str, Any]
    picks: tuple[PickRecord, ...] = ()


@dataclass(frozen=True)
class RoundRow:
    """A recorded round; of each pick only the option that was chosen (`Store.options` has all)."""

    number: int
    fingerprint: str
    posterior: dict[str, Any]
    seed: int
    policy: str
    software: str
    spent: float
    forecast: float | None
    decision: dict[str, Any]
    chosen: tuple[OptionRecord, ...]
    created: str


@dataclass(frozen=True)
class NewAttempt:
    """A run to be trained up to ``until`` tokens.

    Parameters
    ----------
    run : str
        Name of the run; its identity is size, domain, ratio, seed and planned tokens.
    size : float
        Non-embedding parameters (count).
    domain : str
        Domain corpus.
    ratio : float
        Domain share, in [0, 1].
    seed : int
        Of the data order.
    tokens : int
        CPT tokens planned for the whole run.
    checkpoints : tuple of int
        CPT tokens at which losses are measured.
    until : int
        CPT tokens at which this attempt ends, at most ``tokens``.
    cost : float
        FLOPs to reserve: the most that it can be charged.
    """

    run: str
    size: float
    domain: str
    ratio: float
    seed: int
    tokens: int
    checkpoints: tuple[int, ...]
    until: int
    cost: float


@dataclass(frozen=True)
class Attempt:
    """An attempt in the store: what was asked (as in `NewAttempt`) and what became of it.

    Parameters
    ----------
    key : str
        ``RUN-NUMBER``, unique in a campaign.
    number : int
        1 for the first attempt of a run.
    round : int
        Number of the round that chose it.
    state : str
        ``reserved``, ``submitted``, or the outcome it was settled with.
    runner, handle : str, dict or None
        Where it was submitted, and how to ask about it; None while it is ``reserved``.
    beats : int
        The last that was seen of it.
    reached_tokens : int or None
        CPT tokens trained in all when it was settled.
    charge : float or None
        FLOPs charged when it was settled.
    exit_code : int or None
        Of its command.
    reason : str
        Last words, for people.
    """

    key: str
    run: str
    number: int
    round: int
    size: float
    domain: str
    ratio: float
    seed: int
    tokens: int
    checkpoints: tuple[int, ...]
    until: int
    cost: float
    state: Open | Outcome
    runner: str | None
    handle: dict[str, Any] | None
    beats: int
    reached_tokens: int | None
    charge: float | None
    exit_code: int | None
    reason: str

    @property
    def is_open(self) -> bool:
        """True until it is settled."""
        return self.state in OPEN


@dataclass(frozen=True)
class Event:
    """A row of the ledger; ``hash`` covers all of it and the hash of the row before."""

    number: int
    kind: str
    at: str
    content: dict[str, Any]
    hash: str
