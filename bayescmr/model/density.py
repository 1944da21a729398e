"""The whole log density of a block and its gradient as one numba function.

:mod:`bayescmr.model.build` says what the model is, in PyMC; this says the same
for the laws that bring their own derivatives, fused and compiled once per
installation for all of them. Tests hold the two to each other. All numbers are
read from one buffer, so nothing is ever compiled for a table, prior or design.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.laws import Law, get_law
from bayescmr.model import centring, kernels, noise
from bayescmr.model.coordinates import Coordinates
from bayescmr.model.frame import Frame
from bayescmr.model.spec import FACTORS, NOISE

Float = npt.NDArray[np.float64]

#: Laws that the compiled function knows, by their position.
LAWS = (
    "turning_point", "shift_gain", "two_power", "anchored_power", "dcpt_general", "dcpt_domain",
)  # fmt: skip
#: Far from the mode a scale or an exponent may be 0 to rounding: the density is then not finite,
#: which the sampler understands; an exception inside a C function it does not.
_njit = numba.njit(error_model="numpy")
_CURVES: list[Any] = [_njit(get_law(name).curve) for name in LAWS]
_turning_point, _shift_gain, _two_power, _anchored_power, _dcpt_general, _dcpt_domain = _CURVES
_SUPPORTS = ("real", "positive", "unit")
#: Arrays in the buffer, in this order after the header and the supports.
_ARRAYS = (
    "y", "x", "variance", "averaged", "count", "start", "no_replay", "ratio", "group", "groups",
    "components", "variances", "centring", "prior_mean", "noise_mean", "noise_scale", "bend",
)  # fmt: skip
_HEADER = 11
_HALF_LOG_TAU = 0.5 * np.log(2.0 * np.pi)


def knows(law: Law) -> bool:
    """Whether the compiled function has this law's derivatives."""
    return law.name in LAWS and type(law) is type(get_law(law.name))


def pack(law: Law, values: Mapping[str, npt.NDArray[Any]], frame: Frame) -> Float:
    """Write everything that the compiled function reads to one buffer.

    Parameters
    ----------
    law : Law
        One that :func:`knows`.
    values : mapping of str to ndarray
        ``BlockData.arrays()`` and ``Coordinates.arrays()``.
    frame : Frame
        Comes last in the buffer.
    """
    runs, width = values["y"].shape
    count, factors = values["centring"].shape
    supports = np.array([_SUPPORTS.index(p.support) for p in law.parameters])
    # Trajectories of one group share their parameters.
    groups, group = np.unique(values["weights"], axis=0, return_inverse=True)
    values = {**values, "groups": groups, "group": group}
    arrays = [*(np.asarray(values[name], dtype=float) for name in _ARRAYS), *frame.arrays()]
    body = [array.ravel() for array in arrays]
    header = [
        0.0, LAWS.index(law.name), count, len(values["components"][0]), factors, runs, width,
        len(values["x"]), float(values["reference_ratio"]), float(values["effect_spread"]),
        len(groups),
    ]  # fmt: skip
    buffer = np.concatenate([header, supports, *body])
    buffer[0] = len(buffer)
    return buffer


@_njit
def _natural(support, value):
    """Return the natural value and its derivative with respect to the sampled one."""
    if support == 1:
        natural = np.exp(value)
        return natural, natural
    if support == 2:
        natural = 1.0 / (1.0 + np.exp(-value))
        return natural, natural * (1.0 - natural)
    return value, 1.0


@_njit
def _scales(sampled):
    """Return the scales of ``noise.SCALES`` and their derivatives, shape (scales, sampled)."""
    scales = np.exp(sampled)
    share = 1.0 / (1.0 + np.exp(-sampled[3]))
    scales[2], scales[3], scales[4] = (
        np.exp(sampled[2]) * np.sqrt(1.0 - share),
        np.exp(sampled[4]),
        np.exp(sampled[2]) * np.sqrt(share),
    )
    slopes = np.zeros((6, 6))
    for i, j in ((0, 0), (1, 1), (2, 2), (3, 4), (4, 2), (5, 5)):
        slopes[i, j] = scales[i]
    slopes[2, 3] = -0.5 * share * scales[2]
    slopes[4, 3] = 0.5 * (1.0 - share) * scales[4]
    return scales, slopes


