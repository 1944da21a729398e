"""One value per step: copies are merged, resumed runs go on, contradictions are refused."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.errors import MappingError
from bayescmr.runs.importing.mapping import RunOf
from bayescmr.runs.importing.report import Report
from bayescmr.values import shorten


def merge(events: pd.DataFrame, run: RunOf, what: str, where: str, report: Report) -> pd.DataFrame:
    """Reduce the values of one metric of one run to one per step.

    A *sitting* is a stretch in which steps do not go back; each file begins one. A sitting that
    repeats the values before it is a copy. One that starts later than the first did resumes it:
    it holds from its first step on, and what an earlier sitting says from there on is left out.
    Anything else is a contradiction, which only the mapping can settle.

    Parameters
    ----------
    events : DataFrame
        Of one metric, in the order of the logs, with a column ``part``: the index of the log.
    run : RunOf
        The run.
    what : str
        Name of the metric, for messages.
    where : str
        Name of the mapping, for messages.
    report : Report
        Receives what was merged and replaced.

    Returns
    -------
    DataFrame
        One row per step, sorted by step.

    Raises
    ------
    MappingError
        Two values of one step contradict each other, and the mapping does not say which holds.
    """
    steps = events["step"].to_numpy()
    parts = events["part"].to_numpy()
    new = np.concatenate([[True], (np.diff(steps) < 0) | (np.diff(parts) != 0)])
    sittings = np.cumsum(new) - 1
    kept = events.iloc[:0]
    for _, sitting in events.groupby(sittings, sort=True):
        sitting = _one_per_step(sitting, run, what, where, report)
        kept = sitting if not len(kept) else _join(kept, sitting, run, what, where, report)
    single: pd.DataFrame = kept.sort_values("step", kind="stable", ignore_index=True)
    return single


def _one_per_step(
    sitting: pd.DataFrame, run: RunOf, what: str, where: str, report: Report
) -> pd.DataFrame:
    """Within a sitting: equal values of one step are one; unequal ones need the user's word."""
    copy = sitting.duplicated(["step", "value"])
    if copy.any():
        _say_merged(report, run, what, int(copy.sum()))
        sitting = sitting[~copy]
    twice = sitting.duplicated("step", keep=False)
    if not twice.any():
        return sitting
    if run.conflicts is None:
        step = sitting.loc[twice, "step"].iloc[0]
        values = sitting.loc[twice & _equal(sitting["step"], step), "value"].tolist()
        _refuse(run, what, step, values, where)
    single = sitting.drop_duplicates("step", keep=run.conflicts)
    count = len(sitting) - len(single)
    detail = f"{shorten(what)}: of values that contradict each other the {run.conflicts} was taken"
    report.add("replaced", run.name, detail, count)
    return single


def _join(
    kept: pd.DataFrame, later: pd.DataFrame, run: RunOf, what: str, where: str, report: Report
) -> pd.DataFrame:
    both = kept[["step", "value"]].merge(later[["step", "value"]], on="step")
    same = _same(both["value_x"].to_numpy(), both["value_y"].to_numpy())
    if len(both) and same.all():
        _say_merged(report, run, what, len(both))
        return pd.concat([kept, later[~later["step"].isin(both["step"])]])
    start = later["step"].min()
    if start > kept["step"].min():
        old = kept["step"] >= start
        if old.any():
            detail = (
                f"{shorten(what)}: resumed at step {start:g}; values of the earlier sitting from"
                " there on were left out"
            )
            report.add("replaced", run.name, detail, int(old.sum()))
        going_on: pd.DataFrame = pd.concat([kept[~old], later])
        return going_on
    if later["step"].max() < kept["step"].min():
        return pd.concat([later, kept])
    if run.conflicts is None:
        step = both["step"].iloc[int(np.argmin(same))] if len(both) else start
        first = both[~same].iloc[0] if len(both) else None
        values = [] if first is None else [float(first["value_x"]), float(first["value_y"])]
        _refuse(run, what, step, values, where)
    dropped = kept if run.conflicts == "last" else later
    detail = f"{shorten(what)}: of two sittings from the same start the {run.conflicts} was taken"
    report.add("replaced", run.name, detail, len(dropped))
    return later if run.conflicts == "last" else kept


def _same(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (one == two) | (np.isnan(one) & np.isnan(two))
    return same


def _equal(steps: pd.Series, step: float) -> pd.Series:
    return steps.isna() if np.isnan(step) else steps == step


def _say_merged(report: Report, run: RunOf, what: str, count: int) -> None:
    report.add("merged", run.name, f"{shorten(what)}: logged more than once, equal", count)


def _refuse(run: RunOf, what: str, step: float, values: list[float], where: str) -> NoReturn:
    at = "one evaluation" if np.isnan(step) else f"step {step:g}"
    told = " and ".join(f"{value:.10g}" for value in values[:3]) or "two sittings from one start"
    raise MappingError(
        f"{where}: run {shorten(run.name)!r}: {shorten(what)}: got {told} at {at}, expected one"
        " value per step; if these are two runs, map them apart, else say in the mapping which"
        " holds (conflicts: last, or first)"
    )
