"""``bayescmr campaign tell``: what came of a run that was asked for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bayescmr.cli.campaign_options import STORE, Name, Patience, StoreUrl, opened
from bayescmr.cli.options import choice
from bayescmr.cli.output import screen
from bayescmr.errors import CampaignError


def tell_command(
    name: Name,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of the run, as asked for.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="LOSSES", help="CSV or JSON lines: tokens, loss_general and other losses."
        ),
    ] = None,
    outcome: Annotated[
        str,
        typer.Option(
            "--outcome",
            **choice("done", "stopped", "diverged", "failed"),
            help="done, stopped (ended before, can be gone on with), diverged, failed.",
        ),
    ] = "done",
    store: StoreUrl = STORE,
    patience: Patience = 30.0,
) -> None:
    """Tell what came of a run: its losses, one row per checkpoint, the base at tokens 0.

    Rows that were told before may be repeated. A run that diverged or failed may come without.

    [bold]Examples[/bold]

      bayescmr campaign tell legal 3f2a9c01b7de losses.csv

      bayescmr campaign tell legal 3f2a9c01b7de --outcome diverged
    """
    losses = [] if file is None else read_told(file)
    with opened(store, name) as campaign:
        campaign.tell(run, losses, cast("Any", outcome), patience=patience)
        budget = campaign.store.budget(name)
    screen().print(
        f"run {run}: {outcome}, {len(losses)} rows; {budget.spent:.3g} of {budget.total:.3g}"
        " FLOPs are spent",
        soft_wrap=True,
    )


def read_told(path: Path) -> list[dict[str, Any]]:
    """Read rows of losses: numbers by the name of their column, without blank cells.

    Raises
    ------
    RunTableError, CampaignError
        The file cannot be read, or a cell is no number: file, row, got, expected.
    """
    from bayescmr.runs.readers import read_raw

    raw = read_raw(path)
    rows = []
    for at, cells in zip(raw.rows, raw.frame.itertuples(index=False), strict=True):
        where = f"{path}: row {at}"
        found = {
            column: _number(cell, f"{where}: {column}")
            for column, cell in zip(raw.names, cells, strict=True)
            if cell is not None and str(cell).strip() and cell == cell
        }
        rows.append(found)
    return rows


def _number(cell: Any, where: str) -> float:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise CampaignError(
            f"{where}: got {cell!r}, expected a number; a run that diverged is told with"
            " --outcome diverged"
        )
    return value