@_njit
def _bent(x, bend):
    """Return z of :mod:`bayescmr.model.bend`, dz/dx and the derivative of ln(dz/dx)."""
    z, slope, by_slope = np.empty(6), np.empty(6), np.empty(6)
    for j in range(6):
        m, s, k = bend[j, 0], bend[j, 1], bend[j, 2]
        t = (x[j] - m) / s
        root = np.sqrt(1.0 + t * t)
        z[j] = m + s * ((1.0 + 0.5 * k) * t - 0.5 * k * root)
        slope[j] = 1.0 + 0.5 * k * (1.0 - t / root)
        by_slope[j] = -0.5 * k / (s * root**3 * slope[j])
    return z, slope, by_slope


@_njit
def _curve(law, theta, x, ratio, reference_ratio, change, gradient):
    if law == 0:
        _turning_point(theta[:8], x, ratio, reference_ratio, change, gradient)
    elif law == 1:
        _shift_gain(theta[:6], x, ratio, reference_ratio, change, gradient)
    elif law == 2:
        _two_power(theta[:7], x, ratio, reference_ratio, change, gradient)
    elif law == 3:
        _anchored_power(theta[:4], x, ratio, reference_ratio, change, gradient)
    elif law == 4:
        _dcpt_general(theta[:7], x, ratio, reference_ratio, change, gradient)
    else:
        _dcpt_domain(theta[:7], x, ratio, reference_ratio, change, gradient)


