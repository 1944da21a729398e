"""Coordinates that follow the data, and the way between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayescmr.model.coordinates import Coordinates
from bayescmr.model.spec import FACTORS

Prepare = Callable[..., Any]


@pytest.fixture
def block(prepare: Prepare, gu_table: pd.DataFrame) -> Any:
    return prepare(gu_table)


def points_of(coordinates: Coordinates, count: int) -> np.ndarray:
    n, f = coordinates.centring.shape
    dimension = n * (len(coordinates.groups.rows) + f) + 6
    return np.random.default_rng(1).normal(size=(count, dimension))


def coefficients_of(coordinates: Coordinates, points: np.ndarray, hierarchy: Any) -> xr.Dataset:
    named = coordinates.named(points)
    draws = xr.Dataset(
        {n: (("chain", "draw", *(f"{n}{i}" for i in range(v.ndim - 1))), v[None])
         for n, v in named.items()}
    )  # fmt: skip
    return coordinates.coefficients(draws, hierarchy, seed=3)


def test_another_centring_is_another_name_of_the_same_point(block: Any) -> None:
    spec, hierarchy, data = block
    plain = Coordinates.non_centred(spec, data.groups)
    rng = np.random.default_rng(2)
    bend = np.column_stack([rng.normal(size=6), np.full(6, 0.3), np.arange(6.0)])
    other = replace(plain, centring=rng.uniform(size=plain.centring.shape), bend=bend)
    points = points_of(plain, 5)
    moved = other.convert(points, plain)
    np.testing.assert_allclose(plain.convert(moved, other), points, rtol=1e-7, atol=1e-8)

    def values(coordinates: Coordinates, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn = coefficients_of(coordinates, points, hierarchy)
        assert drawn["coef"].dims == ("chain", "draw", "parameter", "term")
        return drawn["coef"].to_numpy() @ data.groups.rows.T, drawn["noise"].to_numpy()

    for one, same in zip(values(plain, points), values(other, moved), strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-8, atol=1e-9)


def test_the_way_back_from_coefficients(block: Any) -> None:
    spec, hierarchy, data = block
    plain = Coordinates.non_centred(spec, data.groups)
    bend = np.tile([0.2, 0.5, 3.0], (6, 1))
    used = replace(plain, centring=np.full_like(plain.centring, 0.3), bend=bend)
    points = points_of(used, 5)
    drawn = coefficients_of(used, points, hierarchy)
    back = used.points(*(drawn[n].to_numpy()[0] for n in ("coef", "ln_effect_sd", "noise")))
    np.testing.assert_allclose(back, points, rtol=1e-7, atol=1e-8)


def test_no_data_no_centring(block: Any) -> None:
    spec, _, data = block
    plain = Coordinates.non_centred(spec, data.groups)
    point = points_of(plain, 1)[0]
    informed = plain.informed(point, np.eye(len(point)))
    np.testing.assert_allclose(informed.centring, 0.0, atol=1e-9)


def test_what_data_fix_is_centred_and_the_rest_is_not(block: Any) -> None:
    """The third parameter is known exactly, the fifth with half its prior variance."""
    spec, _, data = block
    plain = Coordinates.non_centred(spec, data.groups)
    point = points_of(plain, 1)[0]
    covariance = np.eye(len(point))
    n = len(data.groups.rows)
    covariance[2 * n : 3 * n] = 0.0
    covariance[4 * n : 5 * n] *= 0.5
    centring = plain.informed(point, covariance).centring
    # One domain and one set: a domain effect moves all anchors, a set has no term at all.
    with_terms = [FACTORS.index("size"), FACTORS.index("domain")]
    np.testing.assert_allclose(centring[2, with_terms], 1.0)
    np.testing.assert_allclose(centring[4, with_terms], 0.5)
    others = np.delete(centring, [2, 4], axis=0)
    np.testing.assert_allclose(others, 0.0, atol=1e-9)
    assert np.all(centring[:, FACTORS.index("eval_set")] == 0.0)
