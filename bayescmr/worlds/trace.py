"""What came of a policy in a world: one entry for each fit, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Round:
    """What was known after one fit.

    Parameters
    ----------
    spent : float
        FLOPs of all runs in the fit.
    runs : int
        How many runs.
    median, lower, upper, sd : float
        Posterior of the CMR: median, equal-tailed 90 % interval, standard deviation.
    p_none, p_all : float
        Probability that no ratio, and that every ratio, keeps the tolerance.
    rank : float
        Posterior probability of less than the truth, ties counted half.
    decision : float
        Largest ratio whose risk is at most the one allowed, next run's effect included.
    rhat, ess : float
        Worst R-hat of any quantity, least effective draws of any.
    cmr_rhat, cmr_ess : float
        The same of the CMR at the target alone.
    divergences : int
        After warm-up.
    problems : tuple of str
        What the gates of a fit say; empty where it converged.
    pit : tuple of float
        Of the losses that came in since the last fit, each given those before.
    seconds : float
        Of the fit and of choosing what came before it.
    """

    spent: float
    runs: int
    median: float
    lower: float
    upper: float
    sd: float
    p_none: float
    p_all: float
    rank: float
    decision: float
    rhat: float
    ess: float
    cmr_rhat: float
    cmr_ess: float
    divergences: int
    problems: tuple[str, ...]
    pit: tuple[float, ...]
    seconds: float

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.upper - self.lower


@dataclass(frozen=True)
class Ending:
    """Where the stop rules would have ended the campaign; it is played on for comparison.

    Parameters
    ----------
    round : int
        Index of the fit.
    reason : str
        Of `bayescmr.design.stopping.StopReason`.
    certified : bool
        Whether the result may be called certain.
    sentence : str
        Why.
    lower, upper : float or None
        The certified range of the CMR; None without a certificate.
    """

    round: int
    reason: str
    certified: bool
    sentence: str
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Trace:
    """One policy in one world.

    Parameters
    ----------
    policy : str
        Its name.
    truth : float
        True CMR.
    full_run : float
        FLOPs of one run of the target's size and tokens: the unit of spend.
    rounds : tuple of Round
        By spend.
    bought : tuple of (float, float, int, float)
        Size, ratio, seed and tokens of every run, in the order in which they were begun.
    ending : Ending or None
        None where the stop rules never ended it, or none were given.
    """

    policy: str
    truth: float
    full_run: float
    rounds: tuple[Round, ...]
    bought: tuple[tuple[float, float, int, float], ...]
    ending: Ending | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for files."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Trace:
        """Read what `to_dict` gave."""
        rounds = tuple(
            Round(**{**r, "pit": tuple(r["pit"]), "problems": tuple(r["problems"])})
            for r in data["rounds"]
        )
        bought = tuple((float(n), float(r), int(s), float(t)) for n, r, s, t in data["bought"])
        ending = Ending(**data["ending"]) if data["ending"] else None
        return cls(data["policy"], data["truth"], data["full_run"], rounds, bought, ending)
