"""Where chains start: each at a mode found from a prior-scale start of its own.

The likelihood of smooth trajectories is a needle seen from the prior: a chain
left to find it alone spends most of its warm-up on the way, and may get stuck.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from bayescmr.errors import SamplingError

Float = npt.NDArray[np.float64]

_STARTS = 4
_NEGLIGIBLE = 50.0
_JITTER = 1e-4
_DOUBLES = ctypes.POINTER(ctypes.c_double)


def log_density(compiled: Any) -> Callable[[Float], tuple[float, Float]]:
    """Log density and gradient of a nutpie model, through the kernel that it samples with.

    Calling that kernel avoids compiling the same function a second time.
    """
    kernel = ctypes.CFUNCTYPE(
        ctypes.c_int64, ctypes.c_uint64, _DOUBLES, _DOUBLES, _DOUBLES, ctypes.c_void_p
    )(compiled.compiled_logp_func.address)
    user_data = compiled.user_data.ctypes.data
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
            user_data,
        )
        if status != 0:
            return -np.inf, np.zeros(dimension)
        return float(value[0]), gradient

    return evaluate


def starting_point(compiled: Any, seed: int) -> Callable[[int], Float]:
    """Return a function from a chain's seed to its starting point.

    Raises
    ------
    SamplingError
        No start has a finite density.
    """
    evaluate = log_density(compiled)

    def objective(point: Float) -> tuple[float, Float]:
        value, gradient = evaluate(point)
        # L-BFGS needs a number to step back from.
        return (-value, -gradient) if np.isfinite(value) else (1e100, gradient)

    optima: list[tuple[float, Float]] = []
    for start in range(_STARTS):
        found = minimize(
            objective,
            compiled.initial_point_func(seed + start),
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
    best = min(value for value, _ in optima)
    # A mode this far below the best holds no mass worth a chain.
    points = [point for value, point in optima if value < best + _NEGLIGIBLE]

    def start_of_chain(chain_seed: int) -> Float:
        rng = np.random.default_rng(chain_seed)
        point = points[rng.integers(len(points))]
        # Small: some coordinates are known to 1e-4, and a start far down the slope of a needle
        # throws the chain out of the region that it can come back from.
        return np.asarray(point + rng.normal(0.0, _JITTER, size=point.shape))

    return start_of_chain
