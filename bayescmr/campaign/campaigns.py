"""Campaigns of a store: made, named, paused, given a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from bayescmr.campaign import ledger
from bayescmr.campaign.checked import NAME, NAME_WORDS, finite, mapping, one_of, printable
from bayescmr.campaign.lease import Lease, acquire
from bayescmr.campaign.ledger import BEGINNING, Change, changing
from bayescmr.campaign.part import StorePart
from bayescmr.campaign.records import OPEN, ROUNDING, STATES, Budget, CampaignRow, Event, State
from bayescmr.campaign.tables import attempts, campaigns, leases, runs
from bayescmr.errors import CampaignError


class Campaigns(StorePart):
    """Part of `Store`: whole campaigns."""

    def create(self, name: str, config: Mapping[str, Any], budget: float = 0.0) -> None:
        """Make a campaign, in state ``running``.

        Parameters
        ----------
        name : str
            Letters, digits, ``_``, ``.`` and ``-``.
        config : mapping
            Plain JSON data.
        budget : float
            FLOPs; see `set_budget`.

        Raises
        ------
        CampaignError
            The name is taken or ill-formed, or the configuration is no plain data.
        """
        if not NAME.fullmatch(name):
            raise CampaignError(f"campaign: got name {name!r}, expected {NAME_WORDS}")
        config = mapping(config, f"campaign {name}: config")
        budget = finite(budget, f"campaign {name}: budget", least=0.0)
        about = {"name": name, "config": config, "budget": budget}
        with self._database.writing() as connection:
            row = {"state": "running", "reason": "", "created": ledger.now(), "head": BEGINNING}
            try:
                with connection.begin_nested():
                    key = connection.scalar(
                        insert(campaigns).values(**about, **row, events=0).returning(campaigns.c.id)
                    )
            except IntegrityError:
                raise self._taken(name) from None
            assert key is not None
            connection.execute(insert(leases).values(campaign=key, token=0, holder=None, beats=0))
            Change(connection, key, name, budget, 0, BEGINNING, None).tell("created", about)

    def require_free(self, name: str) -> None:
        """Refuse a name that a campaign of this store has.

        Raises
        ------
        CampaignError
            The name is taken.
        """
        if name in self.campaigns():
            raise self._taken(name)

    def _taken(self, name: str) -> CampaignError:
        return CampaignError(
            f"{self._database.name}: there is a campaign {name} already; choose another name, or go"
            " on with that one"
        )

    def campaigns(self) -> list[str]:
        """Return the names of all campaigns, sorted."""
        with self._database.reading() as connection:
            return sorted(connection.scalars(select(campaigns.c.name)))

    def campaign(self, name: str) -> CampaignRow:
        """Return a campaign.

        Raises
        ------
        CampaignError
            There is none of that name.
        """
        with self.reading(name) as (connection, key):
            row = connection.execute(select(campaigns).where(campaigns.c.id == key)).one()
            state = one_of(row.state, STATES, f"campaign {name}: state")
            return CampaignRow(row.name, row.config, state, row.reason, row.created)

    def set_state(self, name: str, state: State, reason: str = "") -> None:
        """Pause a campaign, stop it, or let it go on; its controller acts on it.

        Raises
        ------
        CampaignError
            There is no such campaign or state.
        """
        one_of(state, STATES, "state")
        # One line, whatever a shell or a program hands over: it is shown in lists.
        values = {"state": state, "reason": " ".join(printable(reason).split())}
        with changing(self._database, name) as change:
            self._update(change, values)
            change.tell("state", values)

    def set_budget(self, name: str, flops: float) -> None:
        """Allow a campaign that many FLOPs in all.

        Raises
        ------
        CampaignError
            It has spent and reserved more than that already, or there is no such campaign.
        """
        flops = finite(flops, f"campaign {name}: budget", least=0.0)
        with changing(self._database, name) as change:
            now = budget_of(change.connection, change.campaign, flops)
            if now.spent + now.reserved > flops * (1 + ROUNDING):
                raise CampaignError(
                    f"campaign {name}: budget: got {flops:.4g} FLOPs, expected at least the"
                    f" {now.spent:.4g} spent and {now.reserved:.4g} reserved; stop probes first,"
                    " or allow more"
                )
            self._update(change, {"budget": flops})
            change.tell("budget", {"budget": flops})

    def budget(self, name: str) -> Budget:
        """Return what a campaign may spend, has spent and has reserved, in FLOPs.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        with self.reading(name) as (connection, key):
            total = connection.scalar(select(campaigns.c.budget).where(campaigns.c.id == key))
            return budget_of(connection, key, float(total or 0.0))

    def events(self, name: str) -> list[Event]:
        """Return the ledger of a campaign, the first event first.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        with self.reading(name) as (connection, campaign):
            return ledger.read(connection, campaign)

    def acquire(self, name: str, holder: str, patience: float) -> Lease:
        """Become the one controller of a campaign.

        Parameters
        ----------
        name : str
            Campaign.
        holder : str
            Who asks, for messages to people: host and process, say.
        patience : float
            Seconds without a beat after which the holder before is taken for dead. Waits that
            long only where there is a holder that gives no sign of life.

        Returns
        -------
        Lease
            To be given to every write; beat it more often than others are patient.

        Raises
        ------
        CampaignError
            Another controller is alive, or there is no such campaign.
        """
        return acquire(self._database, name, holder, patience)

    @staticmethod
    def _update(change: Change, values: Mapping[str, Any]) -> None:
        change.connection.execute(
            update(campaigns).where(campaigns.c.id == change.campaign).values(**values)
        )


def budget_of(connection: Connection, campaign: int, total: float) -> Budget:
    """Add up what attempts have cost and may still cost.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    campaign : int
        Key of the campaign.
    total : float
        FLOPs that are allowed.
    """
    rows = connection.execute(
        select(attempts.c.state, attempts.c.cost, attempts.c.charge)
        .join(runs, attempts.c.run == runs.c.id)
        .where(runs.c.campaign == campaign)
    ).all()
    # Not summed by the database: sums of floats there depend on the order of rows.
    spent = math.fsum(row.charge or 0.0 for row in rows)
    reserved = math.fsum(row.cost for row in rows if row.state in OPEN)
    return Budget(total, spent, reserved)
