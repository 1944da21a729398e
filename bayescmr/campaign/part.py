"""What the parts of a store share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from bayescmr.campaign.database import Database
from bayescmr.campaign.ledger import key_of


class StorePart:
    """A part of `Store`: methods on one kind of row.

    Parameters
    ----------
    database : Database
        Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def reading(self, name: str) -> Iterator[tuple[Connection, int]]:
        """Give one unchanging view of a campaign: a connection, and the campaign's key.

        Raises
        ------
        CampaignError
            There is no such campaign, or the database cannot be read.
        """
        with self._database.reading() as connection:
            yield connection, key_of(connection, self._database, name)
