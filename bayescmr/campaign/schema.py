"""Brings the tables of a database up to date, once, however many processes open it."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.sql import column, table

from bayescmr.campaign.database import Database, File
from bayescmr.campaign.tables import HEAD, VERSION_TABLE
from bayescmr.errors import CampaignError

#: Any number, the same for every process: the name of the lock on a PostgreSQL server.
_LOCK = 0x6361_6D70_6169_676E


def bring_up_to_date(database: Database) -> None:
    """Make or change the tables where they are not those of this version.

    Parameters
    ----------
    database : Database
        Where.

    Raises
    ------
    CampaignError
        A newer version of bayescmr has written it, or it belongs to another program.
    """
    with database.reading() as connection:
        if _version(connection, database) == HEAD:
            return
    if isinstance(database, File):
        database.write_ahead()
    with database.writing() as connection:
        if not isinstance(database, File):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # Another process may have been quicker.
        if _version(connection, database) != HEAD:
            _upgrade(connection)


def _version(connection: Connection, database: Database) -> str | None:
    """Revision of the tables; None where there are none yet."""
    names = inspect(connection).get_table_names()
    if VERSION_TABLE not in names:
        if isinstance(database, File) and names:
            raise CampaignError(
                f"{database.name}: a database of another program (tables {', '.join(names[:3])}),"
                " expected a store of campaigns or a new file; name another file"
            )
        return None
    found = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    if found is not None and found > HEAD:
        raise CampaignError(
            f"{database.name}: schema {found} was written by a newer version of bayescmr, this one"
            f" knows up to {HEAD}; update bayescmr: pip install --upgrade bayescmr"
        )
    return found


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "bayescmr.campaign:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