@_njit
def _density(point, buffer, out):
    """Return the log density at ``point`` and write its gradient to ``out``."""
    law = int(buffer[1])
    count, anchors, factors = int(buffer[2]), int(buffer[3]), int(buffer[4])
    runs, width, patterns = int(buffer[5]), int(buffer[6]), int(buffer[7])
    reference_ratio, spread, groups = buffer[8], buffer[9], int(buffer[10])
    o = _HEADER
    support = buffer[o : o + count]
    o += count
    y = buffer[o : o + runs * width].reshape(runs, width)
    o += runs * width
    x = buffer[o : o + patterns * width].reshape(patterns, width)
    o += patterns * width
    variance = buffer[o : o + patterns * width].reshape(patterns, width)
    o += patterns * width
    averaged = buffer[o : o + patterns * width].reshape(patterns, width)
    o += patterns * width
    checkpoints = buffer[o : o + patterns].astype(np.int64)
    o += patterns
    start = buffer[o : o + patterns + 1].astype(np.int64)
    o += patterns + 1
    no_replay = buffer[o : o + patterns].astype(np.int64)
    o += patterns
    ratio = buffer[o : o + runs]
    o += runs
    group = buffer[o : o + runs]
    o += runs
    weights = buffer[o : o + groups * anchors].reshape(groups, anchors)
    o += groups * anchors
    size = (2 + factors) * anchors * anchors
    components = buffer[o : o + size].reshape(2 + factors, anchors, anchors)
    o += size
    variances = buffer[o : o + count * (2 + factors)].reshape(count, 2 + factors)
    o += count * (2 + factors)
    centred = buffer[o : o + count * factors].reshape(count, factors)
    o += count * factors
    prior_mean = buffer[o : o + count]
    o += count
    noise_mean, noise_scale = buffer[o : o + 6], buffer[o + 6 : o + 12]
    bend = buffer[o + 12 : o + 30].reshape(6, 3)

    first, second = count * anchors, count * (anchors + factors)
    z = point[:first].reshape(count, anchors)
    shift = spread * point[first:second].reshape(count, factors)
    sampled, total = centring.forward(z, shift, variances, centred, components, weights)
    standard, stretch, log_stretch = _bent(point[second:], bend)
    scales, slopes = _scales(noise_mean + noise_scale * standard)
    theta = np.zeros((groups, max(count, 8)))
    inner = np.zeros((groups, count))
    for g in range(groups):
        for i in range(count):
            theta[g, i], inner[g, i] = _natural(support[i], prior_mean[i] + sampled[i, g])
    value = 0.0 if scales[3] > 1e-100 else -np.inf
    d_theta = np.zeros((groups, count))
    d_scales = np.zeros(6)
    work = np.zeros((5, width, width))
    decay, upper, lower, inverse, outer = work[0], work[1], work[2], work[3], work[4]
    mu = np.zeros(width)
    by_theta = np.zeros((width, count))
    alpha = np.zeros(width)
    residual = np.zeros(width)
    for p in range(patterns):
        n = checkpoints[p]
        factor = scales[5] ** 2 if no_replay[p] == 1 else 1.0
        log_det = noise.precision(
            x[p, :n], variance[p, :n], averaged[p, :n], factor, scales, decay, upper, lower, inverse
        )
        outer[:] = 0.0
        quadratic = 0.0
        for r in range(start[p], start[p + 1]):
            g = int(group[r])
            # Runs are sorted: those that differ in nothing but the seed have one curve.
            if r == start[p] or group[r] != group[r - 1] or ratio[r] != ratio[r - 1]:
                _curve(law, theta[g], x[p, :n], ratio[r], reference_ratio, mu, by_theta)
            for k in range(n):
                residual[k] = y[r, k] - mu[k]
            quadratic += noise.add_run(inverse, residual[:n], alpha, outer)
            for k in range(n):
                for i in range(count):
                    d_theta[g, i] += alpha[k] * by_theta[k, i]
        members = start[p + 1] - start[p]
        value -= 0.5 * quadratic + members * (log_det + n * _HALF_LOG_TAU)
        noise.add_scales(
            x[p, :n], averaged[p, :n], members, no_replay[p] == 1, scales, decay, inverse, outer,
            d_scales,
        )  # fmt: skip
    d_sampled = (d_theta * inner).T.copy()
    d_z, d_shift = centring.backward(
        z, shift, variances, centred, components, weights, d_sampled, 1.0
    )
    out[:first] = d_z.ravel()
    out[first:second] = spread * d_shift.ravel()
    for j in range(6):
        by_standard = -standard[j]
        for i in range(6):
            by_standard += noise_scale[j] * d_scales[i] * slopes[i, j]
        out[second + j] = by_standard * stretch[j] + log_stretch[j]
        total += np.log(stretch[j]) - 0.5 * standard[j] ** 2 - _HALF_LOG_TAU
    for i in range(second):
        out[i] -= point[i]
        total -= 0.5 * point[i] * point[i] + _HALF_LOG_TAU
    return total + value


@_njit
def _place(w, frame):
    """Return the point at w; ``frame`` is centre, factor and its transpose."""
    n = len(w)
    point = frame[:n].copy()
    columns = frame[n + n * n :].reshape(n, n)
    # Row by row, here and below: the steps of the inner loop are independent of each other.
    for j in range(n):
        for i in range(j, n):
            point[i] += columns[j, i] * w[j]
    return point


@_njit
def _pull_back(gradient, frame, out):
    """Write the gradient with respect to w."""
    n = len(gradient)
    factor = frame[n : n + n * n].reshape(n, n)
    out[:] = 0.0
    for i in range(n):
        for j in range(i + 1):
            out[j] += factor[i, j] * gradient[i]


