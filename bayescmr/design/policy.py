"""What every rule of design returns, and the one method that all rules share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bayescmr.design.outlook import Option, Outlook

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Every option with what it is worth.

    Parameters
    ----------
    options : tuple of Option
        What could be done, each trajectory at its best length; pairs behind.
    value : ndarray, shape (options,)
        Expected benefit, in units of the rule (variance of the CMR for the default).
    cost : ndarray, shape (options,)
        FLOPs.
    score : ndarray, shape (options,)
        What is maximised; -inf for what cannot be afforded.
    diagnostics : mapping from str to ndarray, shape (options,)
        Other numbers of each option, by name; NaN where one was not computed.
    """

    options: tuple[Option, ...]
    value: Float
    cost: Float
    score: Float
    diagnostics: Mapping[str, Float] = field(default_factory=dict)


@dataclass(frozen=True)
class Pick:
    """One choice among the options, and how it came about.

    Parameters
    ----------
    option : int
        Index into ``scores.options``.
    scores : Scores
        At the time of this pick: given earlier picks of the batch and pending runs.
    propensities : ndarray, shape (options,)
        Probability with which each option would have been picked; sums to 1.
    """

    option: int
    scores: Scores
    propensities: Float

    @property
    def chosen(self) -> Option:
        """The option."""
        return self.scores.options[self.option]

    @property
    def cost(self) -> float:
        """FLOPs of the option."""
        return float(self.scores.cost[self.option])


class Policy(Protocol):
    """A rule that says what to run next."""

    @property
    def name(self) -> str:
        """What it is called in records and tables."""
        ...

    def propose(
        self, outlook: Outlook, *, budget: float, batch: int, rng: np.random.Generator
    ) -> tuple[Pick, ...]:
        """Choose what to run next.

        Parameters
        ----------
        outlook : Outlook
            What the posterior says of the candidates.
        budget : float
            FLOPs that are left; the batch costs no more.
        batch : int
            How many options to pick at most; each is picked given the earlier ones.
        rng : Generator
            The only source of randomness.

        Returns
        -------
        tuple of Pick
            Fewer than ``batch``, or none, where no more can be afforded.
        """
        ...
