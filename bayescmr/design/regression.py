"""What losses would tell beyond the best line: regression of the CMR on simulated losses.

The expected value of sample information by regression (Strong, Oakley and Brennan 2014, doi
10.1177/0272989X13505910), as a correction of the linear value: losses are simulated once for each
draw, and a cubic in their best linear predictor is compared, on draws it was not fitted to, with
the line itself. What both share, sampling error above all, cancels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bayescmr.design.moments import cholesky

Float = npt.NDArray[np.float64]

_FOLDS = 4
_DEGREE = 3


def bend(losses: Float, noise: Float, cmr: Float, errors: Float) -> Float:
    """How much nearer a cubic comes to each draw's CMR than a line does.

    Parameters
    ----------
    losses : ndarray, shape (columns, draws)
        Expected losses.
    noise : ndarray, shape (columns, columns)
        Covariance of what is measured.
    cmr : ndarray, shape (draws,)
        What is to be learnt.
    errors : ndarray, shape (columns, draws)
        Standard normal.

    Returns
    -------
    ndarray, shape (draws,)
        Squared error of the line minus that of the cubic. The mean is what the cubic explains more
        of the variance; negative, by chance, where the line is as good.
    """
    simulated = losses + cholesky(noise) @ errors
    gain = np.zeros(len(cmr))
    fold = np.arange(len(cmr)) % _FOLDS
    for held in range(_FOLDS):
        fit, test = fold != held, fold == held
        x, goal = simulated[:, fit], cmr[fit]
        middle = x.mean(1, keepdims=True)
        x = x - middle
        slope = np.linalg.lstsq(x @ x.T, x @ goal, rcond=1e-12)[0]
        line, new = slope @ x, slope @ (simulated[:, test] - middle)
        sd = float(line.std()) or 1.0
        # A cubic is not to be trusted beyond the draws that it was fitted to.
        new = np.clip(new, line.min(), line.max())
        basis, new_basis = _powers(line / sd), _powers(new / sd)
        for degree, sign in ((1, 1.0), (_DEGREE, -1.0)):
            some = basis[:, : degree + 1]
            weights = np.linalg.lstsq(some.T @ some, some.T @ goal, rcond=1e-12)[0]
            gain[test] += sign * (cmr[test] - new_basis[:, : degree + 1] @ weights) ** 2
    return gain


def _powers(z: Float) -> Float:
    """Hermite polynomials of a standardised predictor, shape (draws, degree + 1)."""
    return np.column_stack([np.ones_like(z), z, z**2 - 1.0, z**3 - 3.0 * z])
