"""The published facts, and validation cases V1-V4 and V7-V9 against them."""

from __future__ import annotations

import json
import runpy
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr import gu2024

SIZES = list(gu2024.SIZES.values())
EIGHTH, QUARTER, THIRD, HALF, MOST = 1 / 8, 1 / 4, 1 / 3, 1 / 2, 3 / 4

#: Turning points in units of T, with the 5-95 % range left by rounding to five decimals.
TURNING = {
    EIGHTH: [(39.8, 39.0, 40.5), (29.0, 28.4, 29.6), (23.1, 22.6, 23.6), (20.1, 19.8, 20.4)],
    QUARTER: [(79.9, 78.2, 81.5), (56.7, 55.5, 57.9), (42.7, 41.8, 43.7), (30.8, 30.2, 31.3)],
    THIRD: [(117.1, 114.9, 119.4), (92.0, 90.0, 94.1), (65.6, 64.0, 67.2), (44.0, 43.2, 44.9)],
    HALF: [(233, 229, 238), (204, 199, 209), (168, 163, 172), (115, 112, 117)],
}


# -- the tables ---------------------------------------------------------------------------------


def test_table4_is_complete() -> None:
    rows = gu2024.table4()
    assert [(r.size, r.ratio) for r in rows] == [
        (size, float(ratio)) for size in SIZES for ratio in gu2024.RATIOS
    ]
    assert gu2024.token_law(460e6, 0.333) is gu2024.token_law(460e6, 1 / 3)


def test_tables_agree_with_the_shared_transcription(shared_data: Path) -> None:
    """Our CSV files against a transcription made independently of them."""
    shared = json.loads((shared_data / "gu2024_tables.json").read_text())
    assert len(shared["table4"]) == 24
    for entry in shared["table4"]:
        row = gu2024.token_law(gu2024.SIZES[entry["size"]], entry["R"])
        for field in ("alpha1", "s1", "alpha2", "s2", "beta1", "alpha3", "s3", "beta2"):
            assert getattr(row, field) == entry[field]
        for t, change in entry["dLgen_T"].items():
            np.testing.assert_allclose(row.general(float(t) * gu2024.UNIT), change, atol=1e-12)
        for t, change in entry["dLdom_T"].items():
            np.testing.assert_allclose(row.domain(float(t) * gu2024.UNIT), change, atol=1e-9)
    for label, cmr in shared["cmr_T100_pct"].items():
        size, _, domain = label.partition("_")
        got = gu2024.published_cmr(gu2024.SIZES[size], domain or "finance")
        assert round(100 * got, 1) == cmr
    assert shared["T_unit_tokens"] == gu2024.UNIT


def test_general_loss_at_the_budget() -> None:
    """The rises at T = 100 computed from Table 4 (five decimals)."""
    want = {
        EIGHTH: (0.00414, 0.00321, 0.00189, 0.01187),
        THIRD: (0.01053, 0.00808, 0.00596, 0.01515),
        MOST: (0.03211, 0.02430, 0.01865, 0.02580),
        1.0: (0.14881, 0.10476, 0.07746, 0.07243),
    }
    for ratio, values in want.items():
        got = [float(gu2024.token_law(size, ratio).general(gu2024.BUDGET)) for size in SIZES]
        np.testing.assert_allclose(got, values, atol=5.1e-6)


@pytest.mark.parametrize("row", gu2024.table4(), ids=lambda r: f"{r.size:g}-{r.ratio:.3g}")
def test_slopes_are_derivatives(row: gu2024.TokenLaw) -> None:
    tokens, step = gu2024.UNIT * np.array([1.0, 10.0, 100.0]), 1e-4
    for value, slope in ((row.general, row.slope_general), (row.domain, row.slope_domain)):
        difference = (value(tokens * np.exp(step)) - value(tokens * np.exp(-step))) / (2 * step)
        np.testing.assert_allclose(slope(tokens), difference, rtol=1e-5, atol=1e-8)


def test_labels_count_the_embeddings() -> None:
    """Labels are non-embedding parameters plus two embedding matrices, to within 1.5 %."""
    hidden = dict(zip(SIZES, (1024, 1536, 2048, 2560), strict=True))
    for size, core in gu2024.NON_EMBEDDING.items():
        assert abs((core + 2 * 65632 * hidden[size]) / size - 1) < 0.015


def test_unknown_run_and_cmr_are_named() -> None:
    with pytest.raises(ValueError, match=r"size 7e\+09 at ratio 0\.5"):
        gu2024.token_law(7e9, 0.5)
    with pytest.raises(ValueError, match="academic"):
        gu2024.published_cmr(3.1e9, "academic")


# -- V1 to V4, V9: turning points and the CMR law -----------------------------------------------


