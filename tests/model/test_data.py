"""Padding, patterns and order: the arrays hold exactly what the rows said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayescmr.model.data import BlockData, block_data, hierarchy_of, reference_of

GRIDS = ((1e8, 1e9), (1e8, 3e8, 1e9), (2e8, 5e8, 1e9, 4e9))


def rows_of(
    run: str, grid: tuple[float, ...], *, size: float = 1e9, domain: str = "law",
    ratio: float = 0.25, se: float | list[float] = 0.01, eval_set: str = "web",
) -> pd.DataFrame:  # fmt: skip
    """Canonical rows of one run; its losses are numbers that no other run has."""
    rng = np.random.default_rng(abs(hash((len(run), sum(run.encode()), grid))) % 2**32)
    return pd.DataFrame(
        {
            "run": run,
            "size": size,
            "domain": domain,
            "ratio": ratio,
            "tokens": grid,
            "eval_set": eval_set,
            "role": "general",
            "change": rng.normal(size=len(grid)),
            "se": se,
        }
    )


def arranged(frame: pd.DataFrame) -> BlockData:
    return block_data(frame, hierarchy_of(frame, 0.5, reference_of(frame)))


def unpacked(data: BlockData) -> pd.DataFrame:
    """Rows read back from the arrays, by the documented meaning of each."""
    blocks = data.blocks
    out = []
    for p in range(len(blocks.count)):
        n = blocks.count[p]
        for r in range(blocks.start[p], blocks.start[p + 1]):
            run, eval_set = data.labels[r]
            for k in range(n):
                tokens = data.tokens[r, k]
                # The pattern's x is the run's own tokens.
                assert blocks.x[p, k] == np.log(tokens / data.reference.tokens)
                assert blocks.no_replay[p] == (data.ratio[r] == 1.0)
                out.append((run, eval_set, data.ratio[r], tokens, blocks.y[r, k],
                            blocks.variance[p, k]))  # fmt: skip
    columns = ["run", "eval_set", "ratio", "tokens", "change", "variance"]
    return pd.DataFrame(out, columns=columns).sort_values(["run", "eval_set", "tokens"])


def check_reconstructs(frame: pd.DataFrame, data: BlockData) -> None:
    want = frame.assign(variance=frame["se"] ** 2).sort_values(["run", "eval_set", "tokens"])
    got = unpacked(data)
    for column in got.columns:
        assert got[column].tolist() == want[column].tolist(), column


def check_padding(data: BlockData) -> None:
    blocks = data.blocks
    width = blocks.y.shape[1]
    assert width == blocks.count.max() == data.tokens.shape[1] == blocks.x.shape[1]
    assert blocks.variance.shape == blocks.x.shape
    assert blocks.start[0] == 0 and blocks.start[-1] == len(data.labels) == len(data.ratio)
    assert np.all(np.diff(blocks.start) > 0), "no pattern without runs"
    assert np.all(np.isfinite(blocks.x)) and np.all(data.tokens > 0)
    for p, n in enumerate(blocks.count):
        np.testing.assert_array_equal(blocks.variance[p, n:], 0.0)
        np.testing.assert_array_equal(blocks.x[p, n:], blocks.x[p, n - 1])
        for r in range(blocks.start[p], blocks.start[p + 1]):
            np.testing.assert_array_equal(blocks.y[r, n:], 0.0)
            np.testing.assert_array_equal(data.tokens[r, n:], data.tokens[r, n - 1])


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(GRIDS),
            st.sampled_from([0.0, 0.01, 0.02]),
            st.sampled_from([0.25, 0.5, 1.0]),
            st.sampled_from([1e8, 1e9]),
            st.sampled_from(["web", "code"]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_any_table_is_reconstructed(specs, random) -> None:  # type: ignore[no-untyped-def]
    frame = pd.concat(
        [
            rows_of(f"run{i}", grid, se=se, ratio=ratio, size=size, eval_set=eval_set)
            for i, (grid, se, ratio, size, eval_set) in enumerate(specs)
        ],
        ignore_index=True,
    )
    order = list(range(len(frame)))
    random.shuffle(order)
    shuffled = frame.iloc[order].reset_index(drop=True)
    hierarchy = hierarchy_of(frame, 0.5, reference_of(frame))
    data = block_data(shuffled, hierarchy)
    check_reconstructs(frame, data)
    check_padding(data)
    # As few patterns as there are kinds of runs, and rows in any order give the same arrays.
    assert len(data.blocks.count) == len({(g, se, r == 1.0) for g, se, r, _, _ in specs})
    for name, value in block_data(frame, hierarchy).arrays().items():
        np.testing.assert_array_equal(value, data.arrays()[name])
    # The reference is a mean of logarithms, which rounds as the rows are ordered.
    assert reference_of(shuffled).tokens == pytest.approx(hierarchy.reference.tokens, rel=1e-12)


def test_runs_that_share_checkpoints_share_a_pattern() -> None:
    frame = pd.concat(
        [
            rows_of("a", GRIDS[0]),
            rows_of("b", GRIDS[2], ratio=0.5),
            rows_of("c", GRIDS[0], ratio=0.5, size=2e9, domain="code"),
        ]
    )
    data = arranged(frame)
    assert data.labels == (("a", "web"), ("c", "web"), ("b", "web"))
    np.testing.assert_array_equal(data.blocks.count, [2, 4])
    np.testing.assert_array_equal(data.blocks.start, [0, 2, 3])
    np.testing.assert_array_equal(data.ratio, [0.25, 0.5, 0.5])


@pytest.mark.parametrize(
    "second",
    [
        {"se": 0.02},
        {"se": [0.01, 0.02]},
        {"ratio": 1.0},
        {"grid": (1e8, 1.000001e9)},
    ],
    ids=["another se", "se at one checkpoint", "no replay", "another checkpoint"],
)
def test_runs_that_differ_have_patterns_of_their_own(second: dict) -> None:  # type: ignore[type-arg]
    grid = second.pop("grid", GRIDS[0])
    frame = pd.concat([rows_of("a", GRIDS[0]), rows_of("b", grid, **second)])
    data = arranged(frame)
    assert len(data.blocks.count) == 2
    check_reconstructs(frame, data)


def design(data: BlockData) -> np.ndarray:
    """Design rows of the trajectories, as their anchors have them."""
    return data.groups.weights @ data.groups.rows


def test_only_ratio_one_is_without_replay() -> None:
    ratios = [0.0, 0.5, float(np.nextafter(1.0, 0.0)), 1.0]
    frame = pd.concat([rows_of(f"r{i}", GRIDS[0], ratio=r) for i, r in enumerate(ratios)])
    data = arranged(frame)
    np.testing.assert_array_equal(data.blocks.no_replay, [0, 1])
    assert data.labels[-1] == ("r3", "web")


def test_a_run_on_two_sets_is_two_trajectories() -> None:
    frame = pd.concat(
        [rows_of("a", GRIDS[1]), rows_of("a", GRIDS[1], eval_set="code"),
         rows_of("b", GRIDS[0]), rows_of("b", GRIDS[1], eval_set="code", se=0.03)]
    )  # fmt: skip
    data = arranged(frame)
    check_reconstructs(frame, data)
    assert sorted(data.labels) == [("a", "code"), ("a", "web"), ("b", "code"), ("b", "web")]
    # The design row is that of the trajectory's own set.
    hierarchy = hierarchy_of(frame, 0.5, reference_of(frame))
    for label, row in zip(data.labels, design(data), strict=True):
        np.testing.assert_allclose(row, hierarchy.place(1e9, "law", label[1]).row, atol=1e-12)


def test_design_rows_belong_to_their_runs() -> None:
    frame = pd.concat(
        [
            rows_of("a", GRIDS[2], size=1e9, domain="law"),
            rows_of("b", GRIDS[0], size=2e9, domain="code"),
            rows_of("c", GRIDS[2], size=4e9, domain="code"),
        ]
    )
    data = arranged(frame)
    hierarchy = hierarchy_of(frame, 0.5, reference_of(frame))
    groups = {"a": (1e9, "law"), "b": (2e9, "code"), "c": (4e9, "code")}
    for (run, eval_set), row in zip(data.labels, design(data), strict=True):
        want = hierarchy.place(*groups[run], eval_set).row
        np.testing.assert_allclose(row, want, atol=1e-12)


def test_one_run_of_one_checkpoint() -> None:
    frame = rows_of("a", (1e9,))
    data = arranged(frame)
    check_reconstructs(frame, data)
    assert data.tokens.shape == (1, 1)


def test_types_are_those_the_kernel_reads() -> None:
    data = arranged(rows_of("a", GRIDS[0]))
    arrays = data.arrays()
    for name in ("count", "start", "no_replay"):
        assert arrays[name].dtype == np.int64, name
    for name in set(arrays) - {"count", "start", "no_replay"}:
        assert arrays[name].dtype == np.float64, name


# -- reference and levels -----------------------------------------------------------------------


def test_reference_is_the_centre_of_the_data() -> None:
    frame = pd.concat(
        [
            rows_of("a", (1e8, 1e10), size=1e8, ratio=0.125),
            rows_of("b", (1e8, 1e10), size=1e8, ratio=0.25),
            rows_of("c", (1e8, 1e10), size=1e10, ratio=0.5),
            rows_of("d", (1e8, 1e10), size=1e10, ratio=1.0),
            rows_of("e", (1e8, 1e10), size=1e10, ratio=0.0),
        ]
    )
    ref = reference_of(frame)
    # Each size counts once, each checkpoint once; 0 and 1 are not centres.
    assert ref.size == pytest.approx(1e9)
    assert ref.tokens == pytest.approx(1e9)
    assert ref.ratio == 0.25


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_reference_of_edge_ratios_is_inside(ratio: float) -> None:
    assert reference_of(rows_of("a", GRIDS[0], ratio=ratio)).ratio == 0.5


def test_levels_are_sorted_and_unique() -> None:
    frame = pd.concat(
        [
            rows_of("a", GRIDS[0], size=4e9, domain="law", eval_set="web"),
            rows_of("b", GRIDS[0], size=1e9, domain="code", eval_set="books"),
            rows_of("c", GRIDS[0], size=4e9, domain="code", eval_set="web"),
        ]
    )
    h = hierarchy_of(frame, 0.7, reference_of(frame))
    assert h.sizes == (1e9, 4e9)
    assert h.domains == ("code", "law")
    assert h.eval_sets == ("books", "web")
    assert h.size_length == 0.7
