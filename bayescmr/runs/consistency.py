"""Checks across rows: duplicates, runs that change midway, roles, runs without losses."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayescmr.runs.columns import Layout
from bayescmr.runs.problems import Mask, Problems, names, show


def check_runs(frame: pd.DataFrame, problems: Problems) -> None:
    """Report runs whose size, ratio, domain or seed changes midway.

    Parameters
    ----------
    frame : DataFrame
        Typed columns of the file.
    problems : Problems
        Receives the rows that differ from the first row of their run.
    """
    runs, labels = pd.factorize(frame["run"])
    for name in ("size", "domain", "ratio", "seed"):
        if name not in frame:
            continue
        known = frame[name].notna().to_numpy() & problems.clean(name, len(frame))
        present = np.flatnonzero(known & (runs >= 0))
        codes, levels = pd.factorize(frame[name])
        first = np.full(len(labels), -1, dtype=np.int64)
        first[runs[present[::-1]]] = present[::-1]
        wrong = present[codes[present] != codes[first[runs[present]]]]
        # One line per run: every later row of it differs in the same way.
        _, at = np.unique(runs[wrong], return_index=True)
        for position in wrong[np.sort(at)]:
            run = runs[position]
            problems.add(
                position=int(position),
                column=name,
                got=show(levels[codes[position]]),
                expected=f"{show(levels[codes[first[run]]])}, as in "
                f"{problems.row(int(first[run]))} of run '{labels[run]}'",
                fix=f"a run keeps one {name}: give these rows another run name",
                repeats=int(np.count_nonzero(runs[wrong] == run)) - 1,
            )


def check_measurements(long: pd.DataFrame, problems: Problems) -> None:
    """Report duplicates and evaluation sets with two roles.

    Parameters
    ----------
    long : DataFrame
        One row per measured loss.
    problems : Problems
        Receives what is wrong.
    """
    _duplicates(long, _measured(long), problems)
    _roles(long, problems)


def check_coverage(long: pd.DataFrame, layout: Layout, problems: Problems) -> None:
    """Report runs without losses, no general loss at all, and changes that do not start at 0.

    Parameters
    ----------
    long : DataFrame
        One row per measured loss.
    layout : Layout
        How the file names its columns.
    problems : Problems
        Receives what is wrong.
    """
    measured = _measured(long)
    _empty_runs(long, measured, layout, problems)
    if not (measured & (long["role"] == "general").to_numpy()).any():
        problems.add(
            got="no general loss at all",
            expected="at least one with role 'general'",
            fix="measure the general validation loss: without it there is no forgetting to model",
        )
    starts = (long["tokens"] == 0) & long["change"].notna() & (long["change"] != 0)
    for i in np.flatnonzero(starts.to_numpy())[:50]:
        problems.add(
            position=int(long["position"].iloc[i]),
            column=layout.column("change", long["eval_set"].iloc[i], long["role"].iloc[i]),
            got=show(long["change"].iloc[i]),
            expected="0 at tokens = 0, where the change starts",
            fix="correct tokens, or drop the row",
        )


def _measured(long: pd.DataFrame) -> Mask:
    found: Mask = (long["loss"].notna() | long["change"].notna()).to_numpy()
    return found


def _duplicates(long: pd.DataFrame, measured: Mask, problems: Problems) -> None:
    rows = long.loc[measured, ["run", "tokens", "eval_set", "position"]].dropna()
    keys = ["run", "tokens", "eval_set"]
    if not rows.duplicated(keys).any():
        return
    again = rows[rows.duplicated(keys)].drop_duplicates("position")
    first = rows.drop_duplicates(keys).rename(columns={"position": "first"})
    pairs = again.merge(first, on=keys).sort_values("position")
    for run, group in pairs.groupby("run", sort=False):
        one = group.iloc[0]
        problems.add(
            position=int(one["position"]),
            column="tokens",
            got=f"a second loss of run '{run}' at tokens {show(one['tokens'])} on evaluation set "
            f"'{one['eval_set']}'",
            expected=f"one ({problems.row(int(one['first']))} has it)",
            fix="drop one of them, or give repeated runs (other seeds) other run names",
            repeats=len(group) - 1,
        )


def _roles(long: pd.DataFrame, problems: Problems) -> None:
    pairs = long[["eval_set", "role", "position"]].dropna().drop_duplicates(["eval_set", "role"])
    for eval_set, group in pairs.groupby("eval_set"):
        if len(group) > 1:
            one, two = (group.sort_values("position").iloc[i] for i in (0, 1))
            problems.add(
                position=int(two["position"]),
                column="role",
                got=f"evaluation set '{eval_set}' as '{two['role']}'",
                expected=f"'{one['role']}', as in {problems.row(int(one['position']))}",
                fix="give the two evaluation sets different names",
            )


def _empty_runs(long: pd.DataFrame, measured: Mask, layout: Layout, problems: Problems) -> None:
    alive = long["out"].isna().to_numpy()
    trained = (long["tokens"] > 0).to_numpy()
    run, levels = pd.factorize(long["run"])

    def runs_with(rows: Mask) -> Mask:
        found = np.zeros(len(levels), dtype=np.bool_)
        found[run[rows]] = True
        return found

    lost = runs_with(alive & trained) & ~runs_with(measured & trained)
    lost |= runs_with(alive) & ~runs_with(measured)
    empty = [str(label) for label in levels[lost]]
    if empty:
        position = int(long.loc[lost[run], "position"].min())
        where = "loss" if layout.form == "long" else "loss_general"
        if where not in layout.kinds:
            where = where.replace("loss", "change")
        problems.add(
            position=position,
            column=where if where in layout.kinds else None,
            got=f"no loss at all for {'runs' if len(empty) > 1 else 'run'} {names(empty)}",
            expected="at least one loss per run",
            fix="drop the run, or mark it with status = failed",
        )
