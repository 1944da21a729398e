"""Anchors span the design, and coefficients given their values are drawn from the exact law."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescmr.laws import Reference
from bayescmr.model.groups import Groups
from bayescmr.model.hierarchy import Hierarchy

Float = npt.NDArray[np.float64]


def hierarchy(sizes: int, domains: int, sets: int) -> Hierarchy:
    return Hierarchy(
        sizes=tuple(1e8 * 2.0**i for i in range(sizes)),
        domains=tuple(f"d{i}" for i in range(domains)),
        eval_sets=tuple(f"s{i}" for i in range(sets)),
        size_length=0.5,
        reference=Reference(3e8, 1e9, 0.5),
    )


def groups_of(h: Hierarchy, repeat: int = 2) -> tuple[Groups, Float]:
    design = h.design(h.cells * repeat)
    return Groups.of(design, h.factor_columns), design


@settings(max_examples=30)
@given(sizes=st.integers(1, 5), domains=st.integers(1, 4), sets=st.integers(1, 3))
def test_trajectories_are_linear_in_independent_anchors(
    sizes: int, domains: int, sets: int
) -> None:
    groups, design = groups_of(hierarchy(sizes, domains, sets))
    np.testing.assert_allclose(groups.weights @ groups.rows, design, atol=1e-10)
    # Sizes differ in more than one way only if there is more than one, and so on.
    assert len(groups.rows) == sizes + (domains - 1) + (sets - 1)
    assert np.linalg.matrix_rank(groups.rows) == len(groups.rows)
    assert {tuple(r) for r in groups.rows} <= {tuple(r) for r in design}


def test_order_of_trajectories_does_not_choose_the_anchors() -> None:
    h = hierarchy(3, 2, 1)
    design = h.design(h.cells)
    shuffled = design[np.random.default_rng(1).permutation(len(design))]
    np.testing.assert_array_equal(
        Groups.of(design, h.factor_columns).rows, Groups.of(shuffled, h.factor_columns).rows
    )


def test_components_are_prior_covariances() -> None:
    h = hierarchy(3, 2, 2)
    groups, _ = groups_of(h)
    rng = np.random.default_rng(2)
    variances = rng.uniform(0.1, 2.0, 5)
    per_term = np.concatenate([variances[:2], variances[2:] @ h.factor_columns[:, 2:]])
    np.testing.assert_allclose(
        np.tensordot(variances, groups.components, 1),
        groups.rows @ np.diag(per_term) @ groups.rows.T,
        rtol=1e-12,
    )


def test_nearly_equal_sizes_stay_two_groups() -> None:
    h = Hierarchy((3.0e9, 3.1e9), ("d",), ("s",), 0.5, Reference(3e9, 1e9, 0.5))
    groups, design = groups_of(h)
    assert len(groups.rows) == 2
    np.testing.assert_allclose(groups.weights @ groups.rows, design, atol=1e-10)


def test_coefficients_reproduce_the_anchors_and_follow_the_conditional_normal() -> None:
    h = hierarchy(3, 2, 1)
    groups, _ = groups_of(h)
    rng = np.random.default_rng(3)
    terms, count, draws = groups.rows.shape[1], 2, 60_000
    sd = rng.uniform(0.3, 1.5, (count, terms))
    anchors = rng.normal(size=(count, len(groups.rows)))
    mean = np.array([1.0, -2.0])
    coef = groups.coefficients(
        np.broadcast_to(anchors, (draws, *anchors.shape)), mean,
        np.broadcast_to(sd, (draws, *sd.shape)), rng,
    )  # fmt: skip
    np.testing.assert_allclose(
        coef @ groups.rows.T,
        np.broadcast_to(anchors + mean[:, None], (draws, *anchors.shape)), atol=1e-9,
    )  # fmt: skip
    for p in range(count):
        # The textbook conditional of a joint normal.
        prior = np.diag(sd[p] ** 2)
        gain = prior @ groups.rows.T @ np.linalg.inv(groups.rows @ prior @ groups.rows.T)
        want = gain @ anchors[p] + mean[p] * np.eye(terms)[0]
        cov = prior - gain @ groups.rows @ prior
        error = coef[:, p].mean(0) - want
        assert np.all(np.abs(error) < 4.5 * np.sqrt(np.diag(cov) / draws) + 1e-12)
        got = np.cov(coef[:, p].T)
        spread = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / draws)
        assert np.all(np.abs(got - cov) < 4.5 * spread + 1e-12)


@pytest.mark.parametrize("cells", [1, 3])
def test_incomplete_designs(cells: int) -> None:
    """Not every size meets every domain."""
    h = hierarchy(3, 3, 1)
    some = [
        g for g in h.cells if (g[0], g[1]) in list(zip(h.sizes, h.domains, strict=True))[:cells]
    ]
    assert len(some) == cells
    design = h.design(list(itertools.chain(some, some)))
    groups = Groups.of(design, h.factor_columns)
    assert len(groups.rows) == cells
    np.testing.assert_allclose(groups.weights @ groups.rows, design, atol=1e-10)
