"""Likelihood of one run's checkpoints, with every run effect integrated out exactly.

Checkpoints of a run share its data order and initial state, so they are not
independent. With x = ln(T / T_ref), the residual of run j at checkpoint k is

    u_j + v_j x_jk + drift_j(x_jk) + error_jk

u, v normal, drift an Ornstein-Uhlenbeck process in x, error the measurement.
Their sum is one small multivariate normal per run. Runs with the same
checkpoints share its Cholesky factor.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytensor.tensor as pt
from numba.extending import register_jitable
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

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


@dataclass(frozen=True)
class RunBlocks:
    """Runs sorted by checkpoint pattern, padded to rectangles.

    Parameters
    ----------
    y : ndarray, shape (runs, checkpoints)
        Change of loss, nats/token; padding is 0.
    x : ndarray, shape (patterns, checkpoints)
        ln(tokens / reference tokens).
    variance : ndarray, shape (patterns, checkpoints)
        Square of the stated standard error.
    count : ndarray of int, shape (patterns,)
        Checkpoints in use; the rest of the row is padding.
    start : ndarray of int, shape (patterns + 1,)
        Runs ``start[p]:start[p + 1]`` have pattern p.
    no_replay : ndarray of int, shape (patterns,)
        1 where ratio = 1, a regime with a larger scatter of its own.
    """

    y: Float
    x: Float
    variance: Float
    count: Int
    start: Int
    no_replay: Int


def covariance(scales: Float, x: Float, variance: Float, no_replay: bool | int = False) -> Float:
    """Covariance of one run's residuals (numpy; for prediction and tests).

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

    Returns
    -------
    ndarray, shape (..., n, n)
    """
    u, v, d, length, m, f = (scales[..., i, None, None] for i in range(6))
    lag = np.abs(x[:, None] - x[None, :])
    cov = u**2 + v**2 * np.outer(x, x) + d**2 * np.exp(-lag / length)
    if no_replay:
        cov = cov * f**2
    return np.asarray(cov + np.eye(len(x)) * (m**2 + np.diag(variance)))


@register_jitable
def _log_likelihood(mu, y, x, variance, count, start, no_replay, scales):  # type: ignore[no-untyped-def]  # numba
    """Return the log likelihood and its gradients with respect to mu and scales."""
    u, v, d, length, m, f = scales[0], scales[1], scales[2], scales[3], scales[4], scales[5]
    total = 0.0
    d_mu = np.zeros_like(mu)
    d_scales = np.zeros(6)
    # Numba raises at a division by zero, and 1 / length^2 must not overflow.
    if not length > 1e-100:
        return -np.inf, d_mu, d_scales
    width = x.shape[1]
    chol = np.zeros((width, width))
    inverse = np.zeros((width, width))
    outer = np.zeros((width, width))
    z = np.zeros(width)
    for p in range(x.shape[0]):
        n = count[p]
        runs = start[p + 1] - start[p]
        if runs == 0 or n == 0:
            continue
        factor = f * f if no_replay[p] == 1 else 1.0
        # Cholesky factor, row by row.
        log_det = 0.0
        for i in range(n):
            for j in range(i + 1):
                value = factor * (
                    u * u
                    + v * v * x[p, i] * x[p, j]
                    + d * d * np.exp(-abs(x[p, i] - x[p, j]) / length)
                )
                if i == j:
                    value += variance[p, i] + m * m
                for k in range(j):
                    value -= chol[i, k] * chol[j, k]
                if i == j:
                    if not value > 0.0:
                        return -np.inf, d_mu, d_scales
                    chol[i, i] = np.sqrt(value)
                    log_det += np.log(chol[i, i])
                else:
                    chol[i, j] = value / chol[j, j]
        # Inverse of the covariance, column by column.
        for c in range(n):
            for i in range(n):
                value = 1.0 if i == c else 0.0
                for k in range(i):
                    value -= chol[i, k] * z[k]
                z[i] = value / chol[i, i]
            for i in range(n - 1, -1, -1):
                value = z[i]
                for k in range(i + 1, n):
                    value -= chol[k, i] * inverse[k, c]
                inverse[i, c] = value / chol[i, i]
        for i in range(n):
            for j in range(n):
                outer[i, j] = 0.0
        quadratic = 0.0
        for r in range(start[p], start[p + 1]):
            for i in range(n):
                value = 0.0
                for k in range(n):
                    value += inverse[i, k] * (y[r, k] - mu[r, k])
                d_mu[r, i] = value
                quadratic += value * (y[r, i] - mu[r, i])
            for i in range(n):
                for j in range(n):
                    outer[i, j] += d_mu[r, i] * d_mu[r, j]
        total -= 0.5 * quadratic + runs * (log_det + 0.5 * n * np.log(2.0 * np.pi))
        # Chain rule through the covariance: dl/dS = (sum alpha alpha' - runs S^-1) / 2.
        for i in range(n):
            for j in range(n):
                g = 0.5 * (outer[i, j] - runs * inverse[i, j])
                lag = abs(x[p, i] - x[p, j])
                decay = np.exp(-lag / length)
                xx = x[p, i] * x[p, j]
                d_scales[0] += g * factor * 2.0 * u
                d_scales[1] += g * factor * 2.0 * v * xx
                d_scales[2] += g * factor * 2.0 * d * decay
                d_scales[3] += g * factor * d * d * decay * lag / (length * length)
                if i == j:
                    d_scales[4] += g * 2.0 * m
                if no_replay[p] == 1:
                    d_scales[5] += g * 2.0 * f * (u * u + v * v * xx + d * d * decay)
    return total, d_mu, d_scales


class RunLikelihood(Op):
    """Log likelihood of all runs given their mean curves and the noise scales.

    Outputs the value and its two gradients together, since they share the
    Cholesky factors; only the value may be differentiated.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Value and gradients as outputs of one node."""
        inputs = tuple(pt.as_tensor_variable(i) for i in inputs)
        return Apply(self, list(inputs), [pt.dscalar(), pt.dmatrix(), pt.dvector()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Run the kernel interpreted, where PyTensor does not compile."""
        # As silent about overflow as the compiled kernel: the value says it.
        with np.errstate(all="ignore"):
            results = _log_likelihood(*inputs)  # type: ignore[no-untyped-call]  # numba
        for storage, value in zip(output_storage, results, strict=True):
            storage[0] = np.asarray(value)

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """Shapes of the value and of the gradients."""
        return [(), input_shapes[0], input_shapes[-1]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the value depends on mu and scales, for differentiation."""
        differentiable = (True, *[False] * 6, True)
        return [[d, False, False] for d in differentiable]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients that the node has computed already."""
        g = cotangents[0]
        return [g * outputs[1], *[DisconnectedType()() for _ in range(6)], g * outputs[2]]


def _version(function: Any) -> int:
    """Return a number that changes whenever what the function does is changed."""
    code = function.__code__
    parts = (code.co_code.hex(), code.co_consts, code.co_names, code.co_varnames)
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:12], 16)


