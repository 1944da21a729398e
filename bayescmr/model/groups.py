"""The group values that runs determine, and how the hierarchy's coefficients follow from them.

On its sampled scale a law parameter of a trajectory is ``coef @ row``: a mean, a
slope and effects, more of them than there are distinct groups. Runs determine
the values of a few groups only (the anchors); given these, the coefficients
follow from the prior alone. So the sampler walks in the space of the anchors,
and the coefficients are drawn afterwards from their exact conditional.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr

Float = npt.NDArray[np.float64]

#: Rows that others explain up to this share of the largest are no anchors.
_DEPENDENT = 1e-8


@dataclass(frozen=True)
class Groups:
    """Anchors of a design, in units of which every trajectory's parameters are linear.

    Parameters
    ----------
    rows : ndarray, shape (anchors, terms)
        Design rows of the anchors, linearly independent.
    weights : ndarray, shape (trajectories, anchors)
        Parameter of a trajectory = weights @ anchor values.
    components : ndarray, shape (2 + factors, anchors, anchors)
        Prior covariance of the anchors per unit variance of the mean, the slope
        and the effects of each factor.
    """

    rows: Float
    weights: Float
    components: Float

    @classmethod
    def of(cls, design: Float, factor_columns: Float) -> Groups:
        """Choose the anchors by pivoted QR of the distinct design rows.

        Parameters
        ----------
        design : ndarray, shape (trajectories, terms)
            Rows of the hierarchy.
        factor_columns : ndarray of 0/1, shape (factors, terms)
            Which factor a term belongs to; the first two terms are mean and slope.
        """
        distinct, group = np.unique(design, axis=0, return_inverse=True)
        _, triangle, order = qr(distinct.T, mode="economic", pivoting=True)
        size = np.abs(np.diag(triangle))
        rows = distinct[np.sort(order[: int(np.sum(size > _DEPENDENT * size[0]))])]
        weights = np.linalg.lstsq(rows.T, distinct.T, rcond=None)[0].T[group]
        # Anchors themselves, and whatever equals one, exactly.
        weights[np.abs(weights) < _DEPENDENT] = 0.0
        owners = np.vstack([np.eye(2, design.shape[1]), factor_columns])
        components = np.einsum("at,kt,bt->kab", rows, owners, rows)
        return cls(rows, weights, components)

    def coefficients(
        self, anchors: Float, mean: Float, sd: Float, rng: np.random.Generator
    ) -> Float:
        """Draw the coefficients given the anchor values, exactly (Matheron's rule).

        Parameters
        ----------
        anchors : ndarray, shape (..., parameters, anchors)
            Values of the anchors minus ``mean``.
        mean : ndarray, shape (parameters,)
            Prior mean of the population means.
        sd : ndarray, shape (..., parameters, terms)
            Prior sds of the coefficients.
        rng : numpy.random.Generator
            For what the anchors leave open.

        Returns
        -------
        ndarray, shape (..., parameters, terms)
            With ``coefficients @ rows.T`` equal to ``anchors + mean``.
        """
        free = sd * rng.standard_normal(sd.shape)
        spread = sd**2
        covariance = np.einsum("at,...t,bt->...ab", self.rows, spread, self.rows)
        missing = anchors - free @ self.rows.T
        pull = np.linalg.solve(covariance, missing[..., None])[..., 0]
        coef = free + spread * (pull @ self.rows)
        coef[..., 0] += mean
        return coef
