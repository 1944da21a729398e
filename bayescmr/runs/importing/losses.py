"""From the events of one metric to losses in nats with their measurement error."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from bayescmr.errors import MappingError
from bayescmr.runs.importing.mapping import LossOf, RunOf
from bayescmr.runs.importing.merge import merge
from bayescmr.runs.importing.report import Report
from bayescmr.values import shorten

#: Standard deviation of the error of rounding to a grid of 1.
ROUNDING = 1 / math.sqrt(12)


def losses_of(
    events: pd.DataFrame, run: RunOf, loss: LossOf, where: str, report: Report
) -> pd.DataFrame:
    """Losses of one evaluation set of one run.

    Parameters
    ----------
    events : DataFrame
        All events of the run, with a column ``part``.
    run : RunOf
        The run.
    loss : LossOf
        What to take.
    where : str
        Name of the mapping, for messages.
    report : Report
        Receives what was merged, dropped and averaged.

    Returns
    -------
    DataFrame, shape (values, 3)
        step, loss (nats/token, NaN and infinity included) and se (nats/token, 0 where exact);
        empty where the run does not have the metric.

    Raises
    ------
    MappingError
        Values contradict each other, the metric has several splits, or it is a training loss
        without a window.
    """
    found = events[events["metric"] == loss.metric]
    if loss.split is not None:
        found = found[found["split"] == loss.split]
    what = shorten(loss.metric)
    for low, high in run.drop:
        inside = found["step"].between(low, high)
        if inside.any():
            detail = f"{what}: steps {low:g} to {high:g}, as the mapping says"
            report.add("dropped", run.name, detail, int(inside.sum()))
            found = found[~inside]
    if not len(found):
        return pd.DataFrame({"step": [], "loss": [], "se": []})
    _check_split(found, run, loss, where)
    single = merge(found, run, loss.metric, where, report)
    value = single["value"].to_numpy(dtype=np.float64)
    grid = single["precision"].to_numpy(dtype=np.float64)
    if loss.precision is not None:
        grid = np.full(len(value), loss.precision)
    with np.errstate(all="ignore"):
        if loss.unit == "bits":
            value, grid = value * math.log(2), grid * math.log(2)
        elif loss.unit == "perplexity":
            value, grid = np.log(value), grid / value
    table = pd.DataFrame({"step": single["step"], "loss": value, "se": grid * ROUNDING})
    if loss.precision is None and (grid > 1e-6).any():
        detail = f"{what}: rounded to about {grid.max():.1g} nats, se {grid.max() * ROUNDING:.1g}"
        report.add("rounded", run.name, detail, int((grid > 1e-6).sum()))
    if loss.window is not None:
        return _average(table, run, loss, report)
    return table


def _check_split(found: pd.DataFrame, run: RunOf, loss: LossOf, where: str) -> None:
    who = f"{where}: run {shorten(run.name)!r}: {shorten(loss.metric)}"
    splits = sorted(set(found["split"]))
    if len(splits) > 1:
        raise MappingError(
            f"{who}: got values of the splits {', '.join(splits)}, expected one; say which"
            " (split: ...)"
        )
    if splits == ["train"] and loss.window is None:
        raise MappingError(
            f"{who}: got a training loss, expected an evaluation; if it must be, say over how many"
            " steps it is averaged (window: 100). It is the loss of the mixture, not of a"
            " validation set"
        )


def _average(table: pd.DataFrame, run: RunOf, loss: LossOf, report: Report) -> pd.DataFrame:
    """Means over whole windows of steps, from the start of CPT on; placed at their mean step."""
    assert loss.window is not None
    what = shorten(loss.metric)
    start = run.tokens.start if run.tokens.count is None else 0.0
    window = np.ceil((table["step"] - start) / loss.window)
    end = start + window * loss.window
    # A window is whole once the log has got to its end, up to the gap between two records.
    gap = np.diff(np.unique(table["step"])).max() if table["step"].nunique() > 1 else 0.0
    whole = (end <= table["step"].max() + gap - 1e-9) | (end <= table["step"].max())
    whole &= window > 0
    rows = []
    for _, part in table[whole].groupby(window[whole], sort=True):
        n = len(part)
        # Batches are independent draws of text: the mean errs by their scatter.
        scatter = part["loss"].std(ddof=1) if n > 1 else 0.0
        rounding = math.sqrt(float((part["se"] ** 2).mean()))
        se = max(scatter, rounding) / math.sqrt(n)
        rows.append((part["step"].mean(), part["loss"].mean(skipna=False), se))
    left = int((~whole).sum())
    if left:
        report.add("dropped", run.name, f"{what}: outside of whole windows", left)
    detail = f"{what}: {len(rows)} means over windows of {loss.window} steps; a training loss"
    report.add("averaged", run.name, detail, int(whole.sum()))
    return pd.DataFrame(rows, columns=["step", "loss", "se"])
