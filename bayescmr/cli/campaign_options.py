"""What the commands of campaigns share: the store, the name, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.exits import NOT_CERTIFIED, RESUME
from bayescmr.cli.options import number

if TYPE_CHECKING:
    from bayescmr.campaign.campaign import Campaign, Snapshot

STORE = "campaigns.db"

StoreUrl = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="FILE_OR_URL",
        envvar="BAYESCMR_STORE",
        help="SQLite file, or postgresql+psycopg://user@host/database.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the campaign.")]
JsonMode = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Patience = Annotated[
    float,
    typer.Option(
        "--patience",
        parser=number("30"),
        help="Seconds without a sign of life after which another controller is taken for dead.",
    ),
]


@contextmanager
def opened(store: str, name: str) -> Iterator[Campaign]:
    """Open a campaign of a store that is there.

    Raises
    ------
    CampaignError
        There is no such store or campaign.
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        from bayescmr.campaign.campaign import Campaign

        yield Campaign.open(found, name)


def exit_code(snapshot: Snapshot) -> int:
    """Exit code of a command after which a campaign stands so."""
    if snapshot.state == "stopped":
        return 0 if snapshot.certified else NOT_CERTIFIED
    return RESUME if snapshot.state == "paused" else 0
