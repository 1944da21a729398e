"""The frame of the chains: an affine map that makes the posterior all but standard normal.

Parameters that runs determine together are correlated, and a sampler that learns this
from one chain alone needs long. Here all chains learn it together: from the curvature at
the mode, then from draws and the gradients there. For a Gaussian with covariance S the
gradients have the covariance S^-1 C S^-1 wherever the draws (of covariance C) come from, so
the M with M cov(gradients) M = cov(draws) is S, exactly and without Monte Carlo error, be
they draws of a rehearsal or of an earlier posterior. This M minimises the Fisher divergence:
Seyboldt, Carlson, Carpenter 2026, arXiv 2603.18845, which the sampler's own adaptation is
built on, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

Float = npt.NDArray[np.float64]

#: Added to both covariances. Directions that the draws do not span keep the scale they have.
_GAMMA = 1e-5


@dataclass(frozen=True)
class Frame:
    """A point is ``centre + factor @ w``; chains move in w.

    Parameters
    ----------
    centre : ndarray, shape (dimension,)
        Where w = 0 is.
    factor : ndarray, shape (dimension, dimension)
        Lower triangle; ``factor @ factor.T`` approximates the posterior covariance.
    """

    centre: Float
    factor: Float

    @classmethod
    def identity(cls, dimension: int) -> Frame:
        """The frame in which w is the point itself."""
        return cls(np.zeros(dimension), np.eye(dimension))

    @classmethod
    def around(cls, centre: Float, covariance: Float) -> Frame:
        """The frame of a Gaussian."""
        return cls(centre, np.linalg.cholesky(covariance))

    def inward(self, points: Float) -> Float:
        """Map points, shape (points, dimension), to w."""
        return np.asarray(solve_triangular(self.factor, (points - self.centre).T, lower=True).T)

    def arrays(self) -> list[Float]:
        """What the compiled function reads: centre, factor, factor transposed."""
        return [self.centre, self.factor, self.factor.T]

    def refined(self, draws: Float, gradients: Float) -> Frame:
        """The frame in which draws and gradients have the same covariance.

        Parameters
        ----------
        draws, gradients : ndarray, shape (draws, dimension)
            Near the posterior, and of the log density there; both with respect to w.
        """
        near = _covariance(draws)
        root, back = _power(near, 0.5), _power(near, -0.5)
        inverse = _power(_covariance(gradients), -1.0)
        covariance = root @ _power(back @ inverse @ back, 0.5) @ root
        lower = np.linalg.cholesky(0.5 * (covariance + covariance.T))
        return Frame(self.centre + self.factor @ draws.mean(axis=0), self.factor @ lower)


def _covariance(values: Float) -> Float:
    return np.cov(values, rowvar=False) + _GAMMA * np.eye(values.shape[1])


def _power(matrix: Float, exponent: float) -> Float:
    """Power of a symmetric positive matrix."""
    values, axes = np.linalg.eigh(0.5 * (matrix + matrix.T))
    least = np.finfo(float).eps * values[-1]
    return np.asarray((axes * np.maximum(values, least) ** exponent) @ axes.T)
