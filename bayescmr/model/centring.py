"""Hierarchical prior of the anchor values, each effect as centred as its data deserve.

Where data say much about the effects of a factor, their values are the better
coordinates; where they say little, standard normals that the sd multiplies are
(else a small sd makes a funnel). With K the prior covariance of one parameter's
anchors, x the log sds of its effects relative to their prior medians and c in
[0, 1] their centring, the coordinates z are

    values = L z,  L L' = K((1 - c) x)

For c = 1 this L is fixed (centred), for c = 0 z is standard normal (non-centred).
The density of z relative to a standard normal is exact for every c, so centring
changes how well a chain moves and nothing else. c is data: no recompilation.

Papaspiliopoulos, Roberts, Skold 2007, doi 10.1214/088342307000000014.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

from bayescmr.model.kernels import cholesky, invert_lower


@register_jitable
def covariance(components, variances, k):
    """Write the weighted sum of the components to k."""
    for i in range(k.shape[0]):
        for j in range(k.shape[0]):
            total = 0.0
            for f in range(components.shape[0]):
                total += variances[f] * components[f, i, j]
            k[i, j] = total


@register_jitable
def scaled(variances, shift, centring, now, frozen):
    """Write the variances of one parameter: at its sds, and those that make its coordinates."""
    fixed = len(variances) - len(shift)
    for f in range(len(variances)):
        now[f] = frozen[f] = variances[f]
        if f >= fixed:
            x = shift[f - fixed]
            now[f] *= np.exp(2.0 * x)
            frozen[f] *= np.exp(2.0 * (1.0 - centring[f - fixed]) * x)


@register_jitable
def forward(z, shift, variances, centring, components, weights):
    """Return parameters of all trajectories (minus prior mean) and the log density of z."""
    count, anchors = z.shape
    values = np.zeros((count, weights.shape[0]))
    density = 0.0
    now = np.zeros(variances.shape[1])
    frozen = np.zeros(variances.shape[1])
    k = np.zeros((anchors, anchors))
    lower = np.zeros((anchors, anchors))
    anchor = np.zeros(anchors)
    for p in range(count):
        scaled(variances[p], shift[p], centring[p], now, frozen)
        covariance(components, frozen, k)
        if not cholesky(k, lower):
            return values, -np.inf
        for i in range(anchors):
            anchor[i] = 0.0
            for j in range(i + 1):
                anchor[i] += lower[i, j] * z[p, j]
            density += np.log(lower[i, i]) + 0.5 * z[p, i] * z[p, i]
        for r in range(weights.shape[0]):
            for i in range(anchors):
                values[p, r] += weights[r, i] * anchor[i]
        covariance(components, now, k)
        if not cholesky(k, lower):
            return values, -np.inf
        for i in range(anchors):
            # Forward substitution, in place: anchor becomes the standardised residual.
            for j in range(i):
                anchor[i] -= lower[i, j] * anchor[j]
            anchor[i] /= lower[i, i]
            density -= np.log(lower[i, i]) + 0.5 * anchor[i] * anchor[i]
    return values, density


@register_jitable
def backward(z, shift, variances, centring, components, weights, d_values, d_density):
    """Return the gradients with respect to z and shift."""
    count, anchors = z.shape
    fixed = variances.shape[1] - shift.shape[1]
    d_z = np.zeros_like(z)
    d_shift = np.zeros_like(shift)
    now = np.zeros(variances.shape[1])
    frozen = np.zeros(variances.shape[1])
    k = np.zeros((anchors, anchors))
    lower = np.zeros((anchors, anchors))
    frozen_inverse = np.zeros((anchors, anchors))
    inverse = np.zeros((anchors, anchors))
    anchor = np.zeros(anchors)
    alpha = np.zeros(anchors)
    pull = np.zeros(anchors)
    by_now = np.zeros((anchors, anchors))
    by_frozen = np.zeros((anchors, anchors))
    half = np.zeros((anchors, anchors))
    product = np.zeros((anchors, anchors))
    for p in range(count):
        scaled(variances[p], shift[p], centring[p], now, frozen)
        covariance(components, now, k)
        if not cholesky(k, lower):
            return d_z, d_shift
        invert_lower(lower, inverse)
        covariance(components, frozen, k)
        if not cholesky(k, lower):
            return d_z, d_shift
        invert_lower(lower, frozen_inverse)
        for i in range(anchors):
            anchor[i] = 0.0
            for j in range(i + 1):
                anchor[i] += lower[i, j] * z[p, j]
        # alpha = K^-1 anchor; the first pass standardises.
        for i in range(anchors):
            pull[i] = 0.0
            for j in range(i + 1):
                pull[i] += inverse[i, j] * anchor[j]
        for i in range(anchors):
            alpha[i] = 0.0
            for j in range(i, anchors):
                alpha[i] += inverse[j, i] * pull[j]
        for i in range(anchors):
            pull[i] = -d_density * alpha[i]
            for r in range(weights.shape[0]):
                pull[i] += weights[r, i] * d_values[p, r]
        for j in range(anchors):
            back = 0.0
            for i in range(j, anchors):
                back += lower[i, j] * pull[i]
            d_z[p, j] = back + d_density * z[p, j]
            # Through the factor itself: lower triangle of back z', half its diagonal.
            for i in range(j):
                half[j, i] = back * z[p, i]
            half[j, j] = 0.5 * back * z[p, j]
        for i in range(anchors):
            for j in range(i + 1):
                product[i, j] = 0.0
                for m in range(j, i + 1):
                    product[i, j] += half[i, m] * frozen_inverse[m, j]
        # by_frozen = L^-T half L^-1 + K_frozen^-1 / 2, by_now = (alpha alpha' - K^-1) / 2.
        for i in range(anchors):
            for j in range(anchors):
                first = 0.0
                second = 0.0
                through = 0.0
                for m in range(max(i, j), anchors):
                    first += inverse[m, i] * inverse[m, j]
                    second += frozen_inverse[m, i] * frozen_inverse[m, j]
                    through += frozen_inverse[m, i] * product[m, j]
                by_now[i, j] = 0.5 * d_density * (alpha[i] * alpha[j] - first)
                by_frozen[i, j] = 0.5 * d_density * second + through
        for f in range(shift.shape[1]):
            own = 0.0
            coordinate = 0.0
            for i in range(anchors):
                for j in range(anchors):
                    own += by_now[i, j] * components[fixed + f, i, j]
                    coordinate += by_frozen[i, j] * components[fixed + f, i, j]
            d_shift[p, f] = 2.0 * now[fixed + f] * own
            d_shift[p, f] += 2.0 * (1.0 - centring[p, f]) * frozen[fixed + f] * coordinate
    return d_z, d_shift


#: All that :func:`forward` and :func:`backward` call.
HELPERS = (cholesky, invert_lower, covariance, scaled)
