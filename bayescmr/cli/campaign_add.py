"""``bayescmr campaign add``: runs that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescmr.cli.campaign_options import STORE, Name, StoreUrl, opened
from bayescmr.cli.output import screen


def add_command(
    name: Name,
    table: Annotated[
        Path, typer.Argument(metavar="RUNS", help="Run table: .csv, .csv.gz, .tsv, .parquet ...")
    ],
    store: StoreUrl = STORE,
) -> None:
    """Add runs that were made elsewhere; they cost nothing, and the next fit has them.

    May be called while the campaign runs. Runs that are there already must agree.

    [bold]Example[/bold]

      bayescmr campaign add legal more_runs.csv
    """
    with opened(store, name) as campaign:
        new = campaign.add(table)
    runs = "1 run is" if new == 1 else f"{new} runs are"
    screen().print(f"{runs} new in campaign {name}", soft_wrap=True)
