"""Ways in which a world departs from the law that is fitted to it.

Each takes a mean or the residuals of a run and gives another; several may be combined, in order.
Sizes and tokens are relative to the target's: ``n = N / N*``, ``t = T / T*``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from scipy.stats import t as student

Float = npt.NDArray[np.float64]
#: Mean change of the loss (nats/token) of a size relative to the target's, of arrays of relative
#: tokens and of ratios that broadcast.
Mean = Callable[[float, Float, Float], Float]


class Departure:
    """Nothing departs; others change one of the two."""

    def mean(self, law: Mean) -> Mean:
        """Mean of all runs, given that of the law."""
        return law

    def residual(self, residual: Float, innovations: Float, root: Float, luck: Float) -> Float:
        """Residuals of one run.

        Parameters
        ----------
        residual : ndarray, shape (checkpoints,)
            What was to be: ``root @ innovations``.
        innovations : ndarray, shape (checkpoints,)
            Standard normal.
        root : ndarray, shape (checkpoints, checkpoints)
            Cholesky factor of the covariance; a shorter run has its leading block.
        luck : ndarray, shape (2,)
            Uniform on (0, 1), the run's own.
        """
        return residual


@dataclass(frozen=True)
class SizeByTime(Departure):
    """Size and time interact: the rise is multiplied by ``exp(strength ln n ln t)``.

    Parameters
    ----------
    strength : float
        Either sign. At 0.02 a run of N*/64 and T*/128 rises by half as much again.
    """

    strength: float

    @override
    def mean(self, law: Mean) -> Mean:
        return lambda n, t, ratio: law(n, t, ratio) * np.exp(self.strength * np.log(n) * np.log(t))


@dataclass(frozen=True)
class NonMonotone(Departure):
    """A ratio that hurts more than those above it: a hump, growing with tokens.

    Parameters
    ----------
    height : float
        nats/token at T*.
    at, breadth : float
        Ratio of its middle, and its standard deviation.
    """

    height: float
    at: float
    breadth: float = 0.08

    @override
    def mean(self, law: Mean) -> Mean:
        def changed(n: float, t: Float, ratio: Float) -> Float:
            hump = np.exp(-0.5 * ((ratio - self.at) / self.breadth) ** 2)
            return law(n, t, ratio) + self.height * t**0.3 * hump

        return changed


@dataclass(frozen=True)
class Annealed(Departure):
    """Runs of full length end with a falling rate, so no checkpoint is a valid shorter run.

    Parameters
    ----------
    gain : float
        What the end of the schedule lowers the loss by, nats/token.
    start : float
        Share of T* from which it does, linearly.
    """

    gain: float
    start: float = 0.8

    @override
    def mean(self, law: Mean) -> Mean:
        def changed(n: float, t: Float, ratio: Float) -> Float:
            done = np.clip((t - self.start) / (1.0 - self.start), 0.0, 1.0)
            return law(n, t, ratio) - self.gain * done

        return changed


@dataclass(frozen=True)
class HeavyTails(Departure):
    """Innovations are Student's t: run effects and single checkpoints are off by far now and then.

    Parameters
    ----------
    freedom : float
        Degrees of freedom; the scale stays, so the variance grows.
    """

    freedom: float = 3.0

    @override
    def residual(self, residual: Float, innovations: Float, root: Float, luck: Float) -> Float:
        heavy = student.ppf(norm.cdf(innovations), self.freedom)
        return np.asarray(residual + root @ (heavy - innovations))


@dataclass(frozen=True)
class OutlierRuns(Departure):
    """Some runs are off as a whole, by so many standard deviations of their first checkpoint.

    Parameters
    ----------
    share : float
        Of runs.
    deviations : float
        Either sign, with equal odds.
    """

    share: float = 0.05
    deviations: float = 6.0

    @override
    def residual(self, residual: Float, innovations: Float, root: Float, luck: Float) -> Float:
        if luck[0] >= self.share:
            return residual
        return np.asarray(residual + np.copysign(self.deviations, luck[1] - 0.5) * root[0, 0])


@dataclass(frozen=True)
class WiderRuns(Departure):
    """Residuals are so many times as large as the world's own scales say.

    Parameters
    ----------
    factor : float
        Of the standard deviation.
    """

    factor: float = 2.0

    @override
    def residual(self, residual: Float, innovations: Float, root: Float, luck: Float) -> Float:
        return residual * self.factor
