"""Steps, or counters, to CPT tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bayescmr.errors import MappingError
from bayescmr.runs.cells import Float
from bayescmr.runs.importing.mapping import RunOf
from bayescmr.runs.importing.report import Report
from bayescmr.values import shorten

#: Counters whose ratio to the step varies by less are proportional to it.
_PROPORTIONAL = 1e-9


def tokens_at(
    steps: Float,
    run: RunOf,
    counter: Callable[[str], pd.DataFrame],
    where: str,
    report: Report,
) -> Float:
    """CPT tokens at some steps of a run.

    Parameters
    ----------
    steps : ndarray, shape (values,)
        Steps, NaN where the log has none.
    run : RunOf
        The run and its rule.
    counter : callable
        Metric to its merged events; used only where a metric counts.
    where : str
        Name of the mapping, for messages.
    report : Report
        Receives what was left out.

    Returns
    -------
    ndarray, shape (values,)
        Tokens; NaN where the counter was not logged at that step and is not proportional to it.

    Raises
    ------
    MappingError
        The log has no steps, or no such counter.
    """
    rule = run.tokens
    if isinstance(rule.count, float):
        return np.full(len(steps), rule.count)
    if np.isnan(steps).any():
        raise MappingError(
            f"{where}: run {shorten(run.name)!r}: got a log without steps, expected a rule"
            " tokens: {total: ...} for it"
        )
    if rule.count is None:
        return (steps - rule.start) * rule.each
    counts = counter(rule.count)
    known = counts["value"].to_numpy()
    if (counts["precision"] > 1).any():
        detail = f"{shorten(rule.count)} was logged rounded: its tokens are approximate"
        report.add("note", run.name, detail, len(counts))
    at = pd.Series(known, index=counts["step"].to_numpy()).reindex(steps).to_numpy()
    gaps = np.isnan(at)
    if gaps.any():
        each = _per_step(counts)
        if each is not None:
            at = np.where(gaps, steps * each, at)
            detail = f"{shorten(rule.count)} is {each:.10g} times the step: taken where not logged"
            report.add("note", run.name, detail, int(gaps.sum()))
    return (at.astype(np.float64) - rule.start) * rule.each


def _per_step(counts: pd.DataFrame) -> float | None:
    """Counts per step, where all of two or more counts agree on it."""
    steps = counts["step"].to_numpy(dtype=np.float64)
    late = steps > 0
    if late.sum() < 2:
        return None
    ratio = counts["value"].to_numpy(dtype=np.float64)[late] / steps[late]
    even = bool(np.ptp(ratio) <= _PROPORTIONAL * abs(ratio[0]))
    return float(ratio[0]) if even and np.isfinite(ratio).all() else None
