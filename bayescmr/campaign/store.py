"""The store of campaigns: every method is one transaction."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from bayescmr.campaign.attempts import Attempts
from bayescmr.campaign.campaigns import Campaigns
from bayescmr.campaign.database import database_of
from bayescmr.campaign.measurements import Measurements
from bayescmr.campaign.rounds import Rounds
from bayescmr.campaign.schema import bring_up_to_date


class Store(Campaigns, Rounds, Attempts, Measurements):
    """Campaigns with all that was tried, measured, decided and paid; see `open_store`.

    What a controller writes takes its lease, and is refused when another has taken over. What is
    written is told to the ledger of the campaign in the same transaction. Any method may raise
    `CampaignError` where the database cannot go on (the disk is full, the server is gone): nothing
    of the call has then taken place, or, where a server was lost in the moment of a commit, all
    of it; calls may be repeated, and say so where they have been done already.
    """

    @classmethod
    def open(cls, url: str | Path, *, create: bool = True) -> Self:
        """Open a store, see `open_store`."""
        database = database_of(url, create=create)
        try:
            bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def name(self) -> str:
        """File or URL, without a password."""
        return self._database.name

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
