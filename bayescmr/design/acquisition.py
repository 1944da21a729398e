"""Rules that say what each run is worth: a benefit, from covariances of draws, per cost."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Set
from dataclasses import dataclass
from typing import ClassVar, override

import numpy as np
import numpy.typing as npt

from bayescmr.design.joint import joint_gains
from bayescmr.design.moments import Gain, Moments
from bayescmr.design.outlook import Option, Outlook
from bayescmr.design.policy import Scores
from bayescmr.design.targets import MAX_CENSORED, crossing_weights, even_weights
from bayescmr.errors import DesignError

Float = npt.NDArray[np.float64]

#: Share of a variance that no single option is taken to explain, where a logarithm would explode.
_MOST = 0.999
#: Half-width in sds of the straddle heuristic (Bryan et al. 2005).
_STRADDLE = 1.96


@dataclass(frozen=True)
class Acquisition(ABC):
    """A benefit, and how much cost counts against it.

    Parameters
    ----------
    exponent : float
        The score is ``value / cost ** exponent``; 0 is blind to cost, 1 is benefit per FLOP.
    """

    exponent: float = 0.7

    name: ClassVar[str]
    #: True for a benefit that two runs may have together and neither alone.
    joint: ClassVar[bool] = True
    #: True for a drop of the variance of targets, weighted by ``Targets.weighing``.
    of_variance: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.exponent < math.inf:
            raise DesignError(
                f"exponent of cost: got {self.exponent}, expected a number >= 0 (0 ignores cost)"
            )

    def weights(self, outlook: Outlook) -> Float | None:
        """How much the loss at each ratio matters; None where the CMR itself is looked at."""
        return None

    @abstractmethod
    def value(self, gain: Gain) -> Float:
        """Benefit, of the shape of ``gain.information``."""

    def moments(self, outlook: Outlook) -> Moments:
        """Moments of an outlook with all that this rule looks at."""
        return Moments.of(outlook, weights=self.weights(outlook))

    def score(
        self, moments: Moments, *, budget: float = math.inf, taken: Set[int] = frozenset()
    ) -> Scores:
        """Every option, each at the length with the largest score that can be afforded.

        Parameters
        ----------
        moments : Moments
            Given pending runs and earlier picks; made by ``self.moments``.
        budget : float
            FLOPs that are left.
        taken : set of int
            Trajectories that are picked already.

        Returns
        -------
        Scores
            Trajectories in the order of the outlook, then its pairs. An option that cannot be had
            is at its cheapest length and has score -inf. Diagnostics: ``reduction`` (expected drop
            of the variance of the CMR) and ``information`` (nats about all that losses depend on).
        """
        outlook = moments.outlook
        options: dict[int, Option] = {}
        numbers: dict[int, Float] = {}
        for group in moments.groups:
            free = np.array([i not in taken for i in group.members])
            at, best = self._best_lengths(moments.gain(group), group.cost, free, budget)
            for i, (k,), row in zip(group.members.tolist(), at, best, strict=True):
                options[i], numbers[i] = Option(((i, k),)), row
        for pairs, gain, cost in joint_gains(moments) if self.joint else ():
            free = np.array([taken.isdisjoint(outlook.pairs[p]) for p in pairs])
            at, best = self._best_lengths(gain, cost, free, budget)
            for p, lengths, row in zip(pairs, at, best, strict=True):
                place = len(outlook.trajectories) + p
                options[place] = Option(tuple(zip(outlook.pairs[p], lengths, strict=True)))
                numbers[place] = row
        order = sorted(options)
        table = np.array([numbers[place] for place in order]).reshape(-1, 5)
        value, costs, score, reduction, information = table.T
        return Scores(
            tuple(options[place] for place in order),
            value,
            costs,
            score,
            {"reduction": reduction, "information": information},
        )

    def per_cost(self, value: Float, cost: Float) -> Float:
        """Score of benefits; one below zero (straddle) is the worse the more it costs."""
        power = cost**self.exponent
        return np.where(value < 0, value * power, value / power)

    def _best_lengths(
        self, gain: Gain, cost: Float, free: npt.NDArray[np.bool_], budget: float
    ) -> tuple[list[tuple[int, ...]], Float]:
        """Lengths at which each option scores best, and a row of its numbers there."""
        value = self.value(gain)
        score = self.per_cost(value, cost)
        can = (cost <= budget) & free.reshape(-1, *(1,) * (cost.ndim - 1))
        score = np.where(can, score, -np.inf)
        n = len(cost)
        columns = np.stack([value, cost, score, gain.cmr, gain.information], axis=-1)
        columns = columns.reshape(n, -1, 5)
        # Costs ascend, so of equals, and where nothing can be had, it is the cheapest.
        best = columns[:, :, 2].argmax(axis=1)
        lengths = np.column_stack(np.unravel_index(best, cost.shape[1:]))
        return [tuple(row) for row in lengths.tolist()], columns[np.arange(n), best]


@dataclass(frozen=True)
class PosteriorVariance(Acquisition):
    """Expected drop of the posterior variance of the CMR.

    Where more than 5 % of draws have a CMR of 0 or 1 it is that of `LossVariance`.
    """

    name: ClassVar[str] = "variance"
    of_variance: ClassVar[bool] = True

    @override
    def weights(self, outlook: Outlook) -> Float | None:
        return crossing_weights(outlook) if outlook.censored > MAX_CENSORED else None

    @override
    def value(self, gain: Gain) -> Float:
        return np.asarray(gain.reduction @ gain.weighing)


@dataclass(frozen=True)
class Epig(Acquisition):
    """Expected information about the loss at the target near the crossing, in nats.

    Expected predictive information gain (Bickford Smith et al. 2023, arXiv 2304.08151) for jointly
    Gaussian losses, of the noise-free loss.
    """

    name: ClassVar[str] = "epig"

    @override
    def weights(self, outlook: Outlook) -> Float:
        return crossing_weights(outlook)

    @override
    def value(self, gain: Gain) -> Float:
        share = gain.excess / np.where(gain.variance[1:] > 0, gain.variance[1:], np.inf)
        return np.asarray(-0.5 * np.log1p(-np.minimum(share, _MOST)) @ gain.weighing[1:])


@dataclass(frozen=True)
class Information(Acquisition):
    """Information about all that the losses depend on, in nats: D-optimal design.

    It does not know what is to be learnt; a rule to compare with.
    """

    name: ClassVar[str] = "information"

    @override
    def value(self, gain: Gain) -> Float:
        return gain.information


@dataclass(frozen=True)
class LossVariance(PosteriorVariance):
    """Expected drop of the variance of the general loss at the target, near the CMR.

    Each ratio is weighted by how likely the loss crosses its tolerance there (targeted IMSE,
    Picheny et al. 2010, doi 10.1115/1.4001873). Losses are nearly linear in what other losses
    tell, the CMR is not.
    """

    name: ClassVar[str] = "loss_variance"

    @override
    def weights(self, outlook: Outlook) -> Float:
        return crossing_weights(outlook)


@dataclass(frozen=True)
class VOptimal(PosteriorVariance):
    """Expected drop of the variance of the general loss at the target, all ratios alike.

    It knows the target, not the tolerance; a rule to compare with.
    """

    name: ClassVar[str] = "v_optimal"

    @override
    def weights(self, outlook: Outlook) -> Float:
        return even_weights(outlook)


@dataclass(frozen=True)
class Straddle(Acquisition):
    """Where the run's own loss may lie on either side of the tolerance.

    ``1.96 sd - |mean excess|`` at the last checkpoint (Bryan et al. 2005). It looks at the
    candidate's crossing, not at the target's; a rule to compare with.

    Parameters
    ----------
    exponent : float
        See `Acquisition`; blind to cost by default.
    """

    exponent: float = 0.0

    name: ClassVar[str] = "straddle"
    joint: ClassVar[bool] = False

    @override
    def value(self, gain: Gain) -> Float:
        return np.asarray(_STRADDLE * gain.excess_sd - np.abs(gain.excess_mean))
