"""The density of partially centred coordinates, and its gradient, against dense normals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.compile.mode import Mode
from scipy.stats import multivariate_normal, norm

from bayescmr.laws import Reference
from bayescmr.model import centring as module
from bayescmr.model.groups import Groups
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.ops import GroupValues, group_values

Float = npt.NDArray[np.float64]
PYTHON = Mode(linker="py", optimizer=None)
FACTORS = 3


def example(seed: int, parameters: int = 2) -> dict[str, Float]:
    """A design of three sizes and two domains, and random priors and centring."""
    h = Hierarchy((1e8, 3e8, 1e9), ("a", "b"), ("s",), 0.5, Reference(3e8, 1e9, 0.5))
    groups = Groups.of(h.design(h.cells * 2), h.factor_columns)
    rng = np.random.default_rng(seed)
    centring = rng.uniform(size=(parameters, FACTORS))
    centring[rng.uniform(size=centring.shape) < 0.3] = 0.0
    centring[rng.uniform(size=centring.shape) < 0.3] = 1.0
    return {
        "variances": rng.uniform(0.01, 2.0, (parameters, 2 + FACTORS)),
        "centring": centring,
        "components": groups.components,
        "weights": groups.weights,
    }


def point(data: dict[str, Float], seed: int) -> tuple[Float, Float]:
    rng = np.random.default_rng(seed)
    count, anchors = len(data["centring"]), data["components"].shape[1]
    return rng.normal(size=(count, anchors)), 0.7 * rng.normal(size=(count, FACTORS))


def expected(z: Float, shift: Float, data: dict[str, Float]) -> tuple[Float, float]:
    """Values and density written out with dense matrices, parameter by parameter."""
    values, density = [], 0.0
    for p in range(len(z)):
        fixed, effects = data["variances"][p, :2], data["variances"][p, 2:]

        def covariance(x: Float, fixed: Float = fixed, effects: Float = effects) -> Float:
            scales = np.concatenate([fixed, effects * np.exp(2 * x)])
            return np.einsum("k,kij->ij", scales, data["components"])

        factor = np.linalg.cholesky(covariance((1 - data["centring"][p]) * shift[p]))
        anchors = factor @ z[p]
        density += multivariate_normal(cov=covariance(shift[p])).logpdf(anchors)
        density += np.linalg.slogdet(factor)[1] - norm.logpdf(z[p]).sum()
        values.append(data["weights"] @ anchors)
    return np.array(values), density


@pytest.fixture(scope="module")
def compiled() -> Any:
    z, shift = pt.dmatrix("z"), pt.dmatrix("shift")
    data = {n: pt.as_tensor(v) for n, v in example(0).items()}
    inputs = {n: pt.TensorType("float64", (None,) * v.ndim)(n) for n, v in example(0).items()}
    assert set(inputs) == set(data)
    return pytensor.function([z, shift, *inputs.values()], group_values(z, shift, inputs))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_values_and_density_are_the_dense_ones(compiled: Any, seed: int) -> None:
    data = example(seed)
    z, shift = point(data, seed)
    values, density = compiled(z, shift, *data.values())
    want_values, want = expected(z, shift, data)
    np.testing.assert_allclose(values, want_values, rtol=1e-9, atol=1e-10)
    assert float(density) == pytest.approx(want, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_agree_with_finite_differences(seed: int) -> None:
    data = example(seed)
    z, shift = point(data, seed)
    mix = np.random.default_rng(seed).normal(size=len(data["weights"]))

    def function(z: Any, shift: Any) -> Any:
        values, density = group_values(z, shift, data)
        return ((values**2) * mix).sum() + 0.3 * density

    pytensor.gradient.verify_grad(
        function, [z, shift], rng=np.random.default_rng(1), mode=PYTHON, rel_tol=1e-4
    )


def test_python_equals_numba() -> None:
    data = example(5)
    z, shift = point(data, 5)
    inputs = pt.dmatrix("z"), pt.dmatrix("shift")
    values, density = group_values(*inputs, data)
    outputs = [values, density, *pytensor.grad((values**3).sum() + 2 * density, list(inputs))]
    compiled, interpreted = (pytensor.function(inputs, outputs, mode=m) for m in ("NUMBA", PYTHON))
    for got, want in zip(compiled(z, shift), interpreted(z, shift), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12)


def test_non_centred_coordinates_are_standard_normal() -> None:
    data = example(6)
    data["centring"] = np.zeros_like(data["centring"])
    z, shift = point(data, 6)
    assert GroupValues().make_node(z, shift, *data.values()).op == GroupValues()
    assert module.forward(z, shift, *data.values())[1] == pytest.approx(0.0, abs=1e-12)


def test_centred_values_do_not_move_with_the_sd() -> None:
    data = example(7)
    data["centring"] = np.ones_like(data["centring"])
    z, shift = point(data, 7)
    first = module.forward(z, shift, *data.values())[0]
    np.testing.assert_array_equal(module.forward(z, shift + 1.0, *data.values())[0], first)


@pytest.mark.parametrize("bad", [np.nan, 1e4, -1e4])
def test_impossible_sds_have_no_density_or_a_finite_one(bad: float) -> None:
    data = example(8)
    z, shift = point(data, 8)
    shift[0, 0] = bad
    with np.errstate(all="ignore"):
        values, density = module.forward(z, shift, *data.values())
        gradients = module.backward(z, shift, *data.values(), np.zeros_like(values), 1.0)
    assert density < np.inf and not np.isnan(density)
    assert all(np.all(np.isfinite(g)) for g in gradients)
