"""Where chains start and in which coordinates they move: both from the modes of the density.

The likelihood of smooth trajectories is a needle seen from the prior: a chain
left to find it alone spends most of its warm-up on the way, and may get stuck.
Modes are sought in non-centred coordinates, in which they are no funnels.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from bayescmr.errors import SamplingError

Float = npt.NDArray[np.float64]
Density = Callable[[Float], tuple[float, Float]]

_STARTS = 4
_NEGLIGIBLE = 50.0
_JITTER = 1e-4
_STEP = 1e-4
_DOUBLES = ctypes.POINTER(ctypes.c_double)


@dataclass(frozen=True)
class Modes:
    """Local maxima of a log density and its curvature at the best of them.

    Parameters
    ----------
    points : ndarray, shape (modes, dimension)
        The best first; those that hold no mass worth a chain are left out.
    covariance : ndarray, shape (dimension, dimension)
        Inverse of the negative Hessian at the best mode.
    """

    points: Float
    covariance: Float


def log_density(compiled: Any) -> Density:
    """Log density and gradient of a nutpie model, through the kernel that it samples with.

    Calling that kernel avoids compiling the same function a second time.
    """
    kernel = ctypes.CFUNCTYPE(
        ctypes.c_int64, ctypes.c_uint64, _DOUBLES, _DOUBLES, _DOUBLES, ctypes.c_void_p
    )(compiled.compiled_logp_func.address)
    dimension = compiled.n_dim

    def evaluate(point: Float) -> tuple[float, Float]:
        point = np.ascontiguousarray(point, dtype=np.float64)
        gradient = np.zeros(dimension)
        value = np.zeros(1)
        status = kernel(
            dimension,
            point.ctypes.data_as(_DOUBLES),
            gradient.ctypes.data_as(_DOUBLES),
            value.ctypes.data_as(_DOUBLES),
            # Looked up here, so that this function keeps the data alive that it points to.
            compiled.user_data.ctypes.data,
        )
        if status != 0:
            return -np.inf, np.zeros(dimension)
        return float(value[0]), gradient

    return evaluate


def find_modes(density: Density, start: Callable[[int], Float], seed: int) -> Modes:
    """Climb from a few random starts.

    Parameters
    ----------
    density : callable
        Point to log density and gradient, in coordinates that are standard normal a priori.
    start : callable
        Seed to a random point.
    seed : int
        Of the first start.

    Raises
    ------
    SamplingError
        No start has a finite density.
    """

    def objective(point: Float) -> tuple[float, Float]:
        value, gradient = density(point)
        # L-BFGS needs a number to step back from.
        return (-value, -gradient) if np.isfinite(value) else (1e100, gradient)

    optima: list[tuple[float, Float]] = []
    for offset in range(_STARTS):
        found = minimize(
            objective,
            start(seed + offset),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 3000, "maxfun": 6000, "maxcor": 30},
        )
        if found.fun < 1e99:
            optima.append((float(found.fun), np.asarray(found.x)))
    if not optima:
        raise SamplingError(
            "no starting point has a finite density: check the run table for extreme losses or"
            " standard errors, and the priors of the model"
        )
    optima.sort(key=lambda optimum: optimum[0])
    best = optima[0][0]
    points = np.array([point for value, point in optima if value < best + _NEGLIGIBLE])
    return Modes(points, curvature(density, points[0]))


def curvature(density: Density, point: Float) -> Float:
    """Inverse negative Hessian by central differences of the gradient."""
    steps = _STEP * np.eye(len(point))
    rows = [(density(point - h)[1] - density(point + h)[1]) / (2 * _STEP) for h in steps]
    precision, axes = np.linalg.eigh(0.5 * (np.array(rows) + np.array(rows).T))
    # Data cannot know less than the prior does: anything below is the ripple of a flat likelihood.
    return np.asarray((axes / np.maximum(precision, 1.0)) @ axes.T)


def start_of_chains(points: Float) -> Callable[[int], Float]:
    """Return a function from a chain's seed to its starting point, near one of ``points``."""

    def start_of_chain(chain_seed: int) -> Float:
        rng = np.random.default_rng(chain_seed)
        point = points[rng.integers(len(points))]
        # Small: some coordinates are known to 1e-4, and a start far down the slope of a needle
        # throws the chain out of the region that it can come back from.
        return np.asarray(point + rng.normal(0.0, _JITTER, size=point.shape))

    return start_of_chain