def _make(stamp: int) -> tuple[Any, Any]:
    """Make the C functions of the sampler's interface: log density, and what is kept of a draw.

    Numba keeps compiled code on disk by the text of the outermost function and
    what it encloses; ``stamp`` stands for the text of all that it calls.
    """

    def log_density(dimension, w, gradient, value, buffer):
        if stamp < 0:
            return -1
        n = int(dimension)
        length = int(numba.carray(buffer, (1,), np.float64)[0])
        data = numba.carray(buffer, (length,), np.float64)
        frame = data[length - n - 2 * n * n :]
        by_point = np.empty(n)
        total = _density(_place(numba.carray(w, (n,)), frame), data, by_point)
        out = numba.carray(gradient, (n,))
        _pull_back(by_point, frame, out)
        numba.carray(value, (1,))[0] = total
        if not np.all(np.isfinite(out)):
            return 3
        return 0 if np.isfinite(total) else 4

    def keep(dimension, expanded, w, out, buffer):
        if stamp < 0:
            return -1
        n = int(dimension)
        length = int(numba.carray(buffer, (1,), np.float64)[0])
        frame = numba.carray(buffer, (length,), np.float64)[length - n - 2 * n * n :]
        numba.carray(out, (n,))[:] = _place(numba.carray(w, (n,)), frame)
        return 0

    return log_density, keep


@cache
def compiled() -> tuple[Any, Any]:
    """C functions of the log density and of what is kept of a draw; read from disk if there."""
    types = numba.types
    pointer = types.CPointer(types.double)
    stamp = kernels.version(
        _density.py_func, _curve.py_func, _natural.py_func, _scales.py_func, _bent.py_func,
        _place.py_func, _pull_back.py_func, *noise.HELPERS, centring.forward, centring.backward,
        *centring.HELPERS, *(get_law(name).curve for name in LAWS),
    )  # fmt: skip
    log_density, keep = _make(stamp)
    density = numba.cfunc(
        types.int64(types.uint64, pointer, pointer, pointer, types.voidptr), cache=True
    )(log_density)
    kept = numba.cfunc(
        types.int64(types.uint64, types.uint64, pointer, pointer, types.voidptr), cache=True
    )(keep)
    return density, kept


def nutpie_model(
    coordinates: Coordinates,
    values: Mapping[str, npt.NDArray[Any]],
    frame: Frame | None = None,
) -> Any:
    """Return a block as nutpie samples it, with the variables of the PyMC model.

    Starting points and gradients are those of w in the frame; what is kept of a draw is
    the point.

    Parameters
    ----------
    coordinates : Coordinates
        Its shapes and labels.
    values : mapping of str to ndarray
        ``BlockData.arrays()`` and ``Coordinates.arrays()``.
    frame : Frame, optional
        Default: the identity.
    """
    from nutpie.compile_pymc import CompiledPyMCModel

    density, keep = compiled()
    law = coordinates.spec.law
    shapes = coordinates.shapes
    dimension = sum(int(np.prod(shape)) for shape in shapes.values())
    coords = {
        "parameter": pd.Index([p.name for p in law.parameters]),
        "anchor": pd.RangeIndex(len(coordinates.groups.rows)),
        "factor": pd.Index(FACTORS),
        "quantity": pd.Index(NOISE),
        "unconstrained_parameter": pd.RangeIndex(dimension),
    }

    def draw_from_prior(seed: int) -> Float:
        return np.random.default_rng(seed).standard_normal(dimension)

    return CompiledPyMCModel(
        _n_dim=dimension,
        dims={
            "z": ("parameter", "anchor"),
            "shift": ("parameter", "factor"),
            "noise": ("quantity",),
        },
        _coords=coords,
        _shapes=shapes,
        compiled_logp_func=density,
        compiled_expand_func=keep,
        initial_point_func=draw_from_prior,
        shared_data={},
        shared_var_keys={},
        user_data=pack(law, values, frame or Frame.identity(dimension)),
        n_expanded=dimension,
        shape_info=(list(shapes), None, list(shapes.values())),
        logp_func=None,
        expand_func=None,
        reparameterized_names=[],
    )
