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
def log_likelihood(mu, y, x, variance, averaged, count, start, no_replay, scales):
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
    decay = np.zeros((width, width))
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
                decay[i, j] = np.exp(-abs(x[p, i] - x[p, j]) / length) if i != j else 1.0
                value = factor * (u * u + v * v * x[p, i] * x[p, j] + d * d * decay[i, j])
                if i == j:
                    value += variance[p, i] + m * m / averaged[p, i]
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
                for j in range(i + 1):
                    outer[i, j] += d_mu[r, i] * d_mu[r, j]
        total -= 0.5 * quadratic + runs * (log_det + 0.5 * n * np.log(2.0 * np.pi))
        # Chain rule through the covariance: dl/dS = (sum alpha alpha' - runs S^-1) / 2, which is
        # symmetric: what lies below the diagonal counts twice.
        by_offset = by_slope = by_drift = by_length = by_measurement = 0.0
        for i in range(n):
            for j in range(i + 1):
                g = outer[i, j] - runs * inverse[i, j]
                if i == j:
                    g *= 0.5
                    by_measurement += g / averaged[p, i]
                by_offset += g
                by_slope += g * x[p, i] * x[p, j]
                by_drift += g * decay[i, j]
                by_length += g * decay[i, j] * abs(x[p, i] - x[p, j])
        d_scales[0] += factor * 2.0 * u * by_offset
        d_scales[1] += factor * 2.0 * v * by_slope
        d_scales[2] += factor * 2.0 * d * by_drift
        d_scales[3] += factor * d * d * by_length / (length * length)
        d_scales[4] += 2.0 * m * by_measurement
        if no_replay[p] == 1:
            whole = u * u * by_offset + v * v * by_slope + d * d * by_drift
            d_scales[5] += 2.0 * f * whole
    return total, d_mu, d_scales
