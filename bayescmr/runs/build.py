"""The pipeline from cells to the canonical table: validate everything, then leave out by rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescmr.errors import RunTableError
from bayescmr.runs.bases import check_changes, resolve_bases, unused_bases
from bayescmr.runs.cells import Float, Mask
from bayescmr.runs.columns import CORE, OPTIONAL, STATUS_OUT, layout_of
from bayescmr.runs.consistency import check_coverage, check_measurements, check_runs
from bayescmr.runs.fingerprint import fingerprint
from bayescmr.runs.problems import Problems, show
from bayescmr.runs.raw import RawTable
from bayescmr.runs.reshape import to_long
from bayescmr.runs.smoothness import LEAST_ERROR, scatter, too_smooth
from bayescmr.runs.typed import typed_frame

#: Optional columns held as text; seed is a whole number, the rest are float64.
_TEXT = ("schedule", "loss_mode", "status", "source")


@dataclass(frozen=True)
class Exclusion:
    """Measurements left out of the fit for one reason.

    Parameters
    ----------
    reason : str
        Why.
    rows : int
        Number of measurements (one per run, evaluation set and checkpoint).
    runs : tuple of str
        Runs concerned, sorted.
    detail : str
        More about it, for people.
    """

    reason: str
    rows: int
    runs: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class Built:
    """Parts of a `bayescmr.runs.RunTable`."""

    frame: pd.DataFrame
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]
    fingerprint: str


def build(raw: RawTable, min_tokens: float | None) -> Built:
    """Validate a raw table and bring it into canonical form.

    Parameters
    ----------
    raw : RawTable
        Cells as found.
    min_tokens : float or None
        Leave out rows with 0 < tokens < min_tokens.

    Returns
    -------
    Built
        Canonical frame with what was left out and assumed.

    Raises
    ------
    RunTableError
        With every problem found. Cells and runs are checked first, bases after them, since
        a base cannot be sought for a run that is not well defined.
    """
    _check_min_tokens(min_tokens)
    problems = Problems(raw.source, raw.rows, raw.zero_based)
    layout = layout_of(raw.names, problems)
    frame, notes = typed_frame(raw, layout, problems)
    check_runs(frame, problems)
    long = to_long(frame, layout)
    check_measurements(long, problems)
    # A loss that could not be read is not a missing one: only clean tables can lack losses.
    if not len(problems):
        check_coverage(long, layout, problems)
    problems.raise_if_any()

    alive = long["out"].isna().to_numpy()
    measured = (long["loss"].notna() | long["change"].notna()).to_numpy()
    trained = (long["tokens"] > 0).to_numpy()
    late = np.ones(len(long), dtype=np.bool_)
    if min_tokens is not None:
        late = (long["tokens"] >= min_tokens).to_numpy()
    used = alive & measured & trained & late
    base = resolve_bases(long, alive & measured & trained, layout, problems)
    problems.raise_if_any()
    check_changes(long, base, layout, problems)
    problems.raise_if_any()

    exclusions = _exclusions(long, trained, alive, measured, used, min_tokens)
    canonical = _canonical(long, base, used)
    _check_left(canonical, exclusions, raw.source)
    notes = (*notes, *unused_bases(long, trained & alive), *_notes(canonical))
    return Built(canonical, exclusions, notes, fingerprint(canonical, min_tokens))


def _check_min_tokens(min_tokens: float | None) -> None:
    if min_tokens is None:
        return
    number = isinstance(min_tokens, int | float | np.integer | np.floating)
    if not number or isinstance(min_tokens, bool) or not 0 < min_tokens < math.inf:
        raise RunTableError(
            f"min_tokens: got {show(min_tokens)}, expected a finite count of CPT tokens > 0; "
            "leave it out to keep every row"
        )


def _exclusions(
    long: pd.DataFrame,
    trained: Mask,
    alive: Mask,
    measured: Mask,
    used: Mask,
    min_tokens: float | None,
) -> tuple[Exclusion, ...]:
    kept = set(long.loc[used, "run"])
    found = []

    def add(reason: str, rows: Mask, runs: Mask, detail: str = "") -> None:
        labels = sorted({str(run) for run in long.loc[runs, "run"]})
        if labels:
            found.append(Exclusion(reason, int(rows.sum()), tuple(labels), detail))

    for status in STATUS_OUT:
        of_status = (long["out"] == status).to_numpy()
        detail = "the whole run is left out; its row at tokens = 0, if any, still serves as a base"
        add(f"status {status}", of_status & trained, of_status, detail)
    blank = alive & trained & ~measured
    add("no loss value", blank, blank, "blank cells")
    if min_tokens is not None:
        early = alive & trained & measured & ~used
        emptied = sorted({str(run) for run in long.loc[early, "run"]} - kept)
        detail = f"runs without a later row: {len(emptied)}" if emptied else ""
        reason = f"tokens < min_tokens ({min_tokens:.12g}): recalibration after the start of CPT"
        add(reason, early, early, detail)
    return tuple(found)


def _canonical(long: pd.DataFrame, base: Float, used: Mask) -> pd.DataFrame:
    optional = [name for name in OPTIONAL if name in long]
    frame = long.assign(base=base)[used]
    # The difference of the stated losses wins over a stated change, which may be rounded.
    rise = frame["loss"] - frame["base"]
    frame["change"] = rise.where(frame["loss"].notna(), frame["change"])
    frame["se"] = frame["se"].fillna(0.0)
    frame = frame[[*CORE, *optional]]
    if "seed" in frame:
        frame = frame.assign(seed=frame["seed"].astype("Int64"))
    for name in ("run", "domain", "eval_set", "role", *(n for n in _TEXT if n in frame)):
        frame[name] = frame[name].astype("str")
    return frame.sort_values(["run", "eval_set", "tokens"], ignore_index=True)


def _check_left(frame: pd.DataFrame, exclusions: tuple[Exclusion, ...], source: str) -> None:
    if (frame["role"] == "general").any():
        return
    reasons = "; ".join(f"{e.rows} left out, {e.reason}" for e in exclusions)
    raise RunTableError(
        f"{source}: got no usable general loss at tokens > 0 ({reasons or 'only base rows'}), "
        "expected at least one; add runs, or relax the rule that leaves rows out"
    )


def _notes(frame: pd.DataFrame) -> tuple[str, ...]:
    notes = []
    if not (frame["se"] > 0).any():
        notes.append("no se column: measurement error is estimated")
    changes = int(frame["loss"].isna().sum())
    if changes:
        notes.append(f"{changes} of {len(frame)} rows state only the change of loss")
    general = frame[frame["role"] == "general"]
    if too_smooth(general):
        notes.append(
            f"general losses scatter by only {scatter(general):.1e} nats between checkpoints: a fit"
            " takes smoothed curves as exact, and its interval may miss the CMR; give raw losses,"
            f" or state their error (se_general, at least {LEAST_ERROR:g})"
        )
    return tuple(notes)
