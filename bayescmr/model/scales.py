"""Noise scales of a run and the covariance they imply, without PyTensor: what draws need."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

#: Order of the noise scales everywhere: all positive, the last one >= 1 in spirit.
SCALES = ("run_offset", "run_slope", "drift", "drift_length", "measurement", "no_replay_factor")


def natural_scales(noise: Any, xp: Any = np) -> Any:
    """Map the sampled noise quantities to the scales of :data:`SCALES`.

    The residual sd is split into drift and measurement by a share, since their
    sum is what data determine well.

    Parameters
    ----------
    noise : array, shape (..., 6) for numpy, (6,) for PyTensor
        Sampled values of run_offset, run_slope, residual, measurement_share,
        drift_length, no_replay_factor (logs; logit for the share).

    Returns
    -------
    array of the same shape
    """
    offset, slope, residual, share, length, factor = (noise[..., i] for i in range(6))
    part = 1.0 / (1.0 + xp.exp(-share))
    drift = xp.exp(residual) * xp.sqrt(1.0 - part)
    measurement = xp.exp(residual) * xp.sqrt(part)
    return xp.stack(
        [xp.exp(offset), xp.exp(slope), drift, xp.exp(length), measurement, xp.exp(factor)], axis=-1
    )


def covariance(
    scales: Float,
    x: Float,
    variance: Float,
    no_replay: bool | int = False,
    averaged: Float | float = 1.0,
) -> Float:
    """Covariance of one run's residuals on numpy, for prediction.

    Parameters
    ----------
    scales : ndarray, shape (..., 6)
        In the order of :data:`SCALES`.
    x : ndarray, shape (n,)
        ln(tokens / reference tokens).
    variance : ndarray, shape (n,)
        Square of the stated standard error, (nats/token)^2.
    no_replay : bool
        True for a run at ratio = 1.
    averaged : ndarray, shape (n,)
        How many losses each is the mean of.

    Returns
    -------
    ndarray, shape (..., n, n)
    """
    u, v, d, length, m, f = (scales[..., i, None, None] for i in range(6))
    lag = np.abs(x[:, None] - x[None, :])
    cov = u**2 + v**2 * np.outer(x, x) + d**2 * np.exp(-lag / length)
    if no_replay:
        cov = cov * f**2
    return np.asarray(cov + np.eye(len(x)) * (m**2 / averaged + variance))
