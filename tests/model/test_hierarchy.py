"""Design rows against the covariances and conditional distributions that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import TargetError
from bayescmr.laws import Reference
from bayescmr.model.hierarchy import Hierarchy

REF = Reference(size=1.2e9, tokens=2e9, ratio=1 / 3)
SIZES = (3e8, 7e8, 1.6e9, 3.1e9)
LENGTH = 0.5

sizes = st.lists(st.floats(np.log(1e7), np.log(1e11)), min_size=1, max_size=5).map(
    lambda logs: tuple(float(np.exp(v)) for v in np.unique(np.round(logs, 2)))
)
lengths = st.floats(0.1, 3.0)
sds = st.floats(0.05, 2.0)


def hierarchy(
    sizes: tuple[float, ...] = SIZES,
    domains: tuple[str, ...] = ("code", "law"),
    eval_sets: tuple[str, ...] = ("general",),
    length: float = LENGTH,
) -> Hierarchy:
    return Hierarchy(sizes, domains, eval_sets, length, REF)


def prior_variance(
    h: Hierarchy, mean: float, slope: float, effects: tuple[float, ...]
) -> np.ndarray:
    """Prior variance of every column, written out."""
    n_sets = len(h.eval_sets) if len(h.eval_sets) > 1 else 0
    return np.concatenate(
        [
            [mean**2, slope**2],
            np.full(len(h.sizes), effects[0] ** 2),
            np.full(len(h.domains), effects[1] ** 2),
            np.full(n_sets, effects[2] ** 2),
        ]
    )


def kernel(a: np.ndarray, b: np.ndarray, length: float) -> np.ndarray:
    return np.exp(-np.abs(np.subtract.outer(np.log(a), np.log(b))) / length)


@given(sizes=sizes, length=lengths, mean=sds, slope=sds, size=sds, domain=sds, eval_set=sds,
       n_sets=st.integers(1, 3), n_domains=st.integers(1, 3))  # fmt: skip
def test_rows_imply_the_covariance_of_the_hierarchy(
    sizes: tuple[float, ...], length: float, mean: float, slope: float, size: float,
    domain: float, eval_set: float, n_sets: int, n_domains: int,
) -> None:  # fmt: skip
    """s0^2 + slope^2 x x' + sd_size^2 e^(-|ln N - ln N'|/l) + sd_dom^2 [d = d'] + sd_set^2 [..]."""
    h = hierarchy(
        sizes,
        tuple(f"d{i}" for i in range(n_domains)),
        tuple(f"s{i}" for i in range(n_sets)),
        length,
    )
    cells = h.cells
    assert len(cells) == len(sizes) * n_domains * n_sets
    design = h.design(cells)
    got = design * prior_variance(h, mean, slope, (size, domain, eval_set)) @ design.T
    n = np.array([c[0] for c in cells])
    x = np.log(n / REF.size)
    same_domain = np.equal.outer([c[1] for c in cells], [c[1] for c in cells])
    same_set = np.equal.outer([c[2] for c in cells], [c[2] for c in cells])
    want = mean**2 + slope**2 * np.outer(x, x) + size**2 * kernel(n, n, length)
    want += domain**2 * same_domain
    if n_sets > 1:
        want += eval_set**2 * same_set
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-10)


@given(sizes=sizes, length=lengths, log_new=st.floats(np.log(1e7), np.log(1e12)),
       seed=st.integers(0, 2**32 - 1))  # fmt: skip
def test_a_new_size_is_the_conditional_of_the_process(
    sizes: tuple[float, ...], length: float, log_new: float, seed: int
) -> None:
    """Given effects f at the probed sizes: mean k' K^-1 f, variance 1 - k' K^-1 k."""
    h = hierarchy(sizes, length=length)
    new = float(np.exp(log_new))
    probed = np.array(sizes)
    inverse = np.linalg.inv(kernel(probed, probed, length))
    shared = kernel(np.array([new]), probed, length)[0]
    innovations = np.random.default_rng(seed).normal(size=len(sizes))
    part = slice(2, 2 + len(sizes))
    effects = h.design([(n, "code", "general") for n in sizes])[:, part] @ innovations
    place = h.place(new, "code", "general")
    np.testing.assert_allclose(
        place.row[part] @ innovations, shared @ inverse @ effects, rtol=1e-7, atol=1e-8
    )
    np.testing.assert_allclose(
        place.new_size**2, 1 - shared @ inverse @ shared, rtol=1e-7, atol=1e-9
    )
    assert place.row[1] == pytest.approx(np.log(new / REF.size), abs=1e-12)


def test_a_new_size_varies_as_much_as_a_probed_one() -> None:
    """The prior variance of its effect is that of any size: row^2 + new_size^2 = 1."""
    for new in (1e6, 5e8, 1.61e9, 7e10):
        place = hierarchy().place(new, "law", "general")
        effect = place.row[2 : 2 + len(SIZES)]
        assert effect @ effect + place.new_size**2 == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("probed", SIZES)
