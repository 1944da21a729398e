"""What is left out is said, and what is kept is described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pandas as pd
import pytest

from bayescmr.errors import RunTableError
from bayescmr.runs import RunTable, read_runs

Write = Callable[..., Path]
Refused = Callable[..., str]
HEADER = "run,size,domain,ratio,tokens,loss_general,status"


def test_early_rows(write: Write, lines: list[str]) -> None:
    table = read_runs(write(lines), min_tokens=1.5e6)
    (out,) = table.exclusions
    assert out.reason == "tokens < min_tokens (1500000): recalibration after the start of CPT"
    assert out.rows == 2
    assert out.runs == ("a", "b")
    assert out.detail == "runs without a later row: 1"
    assert table.frame["tokens"].tolist() == [2e6]
    # The base stays: it is no early checkpoint.
    assert table.frame["base"].tolist() == [3.0]
    assert out.reason in table.describe()


def test_the_rule_is_part_of_the_fingerprint(write: Write, lines: list[str]) -> None:
    path = write(lines)
    assert len({read_runs(path, min_tokens=m).fingerprint for m in (None, 10.0, 11.0)}) == 3
    assert (
        read_runs(path, min_tokens=10).fingerprint == read_runs(path, min_tokens=10.0).fingerprint
    )


def test_everything_left_out(refused: Refused, lines: list[str]) -> None:
    text = refused(lines, min_tokens=1e12)
    assert "no usable general loss" in text
    assert "3 left out, tokens < min_tokens (1e+12)" in text


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "1e6"])
def test_bad_min_tokens(write: Write, lines: list[str], value: float) -> None:
    with pytest.raises(RunTableError, match=r"min_tokens: got .*, expected a finite count"):
        read_runs(write(lines), min_tokens=value)


def test_status(write: Write) -> None:
    rows = ["a,1e8,law,.5,0,3,", "a,1e8,law,.5,1e6,4,ok", "b,1e8,law,.5,1e6,4,done",
            "c,1e8,law,.5,1e6,4,", "c,1e8,law,.5,2e6,inf,Diverged", "d,1e8,law,.5,1e6,,failed",
            "e,1e8,law,.5,1e6,1e9,diverged"]  # fmt: skip
    table = read_runs(write([HEADER, *rows]))
    assert table.frame["run"].tolist() == ["a", "b"]
    assert table.frame["status"].tolist() == ["ok", "ok"]
    diverged, failed = table.exclusions
    assert (diverged.reason, diverged.rows, diverged.runs) == ("status diverged", 3, ("c", "e"))
    assert (failed.reason, failed.rows, failed.runs) == ("status failed", 1, ("d",))
    assert "left out: 3 losses of 2 runs ('c', 'e'): status diverged" in table.describe()


def test_the_base_of_a_failed_run_serves(write: Write) -> None:
    rows = ["a,1e8,law,.5,0,3,failed", "b,1e8,law,.5,1e6,4,"]
    assert read_runs(write([HEADER, *rows])).frame["base"].tolist() == [3.0]


def test_blank_cells(write: Write) -> None:
    header = "run,size,domain,ratio,tokens,loss_general,loss_domain"
    rows = [
        "a,1e8,law,.5,0,3,2",
        "a,1e8,law,.5,1e6,4,",
        "a,1e8,law,.5,2e6,,1",
        "a,1e8,law,.5,3e6,,",
    ]
    table = read_runs(write([header, *rows]))
    (out,) = table.exclusions
    assert (out.reason, out.rows, out.runs) == ("no loss value", 4, ("a",))
    assert len(table.frame) == 2


def test_columns_and_types(wide: pd.DataFrame) -> None:
    wide["status"] = "done"
    wide["source"] = "log 1"
    wide["schedule"] = "cosine"
    table = RunTable.from_frame(wide)
    assert list(table.frame.columns) == [
        "run", "size", "domain", "ratio", "tokens", "eval_set", "role", "loss", "base", "change",
        "se", "seed", "lr", "schedule", "status", "source",
    ]  # fmt: skip
    for name in ("size", "ratio", "tokens", "loss", "base", "change", "se", "lr"):
        assert table.frame[name].dtype == float
    for name in ("run", "domain", "eval_set", "role", "schedule", "status", "source"):
        assert table.frame[name].dtype == "str"
    assert table.frame["seed"].dtype == "Int64"
    assert isinstance(table.frame.index, pd.RangeIndex)
    assert (table.frame["tokens"] > 0).all()
    keys = ["run", "eval_set", "tokens"]
    assert table.frame[keys].equals(table.frame[keys].sort_values(keys, ignore_index=True))


def test_several_general_sets(wide: pd.DataFrame) -> None:
    table = RunTable.from_frame(wide)
    assert table.eval_sets("general") == ("code", "general", "web")
    assert table.eval_sets("domain") == ("domain",)
    assert table.sizes == (1e7, 1e8)
    assert table.domains == ("Medizin ü", "law")
    assert table.n_runs == 12
    assert len(table.frame) == 12 * 3 * 4
    assert len(table.select("general")) == 12 * 3 * 3
    one = table.frame.query("run == '1e+07-law-0.25' and eval_set == 'code' and tokens == 2e6")
    row = wide.query("run == '1e+07-law-0.25'").set_index("tokens")["loss_general:code"]
    assert one["change"].item() == row[2_000_000] - row[0]
    assert one["se"].item() == 0.1 / 3
    # No standard error was given for this set.
    assert (table.frame.query("eval_set == 'web'")["se"] == 0.0).all()
    with pytest.raises(RunTableError, match="got 'web', expected 'general' or 'domain'"):
        table.select("web")  # type: ignore[arg-type]


def test_notes_and_description(write: Write, lines: list[str], wide: pd.DataFrame) -> None:
    table = read_runs(write(lines))
    assert table.notes == ("no se column: measurement error is estimated",)
    text = table.describe()
    for part in (
        "2 runs, 3 measured losses", "sizes: 1e+08", "domains: law", "ratio: 0.25 to 0.5",
        "tokens: 1e+06 to 2e+06", "general sets: general", "domain sets: none",
        "note: no se column", table.fingerprint,
    ):  # fmt: skip
        assert part in text
    assert RunTable.from_frame(wide).notes == ()
    assert "2 runs, 3 losses" in repr(table)


def test_frozen(write: Write, lines: list[str]) -> None:
    table = read_runs(write(lines))
    with pytest.raises(FrozenInstanceError):
        table.source = "other"  # type: ignore[misc]


def test_the_callers_frame_is_left_alone(wide: pd.DataFrame) -> None:
    before = wide.copy()
    RunTable.from_frame(wide, min_tokens=2e6)
    pd.testing.assert_frame_equal(wide, before)