@register_funcify_default_op_cache_key(RunLikelihood)  # type: ignore[untyped-decorator]
def _funcify(op: RunLikelihood, **kwargs: Any) -> Any:
    @numba_njit
    def run_likelihood(mu, y, x, variance, count, start, no_replay, scales):  # type: ignore[no-untyped-def]  # numba
        total, d_mu, d_scales = _log_likelihood(  # type: ignore[no-untyped-call]  # numba
            mu, y, x, variance, count, start, no_replay, scales
        )
        return np.asarray(total), d_mu, d_scales

    # PyTensor keeps compiled kernels on disk under this number: one of another text is stale.
    return run_likelihood, _version(_log_likelihood)


def run_log_likelihood(mu: Any, scales: Any, blocks: Any) -> Any:
    """PyTensor scalar: log likelihood of all runs.

    Parameters
    ----------
    mu : tensor, shape (runs, checkpoints)
        Mean curves, nats/token.
    scales : tensor, shape (6,)
        In the order of :data:`SCALES`.
    blocks : RunBlocks
        Its fields may be arrays or PyTensor shared variables.
    """
    outputs: Any = RunLikelihood()(
        mu,
        blocks.y,
        blocks.x,
        blocks.variance,
        blocks.count,
        blocks.start,
        blocks.no_replay,
        scales,
    )
    return outputs[0]
