"""The run table of a campaign: probes and runs made elsewhere, in wide form."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection, select

from bayescmr.campaign.added import ABOUT
from bayescmr.campaign.records import OPEN
from bayescmr.campaign.tables import attempts, losses, runs

_FIRST = ("run", "size", "domain", "ratio", "tokens")
_KINDS = ("loss", "change", "se")
_LAST = ("seed", *ABOUT[:-1], "status", "source")


def run_table(connection: Connection, campaign: int, name: str) -> pd.DataFrame:
    """Return all runs of a campaign.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    campaign, name : int, str
        Key and name of the campaign.

    Returns
    -------
    DataFrame
        A run table in wide form, one row per checkpoint, as `bayescmr.RunTable.from_frame` and
        (written as CSV) `bayescmr.read_runs` take it. ``status`` is ``diverged`` for a run of
        which an attempt diverged; ``failed`` for one whose last attempt failed or was lost and
        that has no loss beyond tokens 0 (one blank row says how far it was to go); else ``ok``,
        for every checkpoint of a run is a valid shorter run. A run under way without any loss
        has no row yet.
    """
    found = connection.execute(
        select(runs).where(runs.c.campaign == campaign).order_by(runs.c.id)
    ).all()
    measured: dict[int, dict[int, dict[str, float | None]]] = {run.id: {} for run in found}
    for loss in connection.execute(
        select(losses).join(runs).where(runs.c.campaign == campaign).order_by(losses.c.tokens)
    ):
        plain = loss.role == loss.eval_set
        column = loss.role if plain else f"{loss.role}:{loss.eval_set}"
        cells = measured[loss.run].setdefault(loss.tokens, {})
        cells[f"{loss.kind}_{column}"] = loss.value
        if loss.se is not None:
            cells[f"se_{column}"] = loss.se
    tried: dict[int, list[Any]] = {run.id: [] for run in found}
    for attempt in connection.execute(
        select(attempts).join(runs).where(runs.c.campaign == campaign).order_by(attempts.c.number)
    ):
        tried[attempt.run].append(attempt)

    rows: list[dict[str, Any]] = []
    for run in found:
        status = _status(tried[run.id], any(measured[run.id]))
        checkpoints = measured[run.id]
        if status in ("failed", "diverged") and not any(checkpoints):
            checkpoints = {**checkpoints, tried[run.id][-1].until: {}}
        about = {"seed": run.seed, "status": status, "source": f"campaign {name}"}
        if run.source is not None:
            about |= {"source": run.source, **run.about}
        identity = {name: getattr(run, name) for name in _FIRST[:-1]}
        rows += [
            {**identity, "tokens": tokens, **cells, **about}
            for tokens, cells in checkpoints.items()
        ]
    return _frame(rows)


def _status(tried: list[Any], trained: bool) -> str:
    states = [attempt.state for attempt in tried]
    if "diverged" in states:
        return "diverged"
    ended = [state for state in states if state not in OPEN]
    failed = bool(ended) and len(ended) == len(states) and ended[-1] in ("failed", "lost")
    return "failed" if failed and not trained else "ok"


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Columns in the order in which people read them; those without any value are left out."""
    names = {name for row in rows for name in row}
    measures = sorted(
        names - {*_FIRST, *_LAST},
        key=lambda name: (_KINDS.index(name.split("_")[0]), "_general" not in name, name),
    )
    columns = [*_FIRST, *measures, *_LAST]
    frame = pd.DataFrame(rows, columns=columns)
    empty = [name for name in (*measures, *_LAST[:-2]) if frame[name].isna().all()]
    frame = frame.drop(columns=empty)
    if "seed" in frame:
        frame["seed"] = frame["seed"].astype("Int64")
    frame["tokens"] = frame["tokens"].astype("int64")
    return frame
