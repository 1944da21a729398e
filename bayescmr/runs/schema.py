"""Which values a cell of each kind may take: one rule per line, checked by pandera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.runs.columns import ROLES, STATUS_OUT, STATUS_USED, Kind, Layout
from bayescmr.runs.problems import Problems

#: Losses above this many nats per token are no cross-entropy of a language model.
MAX_LOSS = 100.0
#: Counts below this look as if they were given in billions.
MIN_COUNT = 1e3


@dataclass(frozen=True)
class Rule:
    """One condition on a cell.

    Parameters
    ----------
    name : str
        Unique among the rules of a kind.
    holds : callable
        Series of present cells to a boolean Series.
    expected, fix : str
        What is allowed and what to do; ``{value}`` stands for the cell.
    """

    name: str
    holds: Callable[[pd.Series], Any]
    expected: str
    fix: str = ""


def _finite(expected: str, fix: str = "") -> Rule:
    return Rule("finite", np.isfinite, expected, fix)


_SIZE = "a count of non-embedding parameters > 0"
_TOKENS = "a finite count of tokens >= 0"
_LOSS = f"a loss in [0, {MAX_LOSS:g}] nats/token"
_CHANGE = f"a change of loss in [-{MAX_LOSS:g}, {MAX_LOSS:g}] nats/token"
_DIVERGED = "mark a run that diverged with a status column: status = diverged"
_NONNEGATIVE = (
    _finite("a finite number >= 0"),
    Rule("nonnegative", lambda v: v >= 0, "a finite number >= 0"),
)

RULES: dict[Kind, tuple[Rule, ...]] = {
    "label": (),
    "role": (Rule("role", lambda v: v.isin(ROLES), "'general' or 'domain'"),),
    "status": (
        Rule(
            "status",
            lambda v: v.str.lower().isin((*STATUS_USED, *STATUS_OUT)),
            "blank, " + ", ".join((*STATUS_USED, *STATUS_OUT)),
            "leave runs that are not finished out of the table",
        ),
    ),
    "size": (
        _finite(_SIZE),
        Rule("positive", lambda v: v > 0, _SIZE),
        Rule(
            "unit",
            # Values that break another rule need no second message.
            lambda v: (v >= MIN_COUNT) | ~(v > 0),
            "size, a count of non-embedding parameters",
            "{value} looks like billions: write {value}e9",
        ),
    ),
    "tokens": (_finite(_TOKENS), Rule("nonnegative", lambda v: v >= 0, _TOKENS)),
    "ratio": (
        _finite("a share in [0, 1]"),
        Rule(
            "percent",
            lambda v: ~((v > 1) & (v <= 100)),
            "a share in [0, 1]",
            "if this is a percentage divide by 100",
        ),
        # Not the cells that "percent" reports already.
        Rule("share", lambda v: (v >= 0) & (v <= 100), "a share in [0, 1]"),
    ),
    "loss": (
        _finite(_LOSS, _DIVERGED),
        Rule(
            "range",
            lambda v: (v >= 0) & (v <= MAX_LOSS),
            _LOSS,
            "give the cross-entropy in nats per token, not the perplexity",
        ),
    ),
    "change": (
        _finite(_CHANGE, _DIVERGED),
        Rule("range", lambda v: v.abs() <= MAX_LOSS, _CHANGE),
    ),
    "se": (
        _finite("a finite standard error >= 0 nats/token", "leave it blank if it is not known"),
        Rule("nonnegative", lambda v: v >= 0, "a finite standard error >= 0 nats/token"),
    ),
    "lr": _NONNEGATIVE,
    "corpus": _NONNEGATIVE,
    "seed": (
        Rule(
            "integer",
            lambda v: (v % 1 == 0) & (v.abs() < 2**53),
            "a whole number",
        ),
    ),
}


def check_ranges(frame: pd.DataFrame, layout: Layout, problems: Problems) -> None:
    """Check every present cell against the rules of its kind.

    Parameters
    ----------
    frame : DataFrame
        Typed columns, named as in the file, indexed by position.
    layout : Layout
        Kinds of the columns.
    problems : Problems
        Receives the cells that break a rule.
    """
    # Costs most of a second, and `import bayescmr` should not pay it.
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                str if kind in ("label", "role", "status") else float,
                [pa.Check(rule.holds, name=rule.name) for rule in RULES[kind]],
                nullable=True,
            )
            for name, kind in layout.kinds.items()
        }
    )
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        _translate(error.failure_cases, frame, layout, problems)


def _translate(
    cases: pd.DataFrame, frame: pd.DataFrame, layout: Layout, problems: Problems
) -> None:
    for _, group in cases.groupby(["column", "check"], sort=False):
        column, name = str(group["column"].iloc[0]), str(group["check"].iloc[0])
        rule = next(r for r in RULES[layout.kinds[column]] if r.name == name)
        positions = group["index"].to_numpy(dtype=np.int64)
        bad = np.zeros(len(frame), dtype=np.bool_)
        bad[positions] = True
        cells = frame[column].to_numpy(dtype=object)
        if "{value}" not in rule.fix:
            problems.add_cells(column, bad, cells, rule.expected, rule.fix)
            continue
        for value in pd.unique(frame.loc[bad, column])[:50]:
            fix = rule.fix.replace("{value}", f"{value:g}")
            problems.add_cells(column, bad & (cells == value), cells, rule.expected, fix)
