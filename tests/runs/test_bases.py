"""Where the base loss of a run comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bayescmr.runs import RunTable, read_runs

Write = Callable[..., Path]
Refused = Callable[..., str]
HEADER = "run,size,domain,ratio,tokens,loss_general"


def bases(table: RunTable) -> dict[str, float]:
    return dict(zip(table.frame["run"], table.frame["base"].tolist(), strict=True))


def test_own_row_comes_first(write: Write) -> None:
    table = read_runs(
        write([HEADER, "a,1e8,law,.5,0,3", "a,1e8,law,.5,1e6,4", "b,1e8,law,.5,0,2",
               "b,1e8,law,.5,1e6,4"])
    )  # fmt: skip
    assert bases(table) == {"a": 3.0, "b": 2.0}
    assert table.frame["change"].tolist() == [1.0, 2.0]


def test_base_column(write: Write) -> None:
    header = HEADER + ",loss_general:code,loss_domain,base_loss_general,base_loss_general:code,"
    header += "base_loss_domain"
    table = read_runs(write([header, "a,1e8,law,.5,1e6,4,5,6,1,2,3", "a,1e8,law,.5,2e6,4,5,6,,,"]))
    assert table.frame["eval_set"].tolist() == ["code"] * 2 + ["domain"] * 2 + ["general"] * 2
    assert table.frame["base"].tolist() == [2.0, 2.0, 3.0, 3.0, 1.0, 1.0]
    assert table.frame["change"].tolist() == [3.0] * 4 + [3.0] * 2


def test_column_beats_rows_of_other_runs(write: Write) -> None:
    table = read_runs(
        write([HEADER + ",base_loss_general", "base,1e8,,,0,3,", "a,1e8,law,.5,1e6,4,2",
               "b,1e8,law,.5,1e6,4,"])
    )  # fmt: skip
    assert bases(table) == {"a": 2.0, "b": 3.0}


def test_base_run_of_the_size(write: Write) -> None:
    """A run of base rows only may leave domain and ratio blank, and is no run of the table."""
    table = read_runs(
        write([HEADER, "base,1e8,,,0,3", "base9,1e9,,,0,2", "a,1e8,law,.5,1e6,4",
               "b,1e9,tax,.5,1e6,4"])
    )  # fmt: skip
    assert bases(table) == {"a": 3.0, "b": 2.0}
    assert table.n_runs == 2


def test_own_base_row_may_leave_ratio_and_domain_blank(write: Write) -> None:
    header = HEADER + ",loss_domain"
    table = read_runs(write([header, "a,1e8,,,0,3,2", "a,1e8,law,.5,1e6,4,1"]))
    assert table.frame["change"].tolist() == [-1.0, 1.0]


def test_domain_bases_are_per_domain(write: Write, refused: Refused) -> None:
    rows = ["a,1e8,law,.5,0,3,5", "a,1e8,law,.5,1e6,4,4", "b,1e8,tax,.5,0,3,6",
            "b,1e8,tax,.5,1e6,4,4", "c,1e8,law,0,1e6,4,5"]  # fmt: skip
    table = read_runs(write([HEADER + ",loss_domain", *rows]))
    domain = table.select("domain")
    assert domain["change"].tolist() == [-1.0, -2.0, 0.0]
    text = refused([HEADER + ",loss_domain", *rows, "d,1e8,news,.5,1e6,4,4"])
    assert "row 7, column 'base_loss_domain': got no base loss on evaluation set 'domain'" in text
    assert "for run 'd'" in text
    assert len(text.splitlines()) == 1


def test_missing_base_names_the_runs(refused: Refused) -> None:
    rows = [f"r{i},1e8,law,.5,1e6,4" for i in range(8)]
    text = refused([HEADER, "base,1e9,,,0,3", "z,1e9,law,.5,1e6,3", *rows])
    assert "row 4, column 'base_loss_general': got no base loss on evaluation set 'general'" in text
    assert "for runs 'r0', 'r1', 'r2', 'r3', 'r4' and 3 more" in text
    assert "expected the loss at tokens = 0" in text
    assert "add a row with tokens = 0" in text
    assert "or a column base_loss_general" in text


def test_bases_of_a_size_must_agree(write: Write, refused: Refused) -> None:
    rows = [HEADER, "a,1e8,law,.5,0,3", "a,1e8,law,.5,1e6,4", "b,1e8,law,.5,0,{}",
            "b,1e8,law,.5,1e6,4", "c,1e8,law,.5,1e6,4"]  # fmt: skip
    same = [row.format("3.0000000001") for row in rows]
    assert bases(read_runs(write(same)))["c"] == 3.0
    text = refused([row.format("3.1") for row in rows])
    assert "row 6, column 'base_loss_general': got bases from 3 to 3.1" in text
    assert "for size 1e+08, and none of its own for run 'c', expected one base per run" in text


def test_base_column_must_not_change(refused: Refused) -> None:
    header = HEADER + ",base_loss_general"
    text = refused([header, "a,1e8,law,.5,1e6,4,3", "a,1e8,law,.5,2e6,4,3.5"])
    assert "row 3, column 'base_loss_general': got 3.5, expected 3, as run 'a' has" in text


def test_base_column_against_base_row(refused: Refused) -> None:
    header = HEADER + ",base_loss_general"
    text = refused([header, "a,1e8,law,.5,0,3.5,", "a,1e8,law,.5,1e6,4,3"])
    assert "row 3, column 'base_loss_general': got 3, expected 3.5" in text
    assert "its row at tokens = 0" in text


def test_nameless_domain_loss(refused: Refused) -> None:
    text = refused([HEADER + ",loss_domain", "base,1e8,,,0,3,2", "a,1e8,law,.5,1e6,4,1"])
    assert "row 2, column 'domain': got a blank cell beside a domain loss" in text


def test_unused_base_rows_are_noted(write: Write, lines: list[str]) -> None:
    table = read_runs(write([*lines, "base,2e9,,,0,3"]))
    assert any("losses at tokens = 0 that serve no run: 1 (runs 'base')" in n for n in table.notes)
    assert not any("that serve no run" in n for n in read_runs(write(lines)).notes)


def test_published_changes_need_no_base(write: Write) -> None:
    header = "run,size,domain,ratio,tokens,change_general,change_general:code,change_domain"
    table = read_runs(write([header, "a,4.6e8,law,.5,1e9,0.1,0.2,-0.3"]))
    assert table.frame["change"].tolist() == [0.2, -0.3, 0.1]
    assert table.frame["loss"].isna().all()
    assert table.frame["base"].isna().all()
    assert "1 of 3" not in "".join(table.notes)
    assert "3 of 3 rows state only the change of loss" in table.notes
    long = "run,size,domain,ratio,tokens,eval_set,role,change"
    other = read_runs(
        write([long, "a,4.6e8,law,.5,1e9,domain,domain,-0.3", "a,4.6e8,law,.5,1e9,code,general,.2",
               "a,4.6e8,law,.5,1e9,general,general,0.1"], "long.csv")
    )  # fmt: skip
    assert other.fingerprint == table.fingerprint


def test_losses_and_changes_may_be_mixed(write: Write) -> None:
    long = "run,size,domain,ratio,tokens,eval_set,role,loss,change"
    table = read_runs(
        write([long, "a,1e8,law,.5,0,web,general,3,", "a,1e8,law,.5,1e6,web,general,3.5,0.5001",
               "b,1e9,law,.5,1e6,web,general,,0.25"])
    )  # fmt: skip
    assert table.frame["change"].tolist() == [0.5, 0.25]
    assert np.isnan(table.frame["base"].iloc[1])


@pytest.mark.parametrize("tokens", ["0", "0.0", "-0.0", "0e5"])
def test_zero_tokens(write: Write, tokens: str) -> None:
    table = read_runs(write([HEADER, f"a,1e8,law,.5,{tokens},3", "a,1e8,law,.5,1e6,4"]))
    assert table.frame["base"].tolist() == [3.0]
