"""Likelihood of one run's checkpoints, with every run effect integrated out exactly.

Checkpoints of a run share its data order and initial state, so they are not
independent. With x = ln(T / T_ref), the residual of run j at checkpoint k is

    u_j + v_j x_jk + drift_j(x_jk) + error_jk

u, v normal, drift an Ornstein-Uhlenbeck process in x, error the measurement (of a mean of
``averaged`` losses, whose variance is that much smaller).
Their sum is one small multivariate normal per run. Runs with the same
checkpoints share its Cholesky factor.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable


@register_jitable
def precision(x, variance, averaged, factor, scales, decay, upper, lower, inverse):
    """Write the correlation of the drift and the inverse covariance of one checkpoint pattern.

    Returns the log determinant of the Cholesky factor; NaN where there is none.
    """
    u, v, d, length, m = scales[0], scales[1], scales[2], scales[3], scales[4]
    n = len(x)
    for i in range(n):
        # Correlations decay from checkpoint to checkpoint, which are sorted: one exponential each.
        decay[i, i] = 1.0
        step = np.exp((x[i - 1] - x[i]) / length) if i > 0 else 1.0
        for j in range(i):
            decay[i, j] = step * decay[i - 1, j]
            upper[j, i] = factor * (u * u + v * v * x[i] * x[j] + d * d * decay[i, j])
        own = factor * (u * u + v * v * x[i] * x[i] + d * d)
        upper[i, i] = own + (variance[i] + m * m / averaged[i])
    # In place upper' upper = covariance, lower = upper'^-1, inverse = lower' lower: the steps of
    # each inner loop are independent of each other, so that a processor may take several at once.
    log_det = 0.0
    for k in range(n):
        if not upper[k, k] > 0.0:
            return np.nan
        root = np.sqrt(upper[k, k])
        log_det += np.log(root)
        pivot = 1.0 / root
        for j in range(k, n):
            upper[k, j] *= pivot
        for i in range(k + 1, n):
            weight = upper[k, i]
            for j in range(i, n):
                upper[i, j] -= weight * upper[k, j]
        for j in range(n):
            lower[k, j] = 0.0
            inverse[k, j] = 0.0
        for i in range(k):
            weight = upper[i, k]
            for j in range(i + 1):
                lower[k, j] -= weight * lower[i, j]
        for j in range(k):
            lower[k, j] *= pivot
        lower[k, k] = pivot
    for k in range(n):
        for i in range(k + 1):
            weight = lower[k, i]
            for j in range(k + 1):
                inverse[i, j] += weight * lower[k, j]
    return log_det


@register_jitable
def add_run(inverse, residual, alpha, outer):
    """Write alpha = inverse @ residual, add alpha alpha' to outer; return residual @ alpha."""
    n = len(residual)
    for i in range(n):
        alpha[i] = 0.0
    for k in range(n):
        weight = residual[k]
        for i in range(n):
            alpha[i] += inverse[k, i] * weight
    quadratic = 0.0
    for i in range(n):
        weight = alpha[i]
        quadratic += residual[i] * weight
        for j in range(i + 1):
            outer[i, j] += weight * alpha[j]
    return quadratic


@register_jitable
def add_scales(x, averaged, runs, no_replay, scales, decay, inverse, outer, d_scales):
    """Add the gradient with respect to the scales of one pattern, given the sum of alpha alpha'.

    dl/dS = (outer - runs S^-1) / 2 is symmetric: what lies below the diagonal counts twice.
    """
    u, v, d, length, m, f = scales[0], scales[1], scales[2], scales[3], scales[4], scales[5]
    by_offset = by_slope = by_drift = by_length = by_measurement = 0.0
    for i in range(len(x)):
        for j in range(i + 1):
            g = outer[i, j] - runs * inverse[i, j]
            if i == j:
                g *= 0.5
                by_measurement += g / averaged[i]
            by_offset += g
            by_slope += g * x[i] * x[j]
            by_drift += g * decay[i, j]
            by_length += g * decay[i, j] * (x[i] - x[j])
    factor = f * f if no_replay else 1.0
    d_scales[0] += factor * 2.0 * u * by_offset
    d_scales[1] += factor * 2.0 * v * by_slope
    d_scales[2] += factor * 2.0 * d * by_drift
    d_scales[3] += factor * d * d * by_length / (length * length)
    d_scales[4] += 2.0 * m * by_measurement
    if no_replay:
        d_scales[5] += 2.0 * f * (u * u * by_offset + v * v * by_slope + d * d * by_drift)


@register_jitable
def log_likelihood(mu, y, x, variance, averaged, count, start, no_replay, scales):
    """Return the log likelihood and its gradients with respect to mu and scales."""
    total = 0.0
    d_mu = np.zeros_like(mu)
    d_scales = np.zeros(6)
    # Numba raises at a division by zero, and 1 / length^2 must not overflow.
    if not scales[3] > 1e-100:
        return -np.inf, d_mu, d_scales
    width = x.shape[1]
    work = np.zeros((5, width, width))
    decay, upper, lower, inverse, outer = work[0], work[1], work[2], work[3], work[4]
    for p in range(x.shape[0]):
        n = count[p]
        runs = start[p + 1] - start[p]
        if runs == 0 or n == 0:
            continue
        factor = scales[5] ** 2 if no_replay[p] == 1 else 1.0
        log_det = precision(
            x[p, :n], variance[p, :n], averaged[p, :n], factor, scales, decay, upper, lower, inverse
        )
        if np.isnan(log_det):
            return -np.inf, d_mu, d_scales
        outer[:] = 0.0
        quadratic = 0.0
        for r in range(start[p], start[p + 1]):
            quadratic += add_run(inverse, y[r, :n] - mu[r, :n], d_mu[r, :n], outer)
        total -= 0.5 * quadratic + runs * (log_det + 0.5 * n * np.log(2.0 * np.pi))
        add_scales(
            x[p, :n], averaged[p, :n], runs, no_replay[p] == 1, scales, decay, inverse, outer,
            d_scales,
        )  # fmt: skip
    return total, d_mu, d_scales


#: All that :func:`log_likelihood` calls.
HELPERS = (precision, add_run, add_scales)
