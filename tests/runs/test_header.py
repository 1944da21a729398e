"""Columns: missing, unknown, repeated, of both forms."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from bayescmr.errors import RunTableError
from bayescmr.runs import RunTable

Refused = Callable[..., str]
RefusedFrame = Callable[[pd.DataFrame], str]


def test_missing_columns_are_listed_with_close_names(refused: Refused) -> None:
    text = refused(["run,model_size,domain,ratios,tokens,loss_general", "a,1e8,law,0.5,0,3"])
    assert "got columns run, model_size, domain, ratios, tokens, loss_general" in text
    assert "expected also size, ratio" in text
    assert "is 'model_size' meant to be 'size'?" in text
    assert "is 'ratios' meant to be 'ratio'?" in text


def test_nothing_measured(refused: Refused) -> None:
    text = refused(["run,size,domain,ratio,tokens", "a,1e8,law,0.5,0"])
    assert "expected also loss_general" in text


def test_long_form_needs_its_columns(refused: Refused) -> None:
    text = refused(["run,size,domain,ratio,tokens,eval_set", "a,1e8,law,0.5,0,web"])
    assert "expected also role, loss" in text


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("se_genral", "did you mean 'se_general'?"),
        ("Seed", "did you mean 'seed'?"),
        ("unique domain tokens", "did you mean 'unique_domain_tokens'?"),
        ("loss_general:", ""),
        ("loss_domain:law", "loss_domain"),
        ("wall_s", "drop it"),
    ],
)
def test_unknown_column(refused: Refused, lines: list[str], name: str, suggestion: str) -> None:
    text = refused([lines[0] + "," + name, *[line + ",1" for line in lines[1:]]])
    assert f"column '{name}': got an unknown column, expected one of run, size" in text
    assert suggestion in text


def test_repeated_and_nameless_columns(refused: Refused, lines: list[str]) -> None:
    text = refused([lines[0] + ",ratio,", *[line + ",1,1" for line in lines[1:]]])
    assert "column 'ratio': got 2 columns of that name, expected one" in text
    assert "got column 8 of the header without a name" in text
    assert "index=False" in text


def test_repeated_columns_of_a_frame(refused_frame: RefusedFrame, wide: pd.DataFrame) -> None:
    text = refused_frame(pd.concat([wide, wide[["ratio"]]], axis=1))
    assert "<DataFrame>: column 'ratio': got 2 columns of that name" in text


def test_both_forms(refused: Refused, lines: list[str]) -> None:
    text = refused([lines[0] + ",eval_set", *[line + ",web" for line in lines[1:]]])
    assert "columns of both forms: eval_set (long) and loss_general (wide)" in text


@pytest.mark.parametrize("name", ["se_general:code", "base_loss_domain"])
def test_columns_without_their_loss(refused: Refused, lines: list[str], name: str) -> None:
    text = refused([f"{lines[0]},{name}", *[line + ",1" for line in lines[1:]]])
    loss = "loss_general:code" if "code" in name else "loss_domain"
    assert f"column '{name}': got no loss beside it, expected a column {loss}" in text


def test_no_general_loss(refused: Refused) -> None:
    text = refused(["run,size,domain,ratio,tokens,loss_domain", "a,1e8,law,0.5,0,3"])
    assert "no general loss at all, expected a column loss_general" in text
    text = refused(
        ["run,size,domain,ratio,tokens,eval_set,role,loss", "a,1e8,law,0.5,0,law,domain,3"]
    )
    assert "got no general loss at all, expected at least one with role 'general'" in text


def test_one_name_for_two_sets(refused: Refused, lines: list[str]) -> None:
    text = refused([lines[0] + ",loss_general:general", *[line + ",1" for line in lines[1:]]])
    assert "a second column for evaluation set 'general' beside 'loss_general'" in text
    text = refused(
        [lines[0] + ",loss_general:domain,loss_domain", *[line + ",1,1" for line in lines[1:]]]
    )
    assert "evaluation set 'domain' with two roles" in text


def test_not_a_frame() -> None:
    with pytest.raises(RunTableError, match="got a str, expected a pandas DataFrame"):
        RunTable.from_frame("runs.csv")  # type: ignore[arg-type]


def test_empty_frame(refused_frame: RefusedFrame, wide: pd.DataFrame) -> None:
    assert "got a table without rows" in refused_frame(wide.iloc[:0])
