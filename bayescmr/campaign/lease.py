"""One controller at a time, without trust in clocks.

A holder increments a counter. Another may take over after it has seen the counter unchanged for a
while of its own monotonic clock: no two clocks are compared, so none may be wrong. A holder that
was only slow and comes back is refused by its token (a fencing token), in the transaction in which
it would write.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from sqlalchemy import select, update

from bayescmr.campaign.checked import finite, label
from bayescmr.campaign.database import Database
from bayescmr.campaign.ledger import Change, changing
from bayescmr.campaign.tables import campaigns, leases
from bayescmr.errors import CampaignError


class Lease:
    """The right to write to a campaign, until it is released or taken over.

    Parameters
    ----------
    database : Database
        Where.
    campaign : str
        Its name.
    holder : str
        Who holds it, for people.
    token : int
        Grows with every holder.
    """

    def __init__(self, database: Database, campaign: str, holder: str, token: int) -> None:
        self._database = database
        self.campaign = campaign
        self.holder = holder
        self.token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def beat(self) -> None:
        """Show that the holder lives; often enough within the patience of others.

        Raises
        ------
        CampaignError
            The lease was lost, or the database cannot be written.
        """
        mine = select(campaigns.c.id).where(campaigns.c.name == self.campaign).scalar_subquery()
        with self._database.writing() as connection:
            done = connection.execute(
                update(leases)
                .where(
                    leases.c.campaign == mine,
                    leases.c.token == self.token,
                    leases.c.holder.is_not(None),
                )
                .values(beats=leases.c.beats + 1)
            )
            if done.rowcount != 1:
                raise CampaignError(
                    f"campaign {self.campaign}: this controller no longer holds it; another has"
                    " taken over and goes on"
                )

    def release(self) -> None:
        """Let another controller begin at once; nothing if the lease was lost before."""
        with changing(self._database, self.campaign) as change:
            done = change.connection.execute(
                update(leases)
                .where(
                    leases.c.campaign == change.campaign,
                    leases.c.token == self.token,
                    leases.c.holder.is_not(None),
                )
                .values(holder=None)
            )
            if done.rowcount == 1:
                change.tell("released", {"token": self.token})


def acquire(database: Database, name: str, holder: str, patience: float) -> Lease:
    """Become the controller of a campaign, see `Store.acquire`."""
    label(holder, "holder")
    patience = finite(patience, "patience", least=0.0)
    found = _take(database, name, holder, None)
    if not isinstance(found, Lease):
        _watch(database, name, found, patience)
        found = _take(database, name, holder, found)
    if not isinstance(found, Lease):
        raise _alive(name, found)
    return found


#: Token, beats, holder.
_Seen = tuple[int, int, str | None]


def _watch(database: Database, name: str, seen: _Seen, patience: float) -> None:
    """Wait until a holder has given no sign of life for long enough, or has let go."""
    end = time.monotonic() + patience
    pause = min(max(patience / 20, 0.01), 1.0)
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        with database.reading() as connection:
            row = connection.execute(
                select(leases).join(campaigns).where(campaigns.c.name == name)
            ).one()
        if row.holder is None:
            return
        if (row.token, row.beats, row.holder) != seen:
            raise _alive(name, (row.token, row.beats, row.holder))


def _alive(name: str, found: _Seen) -> CampaignError:
    return CampaignError(
        f"campaign {name}: {found[2]} is at work on it, and only one controller may be; end that"
        " one first, or leave it to go on"
    )


def _take(database: Database, name: str, holder: str, still: _Seen | None) -> Lease | _Seen:
    """Take a lease that nobody holds, or that is still as it was seen."""
    with changing(database, name) as change:
        row = change.connection.execute(
            select(leases).where(leases.c.campaign == change.campaign)
        ).one()
        found = row.token, row.beats, row.holder
        if row.holder is not None and found != still:
            return found
        return _hand_over(database, change, holder, found)


def _hand_over(database: Database, change: Change, holder: str, found: _Seen) -> Lease:
    token = found[0] + 1
    change.connection.execute(
        update(leases)
        .where(leases.c.campaign == change.campaign)
        .values(token=token, holder=holder, beats=0)
    )
    change.tell("acquired", {"holder": holder, "token": token, "taken_from": found[2]})
    return Lease(database, change.name, holder, token)
