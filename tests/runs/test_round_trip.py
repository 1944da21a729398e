"""One content, one fingerprint: whatever the order, form and format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from bayescmr.runs import RunTable, read_runs


def to_long(wide: pd.DataFrame) -> pd.DataFrame:
    """Independent of the package: by hand, set by set."""
    keys = ["run", "size", "domain", "ratio", "tokens", "seed", "lr"]
    parts = []
    for eval_set, role in (
        ("general", "general"), ("web", "general"), ("code", "general"), ("domain", "domain"),
    ):  # fmt: skip
        stem = role if eval_set == role else f"{role}:{eval_set}"
        part = wide[keys].assign(eval_set=eval_set, role=role, loss=wide[f"loss_{stem}"])
        if f"se_{stem}" in wide:
            part["se"] = wide[f"se_{stem}"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def save(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        records = frame.astype(object).where(frame.notna(), None).to_dict("records")
        path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in records))
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.parquet", "r.jsonl"])
@pytest.mark.parametrize("form", ["wide", "long", "canonical"])
def test_formats_and_forms_agree(wide: pd.DataFrame, tmp_path: Path, name: str, form: str) -> None:
    expected = RunTable.from_frame(wide)
    frame = {"wide": wide, "long": to_long(wide), "canonical": expected.frame}[form]
    table = read_runs(save(frame, tmp_path / name))
    assert_frame_equal(table.frame, expected.frame, check_exact=True)
    assert table.fingerprint == expected.fingerprint


def test_base_columns_and_base_rows_agree(wide: pd.DataFrame) -> None:
    base = wide[wide["tokens"] == 0].set_index("run")
    columns = wide[wide["tokens"] > 0].copy()
    for stem in ("general", "general:web", "general:code", "domain"):
        columns[f"base_loss_{stem}"] = columns["run"].map(base[f"loss_{stem}"])
    assert RunTable.from_frame(columns).fingerprint == RunTable.from_frame(wide).fingerprint


@pytest.mark.parametrize(
    ("column", "value"),
    [("loss_general", 3.123), ("se_general", 0.5), ("tokens", 1_000_001), ("lr", 1e-3)],
)
def test_any_other_value_changes_the_fingerprint(
    wide: pd.DataFrame, column: str, value: float
) -> None:
    before = RunTable.from_frame(wide).fingerprint
    wide.loc[1, column] = value
    assert RunTable.from_frame(wide).fingerprint != before


def test_the_last_bit_counts(wide: pd.DataFrame) -> None:
    before = RunTable.from_frame(wide).fingerprint
    wide.loc[1, "loss_general"] = np.nextafter(wide.loc[1, "loss_general"], 9)
    assert RunTable.from_frame(wide).fingerprint != before


def test_blank_columns_do_not_count(wide: pd.DataFrame) -> None:
    before = RunTable.from_frame(wide).fingerprint
    wide["schedule"] = None
    wide["status"] = "ok"
    wide["se_general:web"] = np.nan
    assert RunTable.from_frame(wide).fingerprint == before


def test_fingerprints_outlive_versions() -> None:
    """Saved posteriors name the table they came from: the hash of a content never changes."""
    frame = pd.DataFrame(
        {"run": "a", "size": 1e8, "domain": "law", "ratio": 0.25, "tokens": [0, 1e6],
         "loss_general": [3.0, 3.5]}
    )  # fmt: skip
    pinned = "83d3ff557fedce742fb5cd50e77167d25aa8fdc709f6473be2d6695c7a4cb26c"
    assert RunTable.from_frame(frame).fingerprint == pinned


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A valid table, and its rows in another order."""
    number = st.floats(0, 100, allow_subnormal=False)
    sizes = [1e6, 3.1e9, 12345.0]
    rows = []
    for run in range(draw(st.integers(1, 4))):
        size = draw(st.sampled_from(sizes))
        domain = draw(st.sampled_from(["law", "Ü", "NA", "a b"]))
        ratio = draw(st.floats(0, 1))
        seed = draw(st.one_of(st.none(), st.integers(0, 2**40)))
        grid = draw(st.lists(st.integers(1, 10**12), min_size=1, max_size=4, unique=True))
        for tokens in (0, *grid, 10**6 + 10**12):
            row = {"run": f"r{run}", "size": size, "domain": domain, "ratio": ratio,
                   "tokens": tokens, "loss_general": draw(number), "seed": seed}  # fmt: skip
            row["loss_domain"] = draw(number) if tokens == 0 else draw(st.none() | number)
            rows.append(row)
    frame = pd.DataFrame(rows)
    order = draw(st.permutations(range(len(frame))))
    return frame, frame.iloc[list(order)]


# No deadline: the machine may be busy.
@settings(deadline=None, max_examples=50)
@given(tables())
def test_row_order_does_not_matter(pair: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    one, two = (RunTable.from_frame(frame) for frame in pair)
    assert_frame_equal(one.frame, two.frame, check_exact=True)
    assert one.fingerprint == two.fingerprint
    assert one.exclusions == two.exclusions
    again = RunTable.from_frame(one.frame)
    assert_frame_equal(again.frame, one.frame, check_exact=True)
    assert again.fingerprint == one.fingerprint
