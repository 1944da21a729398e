"""Why this run: what it is expected to do to the interval, its cost, and what came next."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bayescmr.design.outlook import Candidate, Option
from bayescmr.design.policy import Pick
from bayescmr.planning.advice import Advice
from bayescmr.values import plain
from bayescmr.words import short

#: Rivals that are shown.
RIVALS = 3


@dataclass(frozen=True)
class Leg:
    """One run of an option.

    Parameters
    ----------
    size : float
        Non-embedding parameters.
    domain : str
        Domain corpus.
    ratio : float
        Domain share.
    seed : int
        Of the data order.
    start, until : float
        CPT tokens from which, and to which, it is trained.
    """

    size: float
    domain: str
    ratio: float
    seed: int
    start: float
    until: float

    @property
    def words(self) -> str:
        """The run in words."""
        what = f"{'go on with ' if self.start else ''}{short(self.size)} parameters"
        span = f"{short(self.start)} to {short(self.until)}" if self.start else short(self.until)
        return f"{what}, ratio {self.ratio:g}, {span} tokens, seed {self.seed}"


@dataclass(frozen=True)
class Worth:
    """What an option is thought to be worth.

    Parameters
    ----------
    legs : tuple of Leg
        Its runs.
    cost : float
        FLOPs.
    width : float
        Expected width of the interval after it; not a number where the CMR is all but certain.
    score, relative : float
        What is maximised, and as a share of the best option's.
    rank : int
        1 for the best score.
    propensity : float
        Probability with which it would have been picked.
    """

    legs: tuple[Leg, ...]
    cost: float
    width: float
    score: float
    relative: float
    rank: int
    propensity: float


@dataclass(frozen=True)
class Explanation:
    """A pick, what speaks for it, and what came next.

    Parameters
    ----------
    pick : Worth
        The choice.
    rivals : tuple of Worth
        The best of the others.
    width, prob : float
        Width of the interval now, and its probability.
    options : int
        How many could have been picked.
    explored : bool
        True if another had the better score: picked at random, so that rules can be compared
        later and a law that is wrong elsewhere is found out.
    """

    pick: Worth
    rivals: tuple[Worth, ...]
    width: float
    prob: float
    options: int
    explored: bool

    @property
    def sentence(self) -> str:
        """The reasons in words."""
        runs = " and ".join(leg.words for leg in self.pick.legs)
        kind = "a pair, whose worth is joint: " if len(self.pick.legs) > 1 else ""
        after = (
            f"expected to take the {self.prob:.0%} interval from {100 * self.width:.3g} to"
            f" {100 * self.pick.width:.3g} points wide"
            if math.isfinite(self.pick.width)
            else "expected to tell where the CMR lies, which most draws put at 0 or 1"
        )
        if self.explored:
            why = (
                f"picked at random (probability {self.pick.propensity:.1%}), ranked"
                f" {self.pick.rank} of {self.options}: what exploration costs, so that a law that"
                " is wrong here would show"
            )
        elif self.rivals:
            second = self.rivals[0]
            why = (
                f"the best of {self.options} for its cost; the next"
                f" ({' and '.join(leg.words for leg in second.legs)}) is worth"
                f" {second.relative:.0%} of it"
            )
        else:
            why = "the only one that can be had"
        return f"{kind}{runs}: {self.pick.cost:.3g} FLOPs, {after}; {why}."

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data; what is not finite is None."""
        found: dict[str, Any] = plain({**asdict(self), "sentence": self.sentence})
        return found


def explain(advice: Advice, pick: Pick) -> Explanation:
    """Say what a pick is for."""
    scores = pick.scores
    order = np.argsort(-scores.score, kind="stable")
    rank = {int(n): i + 1 for i, n in enumerate(order)}
    best = float(scores.score[order[0]])
    wide = advice.state.width.value
    variance = advice.outlook.variance
    reduction = scores.diagnostics.get("reduction")

    def worth(n: int) -> Worth:
        left = math.nan
        if reduction is not None and variance > 0 and np.isfinite(reduction[n]):
            left = wide * math.sqrt(max(0.0, 1.0 - float(reduction[n]) / variance))
        score = float(scores.score[n])
        return Worth(
            legs=legs_of(advice, scores.options[n]),
            cost=float(scores.cost[n]),
            width=left,
            score=score,
            relative=score / best if best > 0 else math.nan,
            rank=rank[n],
            propensity=float(pick.propensities[n]),
        )

    chosen = worth(pick.option)
    can = [int(n) for n in order if np.isfinite(scores.score[n])]
    others = [n for n in can if n != pick.option][:RIVALS]
    return Explanation(
        pick=chosen,
        rivals=tuple(worth(n) for n in others),
        width=wide,
        prob=advice.task.prob,
        options=len(can),
        explored=chosen.rank > 1,
    )


def legs_of(advice: Advice, option: Option) -> tuple[Leg, ...]:
    """Runs of an option of the advice's outlook."""
    return tuple(leg_of(advice.outlook.trajectories[i].candidate, k) for i, k in option.parts)


def leg_of(candidate: Candidate, checkpoint: int) -> Leg:
    """A candidate up to one of its checkpoints."""
    c = candidate
    return Leg(c.size, c.domain, c.ratio, c.seed, c.reached, c.checkpoints[checkpoint])
