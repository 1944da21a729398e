"""A campaign as plain files, for archives, spreadsheets and other programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import select

from bayescmr.atomic import whole_folder
from bayescmr.campaign import ledger
from bayescmr.campaign.attempts import attempts_of
from bayescmr.campaign.campaigns import budget_of
from bayescmr.campaign.records import Attempt, RoundRow
from bayescmr.campaign.rounds import options_of, rounds_of
from bayescmr.campaign.run_table import run_table
from bayescmr.campaign.store import Store
from bayescmr.campaign.tables import campaigns
from bayescmr.errors import CampaignError

SCHEMA = 1


def export(store: Store, name: str, folder: str | Path) -> None:
    """Write a campaign to a folder, all of it or nothing; a controller may be at work meanwhile.

    Parameters
    ----------
    store : Store
        Where it is.
    name : str
        Campaign.
    folder : str or Path
        Made; must not exist, or be empty. It holds ``campaign.json`` (configuration, state and
        budget), ``runs.csv`` (a run table in wide form), ``attempts.csv``, ``rounds.csv``,
        ``options.csv`` (every option of every round with its propensity) and ``events.jsonl``
        (the ledger). Columns of lists and mappings are JSON.

    Raises
    ------
    CampaignError
        There is no such campaign, or the folder cannot be written.
    """
    with store.reading(name) as (connection, campaign):
        row = connection.execute(select(campaigns).where(campaigns.c.id == campaign)).one()
        budget = budget_of(connection, campaign, row.budget)
        about = {
            "schema": SCHEMA,
            **{key: getattr(row, key) for key in ("name", "config", "state", "reason", "created")},
            "budget": asdict(budget),
            "events": row.events,
            "head": row.head,
        }
        tables = {
            "runs.csv": run_table(connection, campaign, name),
            "attempts.csv": _table(Attempt, attempts_of(connection, campaign)),
            "rounds.csv": _table(RoundRow, rounds_of(connection, campaign)).drop(
                columns="chosen"  # options.csv says which
            ),
            "options.csv": options_of(connection, campaign),
        }
        events = ledger.read(connection, campaign)
    try:
        with whole_folder(Path(folder)) as partial:
            (partial / "campaign.json").write_text(
                json.dumps(about, indent=2) + "\n", encoding="utf-8"
            )
            for file, frame in tables.items():
                _as_text(frame).to_csv(partial / file, index=False)
            lines = [json.dumps(asdict(event)) + "\n" for event in events]
            (partial / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise CampaignError(
            f"{folder}: cannot write the export: {error.strerror or error}; name a folder that"
            " does not exist or is empty, on a disk with room"
        ) from None


def _table(kind: type[Attempt] | type[RoundRow], rows: Iterable[Any]) -> pd.DataFrame:
    names = [field.name for field in fields(kind)]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Lists and mappings as JSON; whole numbers that may be missing without a decimal point."""
    frame = frame.copy()
    for name in ("reached_tokens", "exit_code"):
        if name in frame:
            frame[name] = frame[name].astype("Int64")
    for name in frame.columns:
        if frame[name].map(lambda cell: isinstance(cell, list | tuple | dict)).any():
            frame[name] = frame[name].map(
                lambda cell: json.dumps(cell) if isinstance(cell, list | tuple | dict) else cell
            )
    return frame
