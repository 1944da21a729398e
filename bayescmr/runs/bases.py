"""The loss at tokens = 0 of every run: where it comes from, and that it is unambiguous."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd

from bayescmr.runs.cells import Float, Mask
from bayescmr.runs.columns import Layout, Quantity, Role
from bayescmr.runs.problems import Ints, Problems, names, show

#: Bases that differ by less are one number (nats/token).
SAME = 1e-9
#: A change may be published with fewer digits than the losses beside it (nats/token).
ROUNDED = 1e-3


def resolve_bases(long: pd.DataFrame, used: Mask, layout: Layout, problems: Problems) -> Float:
    """Find the base loss of every measurement.

    A row at tokens = 0 of the same run comes first, then the base column, then rows at
    tokens = 0 of any run of the same size (and domain, for the domain loss) that agree.

    Parameters
    ----------
    long : DataFrame, shape (measurements, columns)
        One row per measured loss.
    used : ndarray of bool, shape (measurements,)
        Measurements that will be fitted.
    layout : Layout
        How the file names its columns.
    problems : Problems
        Receives missing, ambiguous and contradictory bases.

    Returns
    -------
    ndarray of float, shape (measurements,)
        nats/token; NaN where unknown, which only changes of loss may leave so.
    """
    loss = long["loss"].to_numpy()
    zero = _base_rows(long)
    pair = long.groupby(["run", "eval_set"], sort=False).ngroup().to_numpy().astype(np.int64)
    own, _ = _range(pair, loss, zero)
    stated, _ = _range(pair, long["base"].to_numpy(), long["base"].notna().to_numpy())
    _contradictions(long, pair, own[pair], layout, problems)
    group = _groups(long)
    _nameless(long, zero, layout, problems)
    low, high = _range(group, loss, zero)
    # Bases that disagree are no base: which one a run started from is not known.
    agree = np.where(high - low <= SAME, low, np.nan)[group]
    base = np.where(np.isnan(own), stated, own)[pair]
    missing = used & ~np.isnan(loss) & np.isnan(base) & np.isnan(agree)
    _missing(long, missing, low[group], high[group], layout, problems)
    return np.where(np.isnan(base), agree, base)


def unused_bases(long: pd.DataFrame, used: Mask) -> tuple[str, ...]:
    """Say which base rows belong to no run, so that a mistyped size is noticed.

    Parameters
    ----------
    long : DataFrame, shape (measurements, columns)
        One row per measured loss.
    used : ndarray of bool, shape (measurements,)
        Measurements that will be fitted.
    """
    group = _groups(long)
    # Integer codes: a search among 10^6 labels takes seconds.
    run, levels = pd.factorize(long["run"])
    trained = np.zeros(len(levels), dtype=np.bool_)
    trained[run[(long["tokens"] > 0).to_numpy()]] = True
    idle = _base_rows(long) & ~trained[run]
    idle &= ~np.isin(group, group[used])
    if not idle.any():
        return ()
    runs = sorted({str(run) for run in long.loc[idle, "run"]})
    rows = int(idle.sum())
    return (f"losses at tokens = 0 that serve no run: {rows} (runs {names(runs)})",)


def check_changes(long: pd.DataFrame, base: Float, layout: Layout, problems: Problems) -> None:
    """Report rows whose loss, base and change do not fit together.

    Parameters
    ----------
    long : DataFrame, shape (measurements, columns)
        One row per measured loss.
    base : ndarray of float, shape (measurements,)
        Result of `resolve_bases`, nats/token.
    layout : Layout
        How the file names its columns.
    problems : Problems
        Receives the rows.
    """
    rise = long["loss"].to_numpy() - base
    change = long["change"].to_numpy()
    # Comparisons with NaN are False: rows that do not state all three pass.
    for i in np.flatnonzero(np.abs(rise - change) > ROUNDED)[:50]:
        _at(
            long,
            int(i),
            "change",
            layout,
            problems,
            got=show(change[i]),
            expected=f"loss - base = {show(rise[i])}",
            fix="correct one of the three, or drop the column change",
        )


def _base_rows(long: pd.DataFrame) -> Mask:
    rows: Mask = ((long["tokens"] == 0) & long["loss"].notna()).to_numpy()
    return rows


def _groups(long: pd.DataFrame) -> Ints:
    """Rows that share a base checkpoint: one size, one evaluation set, one domain if it matters."""
    domain = long["domain"].where(long["role"] == "domain", "").fillna("")
    keys = long[["size", "eval_set"]].assign(domain=domain)
    codes = keys.groupby(["size", "eval_set", "domain"], sort=False).ngroup().to_numpy()
    return codes.astype(np.int64)


def _range(index: Ints, values: Float, where: Mask) -> tuple[Float, Float]:
    """Smallest and largest value per index; NaN where there is none."""
    low = np.full(int(index.max()) + 1, np.nan)
    high = low.copy()
    np.fmin.at(low, index[where], values[where])
    np.fmax.at(high, index[where], values[where])
    return low, high


def _at(
    long: pd.DataFrame,
    i: int,
    quantity: Quantity,
    layout: Layout,
    problems: Problems,
    *,
    got: str,
    expected: str,
    fix: str,
    repeats: int = 0,
) -> None:
    """Report measurement ``i`` at its row and column of the file."""
    row = long.iloc[i]
    column = layout.column(quantity, row["eval_set"], row["role"])
    problems.add(
        position=int(row["position"]),
        column=column,
        got=got,
        expected=expected,
        fix=fix,
        repeats=repeats,
    )


def _contradictions(
    long: pd.DataFrame, pair: Ints, own: Float, layout: Layout, problems: Problems
) -> None:
    """Report base columns that change within a run, or differ from its row at tokens = 0."""
    stated = long["base"].to_numpy()
    given = np.flatnonzero(~np.isnan(stated))
    first = np.full(int(pair.max()) + 1, -1, dtype=np.int64)
    first[pair[given[::-1]]] = given[::-1]
    changes = given[np.abs(stated[given] - stated[first[pair[given]]]) > SAME]
    differs = given[np.abs(stated[given] - own[given]) > SAME]
    for rows, other, where in (
        (changes, stated[first[pair]], "its first row"),
        (differs, own, "its row at tokens = 0"),
    ):
        _, at = np.unique(pair[rows], return_index=True)
        for i in rows[np.sort(at)][:50]:
            _at(
                long,
                int(i),
                "base",
                layout,
                problems,
                got=show(stated[i]),
                expected=f"{show(other[i])}, as run '{long['run'].iloc[i]}' has in {where}",
                fix="a run has one base checkpoint and one base loss per evaluation set",
                repeats=int(np.count_nonzero(pair[rows] == pair[i])) - 1,
            )


def _nameless(long: pd.DataFrame, zero: Mask, layout: Layout, problems: Problems) -> None:
    nameless = zero & (long["role"] == "domain").to_numpy() & long["domain"].isna().to_numpy()
    for i in np.flatnonzero(nameless)[:50]:
        problems.add(
            position=int(long["position"].iloc[i]),
            column="domain",
            got="a blank cell beside a domain loss",
            expected="the domain on which that loss was measured",
            fix="name it; a checkpoint measured on several domains needs one run name for each",
        )


def _missing(
    long: pd.DataFrame,
    missing: Mask,
    low: Float,
    high: Float,
    layout: Layout,
    problems: Problems,
) -> None:
    if not missing.any():
        return
    at = np.flatnonzero(missing)
    rows = long.iloc[at].assign(low=low[at], high=high[at], at=at)
    # Runs that lack a base for the same reason share one line.
    keys = ["eval_set", "role", "low", "high"]
    for _, group in rows.groupby(keys, dropna=False, sort=False):
        eval_set, role = str(group["eval_set"].iloc[0]), cast(Role, group["role"].iloc[0])
        lowest, highest = float(group["low"].iloc[0]), float(group["high"].iloc[0])
        runs = [str(run) for run in pd.unique(group["run"])]
        column = layout.column("base", eval_set, role)
        who = f"{'run' if len(runs) == 1 else 'runs'} {names(runs)}"
        sizes = ", ".join(f"{v:g}" for v in pd.unique(group["size"])[:3])
        if np.isnan(lowest):
            got = f"no base loss on evaluation set '{eval_set}' for {who}"
            expected = "the loss at tokens = 0, before CPT"
        else:
            got = (
                f"bases from {show(lowest)} to {show(highest)} on evaluation set '{eval_set}' "
                f"for size {sizes}, and none of its own for {who}"
            )
            expected = "one base per run"
        _at(
            long,
            int(group["at"].iloc[0]),
            "base",
            layout,
            problems,
            got=got,
            expected=expected,
            fix=f"add a row with tokens = 0 to each run (or one for all runs of a size), "
            f"or a column {column}",
        )