def test_v1_equation_eight_gives_the_published_ratios() -> None:
    got = [float(gu2024.cmr_law(size, gu2024.BUDGET)) for size in SIZES]
    assert [round(100 * v, 1) for v in got] == [29.8, 34.9, 41.4, 47.8]
    assert [gu2024.published_cmr(size) for size in SIZES] == [0.298, 0.349, 0.414, 0.478]
    assert gu2024.published_cmr(460e6, "academic") == 0.367


def test_v1_equation_eight_at_other_budgets() -> None:
    units = np.array([20, 50, 75, 250])
    want = {460e6: (2.35, 16.49, 23.95, 51.6), 3.1e9: (12.44, 35.45, 43.13, 59.5)}
    for size, values in want.items():
        np.testing.assert_allclose(
            100 * gu2024.cmr_law(size, units * gu2024.UNIT), values, atol=0.051
        )


@pytest.mark.parametrize("ratio", list(TURNING))
def test_v2_turning_points(ratio: float) -> None:
    for size, (value, low, high) in zip(SIZES, TURNING[ratio], strict=True):
        row = gu2024.token_law(size, ratio)
        got = gu2024.turning_point(row) / gu2024.UNIT
        assert low <= got <= high
        assert got == pytest.approx(
            value, abs=0.51 if value > 200 or value in (168, 115) else 0.051
        )
        # It is a peak of the curve itself, not only a root of the slope.
        around = row.general(got * gu2024.UNIT * np.array([0.97, 1.0, 1.03]))
        assert around[1] == around.max()


def test_v2_rows_above_one_half() -> None:
    got = [gu2024.turning_point(gu2024.token_law(size, MOST)) / gu2024.UNIT for size in SIZES]
    np.testing.assert_allclose(got, [494, np.nan, 693, 850], atol=0.51)
    assert all(np.isnan(gu2024.turning_point(gu2024.token_law(size, 1.0))) for size in SIZES)


def test_v2_reduced_form() -> None:
    """T0 = exp(a/b - 1/s), and the same curve to a fifth of the last printed digit."""
    tokens = gu2024.UNIT * np.geomspace(1, 100, 30)
    for ratio in TURNING:
        for size in SIZES:
            row = gu2024.token_law(size, ratio)
            reduced = gu2024.reduced_form(row)
            assert reduced.turning_point == pytest.approx(gu2024.turning_point(row), rel=2e-3)
            np.testing.assert_allclose(reduced.general(tokens), row.general(tokens), atol=2e-6)
    example = gu2024.reduced_form(gu2024.token_law(460e6, HALF))
    np.testing.assert_allclose(
        [example.a, example.b, example.s, example.c], [0.00323, 0.000450, 0.5776, 0.0005], rtol=2e-3
    )
    with pytest.raises(ValueError, match="too far apart"):
        gu2024.reduced_form(gu2024.token_law(460e6, 1.0))


def test_v3_whole_pipeline_gives_the_published_ratios() -> None:
    got = [100 * gu2024.cmr_from_turning_points(size) for size in SIZES]
    np.testing.assert_allclose(got, [29.8, 35.4, 41.0, 48.1], atol=0.06)
    published = [100 * gu2024.published_cmr(size) for size in SIZES]
    assert np.abs(np.subtract(got, published)).max() < 0.6
    with pytest.raises(ValueError, match="no turning point"):
        gu2024.cmr_from_turning_points(940e6, ratios=(EIGHTH, QUARTER, HALF, MOST))


def test_v4_feasibility_at_the_budget() -> None:
    def feasible(ratio: float) -> list[bool]:
        return [gu2024.is_feasible(gu2024.token_law(size, ratio)) for size in SIZES]

    assert feasible(EIGHTH) == feasible(QUARTER) == [True] * 4
    assert feasible(THIRD) == [False, True, True, True]
    assert feasible(HALF) == feasible(MOST) == feasible(1.0) == [False] * 4


def test_v9_turning_point_against_lambda() -> None:
    want = {
        (460e6, QUARTER): (62.4, 74.1, 78.1, 79.6, 79.9),
        (940e6, THIRD): (72.0, 85.4, 90.0, 91.7, 92.0),
        (3.1e9, HALF): (91.6, 107.0, 112.4, 114.4, 114.7),
    }
    for (size, ratio), values in want.items():
        row = gu2024.token_law(size, ratio)
        lams = (100, 300, 1000, 7000, np.inf)
        got = [gu2024.turning_point(row, lam) / gu2024.UNIT for lam in lams]
        np.testing.assert_allclose(got, values, rtol=0.01)
        assert np.isnan(gu2024.turning_point(row, 10))
    with pytest.raises(ValueError, match="lam"):
        gu2024.turning_point(gu2024.token_law(460e6, HALF), 0.0)


# -- V7, V8 -------------------------------------------------------------------------------------


