"""What the parts of a store share."""

from __future__ import annotations

from bayescmr.campaign.database import Database


class StorePart:
    """A part of `Store`: methods on one kind of row.

    Parameters
    ----------
    database : Database
        Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
