"""Rows that contradict one another."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

Refused = Callable[..., str]
RefusedFrame = Callable[[pd.DataFrame], str]
LONG = "run,size,domain,ratio,tokens,eval_set,role,loss"


def test_duplicate(refused: Refused, lines: list[str]) -> None:
    text = refused([*lines, lines[2]])
    assert "row 6, column 'tokens': got a second loss of run 'a' at tokens 1000000" in text
    assert "on evaluation set 'general', expected one (row 3 has it)" in text


def test_duplicate_long(refused: Refused) -> None:
    rows = ["a,1e8,law,0.5,0,web,general,3", "a,1e8,law,0.5,0,code,general,2"]
    text = refused([LONG, *rows, rows[1]])
    assert "row 4, column 'tokens': got a second loss of run 'a' at tokens 0" in text
    assert "evaluation set 'code', expected one (row 3 has it)" in text


def test_duplicates_of_a_frame(refused_frame: RefusedFrame, wide: pd.DataFrame) -> None:
    text = refused_frame(pd.concat([wide, wide.iloc[[1, 2]]]))
    assert "row 48 (from 0) (and 1 more row), column 'tokens': got a second loss" in text
    # All evaluation sets of a row repeat together: still one problem.
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("column", "value", "got", "expected"),
    [
        ("size", "2e8", "200000000", "100000000"),
        ("domain", "tax", "'tax'", "'law'"),
        ("ratio", "0.75", "0.75", "0.25"),
        ("seed", "2", "2", "1"),
    ],
)
def test_run_changes_midway(
    refused: Refused, lines: list[str], column: str, value: str, got: str, expected: str
) -> None:
    table = [lines[0] + ",seed", *[line + ",1" for line in lines[1:]]]
    cells = table[3].split(",")
    cells[table[0].split(",").index(column)] = value
    table[3] = ",".join(cells)
    text = refused(table)
    assert f"row 4, column '{column}': got {got}, expected {expected}, as in row 2" in text
    assert f"of run 'a'; a run keeps one {column}" in text
    assert len(text.splitlines()) == 1


def test_two_roles(refused: Refused) -> None:
    rows = [
        "a,1e8,law,0.5,0,web,general,3",
        "a,1e8,law,0.5,1e6,web,general,3",
        "b,1e8,law,0.5,1e6,web,domain,3",
    ]
    text = refused([LONG, *rows])
    assert "row 4, column 'role': got evaluation set 'web' as 'domain'" in text
    assert "expected 'general', as in row 2" in text


def test_run_without_losses(refused: Refused, lines: list[str]) -> None:
    text = refused([*lines, "c,1e8,law,0.5,1e6,", "c,1e8,law,0.5,2e6,nan"])
    assert "row 6, column 'loss_general': got no loss at all for run 'c'" in text
    assert "expected at least one loss per run" in text
    assert "status = failed" in text
    text = refused([*lines, "c,1e8,law,0.5,0,3", "c,1e8,law,0.5,2e6,"])
    assert "got no loss at all for run 'c'" in text


def test_only_base_rows(refused: Refused, lines: list[str]) -> None:
    text = refused(lines[:2])
    assert "got no usable general loss at tokens > 0 (only base rows)" in text


def test_change_at_the_start(refused: Refused) -> None:
    header = "run,size,domain,ratio,tokens,change_general"
    text = refused([header, "a,1e8,law,0.5,0,0.5", "a,1e8,law,0.5,1e6,0.1"])
    assert "row 2, column 'change_general': got 0.5, expected 0 at tokens = 0" in text


def test_change_against_loss(refused: Refused) -> None:
    header = "run,size,domain,ratio,tokens,eval_set,role,loss,change"
    text = refused(
        [header, "a,1e8,law,0.5,0,web,general,3,0", "a,1e8,law,0.5,1e6,web,general,3.5,0.4"]
    )
    assert "row 3, column 'change': got 0.4, expected loss - base = 0.5" in text