def test_v7_tolerance_cmr_is_not_the_turning_point_cmr() -> None:
    wide = [100 * gu2024.tolerance_cmr(size) for size in SIZES]
    np.testing.assert_allclose(wide, [82, 87, 91, 91], atol=0.6)
    tight = [100 * gu2024.tolerance_cmr(size, 0.02) for size in SIZES]
    np.testing.assert_allclose(tight, [57, 68, 77, 56], atol=0.6)
    assert np.all(np.array(wide) > 1.8 * 100 * np.array([gu2024.published_cmr(s) for s in SIZES]))
    # Atoms: no ratio, and all ratios.
    assert np.isnan(gu2024.tolerance_cmr(3.1e9, 0.01))
    assert gu2024.tolerance_cmr(3.1e9, 0.2) == 1.0


def test_v8_loss_against_ratio_predicts_the_held_out_quarter() -> None:
    table = gu2024.table2()
    assert len(table) == 20
    for _, rows in table.groupby("size"):
        held = rows["ratio"] == QUARTER
        seen, truth = rows[~held], rows[held].iloc[0]
        assert len(seen) == 4
        law = gu2024.fit_power_law(seen["ratio"].to_numpy(), seen["loss_domain"].to_numpy())
        assert abs(float(law(QUARTER)) / truth["loss_domain"] - 1) < 5e-4
        # The authors' own prediction is as good, by their table.
        assert abs(truth["loss_domain_predicted"] / truth["loss_domain"] - 1) < 6e-4


@given(
    alpha=st.floats(0.1, 5.0),
    s=st.floats(-2.5, 2.5).filter(lambda s: abs(s) > 0.05),
    beta=st.floats(-2.0, 2.0),
)
def test_power_law_fit_recovers_an_exact_curve(alpha: float, s: float, beta: float) -> None:
    x = np.array([0.125, 0.25, 1 / 3, 0.5, 1.0, 2.0])
    law = gu2024.PowerLaw(alpha, s, beta)
    fitted = gu2024.fit_power_law(x, law(x))
    np.testing.assert_allclose(fitted(x), law(x), rtol=1e-5, atol=1e-5)
    assert fitted.s == pytest.approx(s, abs=1e-3)


def test_power_law_fit_of_a_logarithm() -> None:
    """s = 0 is inside the family's closure and must not divide by zero."""
    x = np.array([0.2, 0.5, 1.0, 2.0, 5.0])
    fitted = gu2024.fit_power_law(x, 1.0 + np.log(x))
    np.testing.assert_allclose(fitted(x), 1.0 + np.log(x), atol=1e-5)
    with pytest.raises(ValueError, match="three or more"):
        gu2024.fit_power_law(x[:2], x[:2])


# -- the run table ------------------------------------------------------------------------------


def test_trajectories() -> None:
    table = gu2024.trajectories()
    assert list(table.columns) == [
        "run", "size", "domain", "ratio", "tokens", "change_general", "se_general",
        "change_domain", "se_domain", "source",
    ]  # fmt: skip
    assert len(table) == 24 * 16
    assert table["run"].nunique() == 24
    assert "gu-460M-0.125" in set(table["run"])
    assert sorted(table["ratio"].unique()) == [
        float(Fraction(r)) for r in ("1/8", "1/4", "1/3", "1/2", "3/4", "1")
    ]
    assert set(table["domain"]) == {"finance"}
    for _, run in table.groupby("run"):
        tokens = run["tokens"].to_numpy()
        assert tokens[0] == 0.2e9
        assert tokens[-1] == 20e9
        np.testing.assert_allclose(np.diff(np.log(tokens)), np.log(100) / 15, rtol=1e-6)
        row = gu2024.token_law(run["size"].iloc[0], run["ratio"].iloc[0])
        np.testing.assert_allclose(run["change_general"], row.general(tokens), atol=5.1e-8)
        np.testing.assert_allclose(run["change_domain"], row.domain(tokens), atol=5.1e-8)
        assert (run["change_domain"] < 0).all()
    assert len(gu2024.trajectories(5)) == 24 * 5
    with pytest.raises(ValueError, match="checkpoints"):
        gu2024.trajectories(1)


def test_case_study_table_is_up_to_date(repo_root: Path, tmp_path: Path) -> None:
    study = repo_root / "case_studies" / "gu2024"
    script = runpy.run_path(str(study / "make_table.py"))
    script["write"](tmp_path / "runs.csv")
    committed = (study / "runs.csv").read_bytes()
    assert (tmp_path / "runs.csv").read_bytes() == committed, "run make_table.py and commit"
    pd.testing.assert_frame_equal(
        pd.read_csv(study / "runs.csv"),
        gu2024.trajectories(),
        check_dtype=False,
        rtol=0,
        atol=1e-12,
    )


def test_case_study_says_what_the_data_are(repo_root: Path) -> None:
    text = (repo_root / "case_studies" / "gu2024" / "README.md").read_text()
    for phrase in (
        "turning-point CMRs",
        "not tolerance CMRs",
        "One seed",
        "no noise",
        "2407.17467",
    ):
        assert phrase in text
