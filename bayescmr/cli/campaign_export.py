"""``bayescmr campaign export``: a campaign as plain files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescmr.cli.campaign_options import STORE, Name, StoreUrl
from bayescmr.cli.output import screen


def export_command(
    name: Name,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="New or empty folder.")],
    store: StoreUrl = STORE,
) -> None:
    """Write a campaign as plain files: runs, attempts, fits, all options, and the ledger.

    `runs.csv` is a run table, as `bayescmr fit` reads it.

    [bold]Example[/bold]

      bayescmr campaign export legal --out legal
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        from bayescmr.campaign.export import export

        export(found, name, out)
    files = ", ".join(sorted(path.name for path in out.iterdir()))
    screen().print(f"wrote {out}: {files}", soft_wrap=True)
