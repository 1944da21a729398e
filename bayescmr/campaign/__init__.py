"""Campaigns: what was asked, what was tried and what it cost, in one store that loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bayescmr.errors import CampaignError

if TYPE_CHECKING:
    from bayescmr.campaign.store import Store

__all__ = ["open_store"]


def open_store(url: str | Path, *, create: bool = True) -> Store:
    """Open a store of campaigns, and bring its tables up to date.

    Parameters
    ----------
    url : str or Path
        A file (SQLite), or ``postgresql+psycopg://user@host/database``.
    create : bool
        Whether a store that is not there is made. With False, a mistyped name is an error.

    Returns
    -------
    Store
        Open; close it, or use it in a ``with`` statement.

    Raises
    ------
    CampaignError
        It cannot be opened, is no store of campaigns, was written by a newer version of
        bayescmr, or the extra ``campaign`` is not installed.
    """
    try:
        from bayescmr.campaign.store import Store
    except ModuleNotFoundError as error:
        if error.name not in ("alembic", "sqlalchemy"):
            raise
        raise CampaignError(
            f"campaigns need the package {error.name}, which is not installed: pip install"
            " 'bayescmr[campaign]'"
        ) from None
    return Store.open(url, create=create)
