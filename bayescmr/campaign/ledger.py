"""Changes to one campaign: each is told to its ledger in the transaction that makes it.

The ledger is append-only. Each event has a hash of itself and of the hash before, and the row of
the campaign has the last one, so that an event changed, taken out or cut off is found (`audit`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import Connection, insert, select, update

from bayescmr.campaign.checked import canonical
from bayescmr.campaign.database import Database
from bayescmr.campaign.records import Event
from bayescmr.campaign.tables import campaigns, events, leases
from bayescmr.errors import CampaignError

#: Stands before the first event.
BEGINNING = "0" * 64


class Holder(Protocol):
    """Who writes: a lease, as far as the ledger is concerned."""

    @property
    def campaign(self) -> str:
        """Name of the campaign."""
        ...

    @property
    def token(self) -> int:
        """Its fencing token."""
        ...


@dataclass
class Change:
    """One change of one campaign, whose row is locked.

    Parameters
    ----------
    connection : Connection
        In a transaction that ends with the change.
    campaign, name : int, str
        Key and name of the campaign.
    budget : float
        FLOPs.
    number, head : int, str
        Number and hash of the last event.
    token : int or None
        Of the lease under which the change is made.
    """

    connection: Connection
    campaign: int
    name: str
    budget: float
    number: int
    head: str
    token: int | None

    def tell(self, kind: str, content: Mapping[str, Any]) -> None:
        """Append an event."""
        told = dict(content) if self.token is None else {**content, "lease": self.token}
        text = canonical(told, f"event {kind}")
        at = now()
        self.number += 1
        self.head = digest(self.head, self.number, kind, at, text)
        self.connection.execute(
            insert(events).values(
                campaign=self.campaign,
                number=self.number,
                kind=kind,
                at=at,
                content=text,
                hash=self.head,
            )
        )
        self.connection.execute(
            update(campaigns)
            .where(campaigns.c.id == self.campaign)
            .values(events=self.number, head=self.head)
        )


@contextmanager
def changing(database: Database, name: str, lease: Holder | None = None) -> Iterator[Change]:
    """Change a campaign: all of the block takes place, or nothing.

    Parameters
    ----------
    database : Database
        Where.
    name : str
        Campaign.
    lease : Lease, optional
        Of the controller that writes.

    Raises
    ------
    CampaignError
        There is no such campaign, the lease was lost, or the database cannot be written.
    """
    if lease is not None and lease.campaign != name:
        raise CampaignError(f"campaign {name}: got a lease of campaign {lease.campaign}")
    with database.writing() as connection:
        row = connection.execute(
            select(campaigns).where(campaigns.c.name == name).with_for_update()
        ).one_or_none()
        if row is None:
            raise unknown(connection, database, name)
        if lease is not None:
            held = connection.execute(
                select(leases.c.token, leases.c.holder).where(leases.c.campaign == row.id)
            ).one()
            if held.token != lease.token or held.holder is None:
                raise CampaignError(
                    f"campaign {name}: this controller no longer holds it"
                    f" ({held.holder or 'nobody'} does); what it wanted to write was refused."
                    " Only one may run: end the other, or leave it to go on"
                )
        token = None if lease is None else lease.token
        yield Change(connection, row.id, name, row.budget, row.events, row.head, token)


def key_of(connection: Connection, database: Database, name: str) -> int:
    """Return the key of a campaign.

    Raises
    ------
    CampaignError
        There is no such campaign.
    """
    key = connection.scalar(select(campaigns.c.id).where(campaigns.c.name == name))
    if key is None:
        raise unknown(connection, database, name)
    return key


def unknown(connection: Connection, database: Database, name: str) -> CampaignError:
    """Make the error for a campaign that is not there."""
    names = connection.scalars(select(campaigns.c.name).order_by(campaigns.c.name)).all()
    have = f"one of {', '.join(names)}" if names else "none: this store is empty"
    return CampaignError(f"{database.name}: got campaign {name!r}, expected {have}")


def read(connection: Connection, campaign: int) -> list[Event]:
    """Return the events of a campaign, the first first."""
    rows = connection.execute(
        select(events).where(events.c.campaign == campaign).order_by(events.c.number)
    )
    return [Event(row.number, row.kind, row.at, json.loads(row.content), row.hash) for row in rows]


def digest(previous: str, number: int, kind: str, at: str, content: str) -> str:
    """Return the hash of an event: SHA-256, 64 hexadecimal digits."""
    parts = json.dumps([previous, number, kind, at, content])
    return hashlib.sha256(parts.encode()).hexdigest()


def now() -> str:
    """Return the time for people: it is stored, and never compared."""
    return datetime.now(UTC).isoformat(timespec="seconds")
