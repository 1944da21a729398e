"""Cells: types, ranges, units, blanks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescmr.runs import RunTable, read_runs

Write = Callable[..., Path]
Refused = Callable[..., str]
RefusedFrame = Callable[[pd.DataFrame], str]

COLUMNS = ("run", "size", "domain", "ratio", "tokens", "loss_general")


def with_cell(lines: list[str], row: int, column: str, value: str) -> list[str]:
    """Copy of the table with one other cell; ``row`` is the line of the file."""
    cells = lines[row - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    return [*lines[: row - 1], ",".join(cells), *lines[row:]]


@pytest.mark.parametrize(
    ("column", "value", "got", "expected"),
    [
        ("size", "big", "'big'", "expected a number; write numbers as 1e9"),
        ("size", "-5", "-5", "expected a count of non-embedding parameters > 0"),
        ("size", "0", "0", "expected a count of non-embedding parameters > 0"),
        ("size", "inf", "inf", "expected a count of non-embedding parameters > 0"),
        ("size", "", "a blank cell", "expected a number"),
        ("ratio", "30", "30", "expected a share in [0, 1]; if this is a percentage divide by 100"),
        ("ratio", "-0.1", "-0.1", "expected a share in [0, 1]"),
        ("ratio", "250", "250", "expected a share in [0, 1]"),
        ("ratio", "30%", "'30%'", "expected a number"),
        ("ratio", "True", "'True'", "expected a number"),
        ("ratio", "", "a blank cell", "only rows with tokens = 0 may leave it blank"),
        ("tokens", "-1", "-1", "expected a finite count of tokens >= 0"),
        ("tokens", "inf", "inf", "expected a finite count of tokens >= 0"),
        ("tokens", "20B", "'20B'", "expected a number"),
        ("tokens", "1_000", "'1_000'", "expected a number"),
        ("tokens", "0x10", "'0x10'", "expected a number"),
        ("tokens", "", "a blank cell", "expected a number"),
        ("loss_general", "-0.5", "-0.5", "expected a loss in [0, 100] nats/token"),
        ("loss_general", "101", "101", "not the perplexity"),
        ("loss_general", "inf", "inf", "status = diverged"),
        ("loss_general", "-Infinity", "-inf", "expected a loss in [0, 100]"),
        ("loss_general", "1e999", "inf", "expected a loss in [0, 100]"),
        ("loss_general", "2024-05-01", "'2024-05-01'", "expected a number"),
        ("run", "  ", "a blank cell", "expected a name; name the run"),
        ("domain", "", "a blank cell", "at ratio 0 too"),
    ],
)
def test_bad_cell(
    refused: Refused, lines: list[str], column: str, value: str, got: str, expected: str
) -> None:
    text = refused(with_cell(lines, 5, column, value))
    assert f"row 5, column '{column}': got {got}, " in text
    assert expected in text
    # One wrong cell is one problem.
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("column", "value", "got", "expected"),
    [
        ("se_general", "-0.1", "-0.1", "expected a standard error"),
        ("se_general", "inf", "inf", "expected a finite standard error >= 0"),
        ("base_loss_general", "-3", "-3", "expected a loss in [0, 100]"),
        ("seed", "1.5", "1.5", "expected a whole number"),
        ("seed", "x", "'x'", "expected a number"),
        ("lr", "-1e-4", "-0.0001", "expected a finite number >= 0"),
        ("unique_domain_tokens", "inf", "inf", "expected a finite number >= 0"),
        ("status", "running", "'running'", "expected blank, ok, done, diverged, failed"),
    ],
)
def test_bad_optional_cell(
    refused: Refused, lines: list[str], column: str, value: str, got: str, expected: str
) -> None:
    table = [f"{lines[0]},{column}", *[f"{line}," for line in lines[1:]]]
    text = refused(with_cell(table, 5, column, value))
    assert f"row 5, column '{column}': got {got}, " in text
    assert expected.replace("a standard", "a finite standard") in text


@pytest.mark.parametrize("value", ["150", "-150", "inf"])
def test_bad_change(refused: Refused, value: str) -> None:
    header = "run,size,domain,ratio,tokens,change_general"
    text = refused([header, "a,1e8,law,0.5,1e6,0.1", f"a,1e8,law,0.5,2e6,{value}"])
    assert f"row 3, column 'change_general': got {value}" in text
    assert "expected a change of loss in [-100, 100] nats/token" in text


def test_bad_role(refused: Refused) -> None:
    header = "run,size,domain,ratio,tokens,eval_set,role,loss"
    text = refused([header, "a,1e8,law,0.5,0,web,general,3", "a,1e8,law,0.5,1e6,web,General,3"])
    assert "row 3, column 'role': got 'General', expected 'general' or 'domain'" in text
    text = refused([header, "a,1e8,law,0.5,0,web,general,3", "a,1e8,law,0.5,1e6,,general,3"])
    assert "row 3, column 'eval_set': got a blank cell, expected a name" in text


def test_size_in_billions(refused: Refused, lines: list[str]) -> None:
    text = refused([line.replace("1e8", "3.1") for line in lines])
    assert "row 2 (and 3 more rows), column 'size': got 3.1, expected size, a count of" in text
    assert "non-embedding parameters; 3.1 looks like billions: write 3.1e9" in text


def test_tokens_in_billions(refused: Refused, lines: list[str]) -> None:
    text = refused([line.replace("e6", "0") for line in lines])
    assert "row 3, column 'tokens': got 10, and at most 20 in the whole table" in text
    assert "20 looks like billions: write 20e9" in text


def test_every_problem_is_reported_in_file_order(refused: Refused, lines: list[str]) -> None:
    lines = with_cell(lines, 5, "ratio", "50")
    lines = with_cell(lines, 3, "loss_general", "x")
    lines = [*lines, lines[3]]
    text = refused(lines).splitlines()
    assert [line.split(":")[0] for line in text] == [
        "row 3, column 'loss_general'",
        "row 5, column 'ratio'",
        "row 6, column 'tokens'",
    ]


def test_ten_problems_are_shown(refused: Refused, lines: list[str]) -> None:
    rows = [f"r{i},1e8,law,{i + 2},1e6,3" for i in range(97)]
    text = refused([*lines, *rows]).splitlines()
    assert len(text) == 11
    assert "row 6, column 'ratio': got 2" in text[0]
    assert text[-1] == "... and 87 more"


@pytest.mark.parametrize(
    ("column", "values", "got"),
    [
        ("ratio", np.array([True] * 4), "True"),
        ("ratio", [0.25, 0.25, True, 0.25], "True"),
        ("loss_general", pd.date_range("2024-01-01", periods=4), "2024-01-01"),
        ("loss_general", [3.0, [3.0], 3.0, 3.0], "[3.0]"),
        ("loss_general", [3.0, pd.Timestamp("2024-01-01"), 3.0, 3.0], "2024-01-01"),
        ("loss_general", np.array([3 + 1j] * 4), "(3+1j)"),
        ("tokens", pd.to_timedelta([0, 1, 2, 1], unit="s"), "0 days"),
        ("run", [True] * 4, "True"),
        ("run", pd.date_range("2024-01-01", periods=4), "2024-01-01"),
        ("domain", ["law", {"a": 1}, "law", "law"], "{'a': 1}"),
    ],
)
def test_objects_in_frames(
    refused_frame: RefusedFrame, lines: list[str], column: str, values: object, got: str
) -> None:
    frame = pd.DataFrame([line.split(",") for line in lines[1:]], columns=list(COLUMNS))
    frame[column] = values
    text = refused_frame(frame)
    assert f"column '{column}': got {got}" in text
    assert "row " in text
    assert "(from 0)" in text
    assert ("expected text" if column in ("run", "domain") else "expected a number") in text


def test_frame_types_do_not_matter(lines: list[str], write: Write) -> None:
    text = pd.DataFrame([line.split(",") for line in lines[1:]], columns=list(COLUMNS))
    expected = read_runs(write(lines)).fingerprint
    numbers = text.astype({c: float for c in COLUMNS if c not in ("run", "domain")})
    for frame in (
        text,
        text.astype(object),
        numbers,
        numbers.convert_dtypes(),
        numbers.convert_dtypes(dtype_backend="pyarrow"),
        text.convert_dtypes(dtype_backend="pyarrow"),
        numbers.astype({"run": "category", "domain": "category", "size": "category"}),
        numbers.astype({"tokens": object, "size": np.int64}),
    ):
        assert RunTable.from_frame(frame).fingerprint == expected


def test_numeric_labels(write: Write, lines: list[str]) -> None:
    """Runs numbered 1, 2 are the same runs in text, as integers and as floats."""
    named = [line.replace("a,", "1,").replace("b,", "2,") for line in lines]
    table = read_runs(write(named))
    frame = pd.DataFrame([line.split(",") for line in named[1:]], columns=list(COLUMNS))
    for kind in (int, float, object):
        other = frame.astype({"run": int}).astype({"run": kind})
        assert RunTable.from_frame(other).fingerprint == table.fingerprint
    assert set(table.frame["run"]) == {"1", "2"}


@pytest.mark.parametrize("value", [" +0.5", "5e-1", ".5", "0.50 ", "5E-01"])
def test_ways_to_write_a_number(write: Write, lines: list[str], value: str) -> None:
    expected = read_runs(write(lines)).fingerprint
    assert read_runs(write(with_cell(lines, 5, "ratio", value))).fingerprint == expected


def test_decimal_commas(write: Write, lines: list[str]) -> None:
    text = "\n".join(lines).replace(",", ";").replace(".", ",")
    table = read_runs(write(text))
    assert table.fingerprint == read_runs(write(lines)).fingerprint
    assert any("decimal commas read in columns ratio, loss_general" in n for n in table.notes)


def test_mixed_decimal_marks(refused: Refused, lines: list[str]) -> None:
    text = "\n".join(lines).replace(",", ";").replace("0.5", "0,5")
    assert "row 5, column 'ratio': got '0,5', expected a number" in refused(text)


@pytest.mark.parametrize("value", ["16,384", "1,000,000"])
def test_thousands_are_not_decimals(refused: Refused, lines: list[str], value: str) -> None:
    text = "\n".join(lines).replace(",", ";").replace("2e6", value)
    answer = refused(text)
    assert f"row 4, column 'tokens': got '{value}', expected a number" in answer
    assert "thousands separators" in answer


def test_decimal_commas_in_counts(write: Write, lines: list[str]) -> None:
    text = "\n".join(lines).replace(",", ";").replace("1e8", "1,0e8").replace("1e6", "1000000,0")
    assert read_runs(write(text)).fingerprint == read_runs(write(lines)).fingerprint
