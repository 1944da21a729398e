"""The numba kernels as PyTensor operations, for the PyMC model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from bayescmr.model.centring import HELPERS, backward, forward
from bayescmr.model.kernels import version
from bayescmr.model.noise import HELPERS as NOISE_HELPERS
from bayescmr.model.noise import log_likelihood

# PyTensor keeps compiled kernels on disk under the version number: one of another text is stale.


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
            results = log_likelihood(*inputs)
        for storage, value in zip(output_storage, results, strict=True):
            storage[0] = np.asarray(value)

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """Shapes of the value and of the gradients."""
        return [(), input_shapes[0], input_shapes[-1]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the value depends on mu and scales, for differentiation."""
        differentiable = (True, *[False] * 7, True)
        return [[d, False, False] for d in differentiable]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Scale the gradients that the node has computed already."""
        g = cotangents[0]
        return [g * outputs[1], *[DisconnectedType()() for _ in range(7)], g * outputs[2]]


@register_funcify_default_op_cache_key(RunLikelihood)  # type: ignore[untyped-decorator]
def _funcify_likelihood(op: RunLikelihood, **kwargs: Any) -> Any:
    @numba_njit
    def run_likelihood(mu, y, x, variance, averaged, count, start, no_replay, scales):
        total, d_mu, d_scales = log_likelihood(
            mu, y, x, variance, averaged, count, start, no_replay, scales
        )
        return np.asarray(total), d_mu, d_scales

    return run_likelihood, version(log_likelihood, *NOISE_HELPERS)


def run_log_likelihood(mu: Any, scales: Any, blocks: Any) -> Any:
    """PyTensor scalar: log likelihood of all runs.

    Parameters
    ----------
    mu : tensor, shape (runs, checkpoints)
        Mean curves, nats/token.
    scales : tensor, shape (6,)
        In the order of :data:`bayescmr.model.scales.SCALES`.
    blocks : RunBlocks
        Its fields may be arrays or PyTensor shared variables.
    """
    outputs: Any = RunLikelihood()(
        mu,
        blocks.y,
        blocks.x,
        blocks.variance,
        blocks.averaged,
        blocks.count,
        blocks.start,
        blocks.no_replay,
        scales,
    )
    return outputs[0]


class _Gradient(Op):
    """Gradients of :class:`GroupValues` given those of its outputs."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Gradients with respect to z and shift as outputs of one node."""
        inputs = tuple(pt.as_tensor_variable(i) for i in inputs)
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dmatrix()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Run the kernel interpreted, where PyTensor does not compile."""
        for storage, value in zip(output_storage, backward(*inputs), strict=True):
            storage[0] = value

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """Shapes of z and shift."""
        return input_shapes[:2]


class GroupValues(Op):
    """Parameters of all trajectories and the density of their coordinates.

    Inputs: z (parameters, anchors); shift (parameters, factors), ln(sd / prior
    median); variances (parameters, 2 + factors) at shift 0; centring
    (parameters, factors) in [0, 1]; components and weights of
    :class:`bayescmr.model.groups.Groups`. Outputs: parameters minus their prior
    mean (parameters, trajectories); log density of z minus that of a standard
    normal.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Values and density as outputs of one node."""
        inputs = tuple(pt.as_tensor_variable(i) for i in inputs)
        return Apply(self, list(inputs), [pt.dmatrix(), pt.dscalar()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Run the kernel interpreted, where PyTensor does not compile."""
        values, density = forward(*inputs)
        output_storage[0][0] = values
        output_storage[1][0] = np.asarray(density)

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        """Shapes of the values and of the density."""
        return [(input_shapes[0][0], input_shapes[-1][0]), ()]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Both outputs depend on z and shift; the rest is data."""
        return [[True, True], [True, True], *[[False, False]] * 4]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Gradients with respect to z and shift."""
        gradients: Any = _Gradient()(*inputs, *cotangents)
        return [*gradients, *[DisconnectedType()() for _ in range(4)]]


@register_funcify_default_op_cache_key(GroupValues)  # type: ignore[untyped-decorator]
def _funcify_values(op: GroupValues, **kwargs: Any) -> Any:
    @numba_njit
    def group_values(z, shift, variances, centring, components, weights):
        values, density = forward(z, shift, variances, centring, components, weights)
        return values, np.asarray(density)

    return group_values, version(forward, *HELPERS)


@register_funcify_default_op_cache_key(_Gradient)  # type: ignore[untyped-decorator]
def _funcify_gradient(op: _Gradient, **kwargs: Any) -> Any:
    @numba_njit
    def group_gradients(z, shift, variances, centring, components, weights, d_values, d_density):
        return backward(
            z, shift, variances, centring, components, weights, d_values, d_density.item()
        )

    return group_gradients, version(backward, *HELPERS)


def group_values(z: Any, shift: Any, data: Any) -> tuple[Any, Any]:
    """PyTensor: parameters of all trajectories minus prior mean, and density of z.

    Parameters
    ----------
    z : tensor, shape (parameters, anchors)
        Coordinates.
    shift : tensor, shape (parameters, factors)
        ln(sd of effects / prior median).
    data : mapping
        ``variances``, ``centring``, ``components``, ``weights`` (see :class:`GroupValues`).

    Returns
    -------
    values : tensor, shape (parameters, trajectories)
    density : tensor, scalar
    """
    names = ("variances", "centring", "components", "weights")
    values, density = GroupValues()(z, shift, *(data[n] for n in names))  # type: ignore[misc]
    return values, density