def test_a_new_size_becomes_the_probed_one_continuously(probed: float) -> None:
    h = hierarchy()
    at = h.place(probed, "code", "general")
    assert at.new_size == 0.0
    for step in (1e-2, 1e-4, 1e-6, 1e-8):
        near = h.place(probed * (1 + step), "code", "general")
        # The process is rough: its conditional variance is at most 1 - e^(-2 lag / l).
        assert 0 < near.new_size < np.sqrt(2.001 * step / LENGTH)
        np.testing.assert_allclose(near.row, at.row, rtol=0, atol=5 * step / LENGTH)


def test_a_size_equal_but_for_rounding_is_probed() -> None:
    h = hierarchy()
    assert h.place(np.nextafter(SIZES[1], np.inf), "code", "general").new_size == 0.0


def test_a_size_far_away_knows_only_mean_and_slope() -> None:
    place = hierarchy().place(1e15, "code", "general")
    assert place.new_size == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(place.row[2 : 2 + len(SIZES)], 0.0, atol=1e-9)


def test_size_process_is_markov() -> None:
    """Between two probed sizes only these two matter, beyond the last only the last."""
    h = hierarchy()
    cells = [(n, "code", "general") for n in SIZES]
    factor = h.design(cells)[:, 2 : 2 + len(SIZES)]
    for new, used in ((1e9, {1, 2}), (1e10, {3}), (1e8, {0})):
        weights = np.linalg.solve(factor.T, h.place(new, "code", "general").row[2:6])
        assert {int(i) for i in np.flatnonzero(np.abs(weights) > 1e-10)} == used


def test_one_size_and_one_domain() -> None:
    h = hierarchy((1.2e9,), ("law",))
    place = h.place(1.2e9, "law", "general")
    np.testing.assert_array_equal(place.row, [1.0, 0.0, 1.0, 1.0])
    assert (place.new_size, place.new_domain) == (0.0, 0.0)
    assert h.terms == ["mean", "size slope", "size innovation 1", "domain law"]
    np.testing.assert_array_equal(h.factor_columns, [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]])
    twice = h.place(2.4e9, "law", "general")
    rho = np.exp(-np.log(2) / LENGTH)
    np.testing.assert_allclose(twice.row, [1.0, np.log(2), rho, 1.0])
    assert twice.new_size == pytest.approx(np.sqrt(1 - rho**2))


def test_unknown_domain_gets_an_effect_of_its_own() -> None:
    h = hierarchy()
    known, unknown = h.place(7e8, "law", "general"), h.place(7e8, "physics", "general")
    assert (known.new_domain, unknown.new_domain) == (0.0, 1.0)
    part = slice(2 + len(SIZES), 2 + len(SIZES) + 2)
    np.testing.assert_array_equal(known.row[part], [0.0, 1.0])
    np.testing.assert_array_equal(unknown.row[part], [0.0, 0.0])
    np.testing.assert_array_equal(np.delete(known.row, part), np.delete(unknown.row, part))


def test_terms_label_the_columns() -> None:
    h = hierarchy(eval_sets=("code", "web"))
    assert len(h.terms) == h.factor_columns.shape[1] == len(h.place(7e8, "law", "web").row)
    assert h.terms[-2:] == ["eval_set code", "eval_set web"]
    np.testing.assert_array_equal(h.factor_columns.sum(axis=0), [0, 0, *[1] * 8])
    np.testing.assert_array_equal(h.factor_columns.sum(axis=1), [4, 2, 2])
    np.testing.assert_array_equal(h.place(7e8, "law", "web").row[-2:], [0.0, 1.0])


def test_design_repeats_rows_of_repeated_groups() -> None:
    h = hierarchy()
    groups = [(7e8, "law", "general"), (3e8, "code", "general"), (7e8, "law", "general")]
    design = h.design(groups)
    for row, group in zip(design, groups, strict=True):
        np.testing.assert_array_equal(row, h.place(*group).row)


def test_unknown_eval_set() -> None:
    with pytest.raises(TargetError, match=r"eval_set: got 'math', expected one of code, web"):
        hierarchy(eval_sets=("code", "web")).place(7e8, "law", "math")


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf])
def test_impossible_size(size: float) -> None:
    with pytest.raises(TargetError, match=r"size: got .*, expected a count of parameters > 0"):
        hierarchy().place(size, "law", "general")


def test_spanning_cells_determine_all_others() -> None:
    h = Hierarchy((1e8, 3e8, 1e9), ("a", "b"), ("u", "v"), 0.5, Reference(3e8, 1e9, 0.5))
    few, all_ = h.design(h.spanning_cells), h.design(h.cells)
    assert len(few) == 5 == np.linalg.matrix_rank(few) == np.linalg.matrix_rank(all_)
    np.testing.assert_allclose(
        np.linalg.lstsq(few.T, all_.T, rcond=None)[0].T @ few, all_, atol=1e-12
    )
