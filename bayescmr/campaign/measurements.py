"""Losses: recorded once, never changed; also those of runs made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, insert, select

from bayescmr.campaign.added import AddedRun, added_runs
from bayescmr.campaign.checked import finite, label, one_of, whole
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.ledger import Change, changing
from bayescmr.campaign.part import StorePart
from bayescmr.campaign.records import LossRow
from bayescmr.campaign.run_table import run_table
from bayescmr.campaign.tables import losses, runs
from bayescmr.errors import CampaignError, ContradictionError

#: What names a loss of a run.
_KEY = ("tokens", "role", "eval_set", "kind")


class Measurements(StorePart):
    """Part of `Store`: losses and runs made elsewhere."""

    def record_losses(self, run: str, lease: Lease, rows: Sequence[LossRow]) -> int:
        """Keep measured losses of a run.

        Parameters
        ----------
        run : str
            Name of the run.
        lease : Lease
            Of the controller.
        rows : sequence of LossRow
            May hold what was recorded before.

        Returns
        -------
        int
            How many of them are new.

        Raises
        ------
        CampaignError
            A loss differs from what was recorded before, is not finite, or there is no such run.
        """
        where = f"campaign {lease.campaign}: run {run}"
        checked = [_checked(row, where) for row in rows]
        with changing(self._database, lease.campaign, lease) as change:
            key = change.connection.scalar(
                select(runs.c.id).where(runs.c.campaign == change.campaign, runs.c.run == run)
            )
            if key is None:
                raise CampaignError(f"{where}: is not a run of this campaign; reserve it first")
            new = _record(change.connection, key, checked, where)
            if new:
                change.tell("losses", {"run": run, "rows": new})
        return len(new)

    def add_runs(self, name: str, frame: pd.DataFrame, source: str, fingerprint: str) -> int:
        """Add runs made elsewhere; they cost nothing. A controller may be at work meanwhile.

        Parameters
        ----------
        name : str
            Campaign.
        frame : DataFrame
            A run table, as `bayescmr.RunTable.from_frame` takes it; runs that diverged or failed
            are left out, and the ledger says so.
        source : str
            Where they are from; the name of the table in messages.
        fingerprint : str
            Of the table.

        Returns
        -------
        int
            How many runs are new. Runs that were added before, with the same losses, are not.

        Raises
        ------
        RunTableError
            The table cannot be used.
        CampaignError
            A run is a probe of the campaign, or differs from what was recorded before.
        """
        label(source, "source")
        label(fingerprint, "fingerprint")
        found, left_out = added_runs(frame, source)
        told, new = [], 0
        with changing(self._database, name) as change:
            for run in found:
                where = f"campaign {name}: {source}: run {run.run}"
                key, known = _added(change, run, source, where)
                rows = _record(change.connection, key, run.rows, where)
                if rows and known == "probe":
                    raise CampaignError(
                        f"{where}: is a probe of this campaign, whose losses its controller"
                        " records; give the run another name"
                    )
                new += known == "new"
                if rows:
                    told.append({**run.identity, "about": run.about, "rows": rows})
            if told:
                about = {"source": source, "fingerprint": fingerprint, "left_out": left_out}
                change.tell("added", {**about, "runs": told})
        return new

    def runs(self, name: str) -> pd.DataFrame:
        """Return all runs of a campaign as a run table in wide form, see `run_table`.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        with self.reading(name) as (connection, campaign):
            return run_table(connection, campaign, name)


def _checked(row: LossRow, where: str) -> dict[str, Any]:
    role = one_of(row.role, ("general", "domain"), f"{where}: role")
    eval_set = label(row.eval_set, f"{where}: eval_set")
    if role == "domain" and eval_set != "domain":
        raise CampaignError(
            f"{where}: eval_set: got {eval_set!r} of role domain, expected 'domain': there is one"
        )
    what = f"{where}: {row.kind} on {eval_set} at {row.tokens} tokens"
    return {
        "tokens": whole(row.tokens, f"{where}: tokens"),
        "role": role,
        "eval_set": eval_set,
        "kind": one_of(row.kind, ("loss", "change"), f"{where}: kind"),
        "value": finite(row.value, what),
        "se": None if row.se is None else finite(row.se, f"{what}: se", least=0.0),
    }


def _record(
    connection: Connection, run: int, rows: Iterable[dict[str, Any]], where: str
) -> list[dict[str, Any]]:
    """Insert the rows that are new and return them; refuse those that contradict."""
    known = {
        tuple(getattr(row, name) for name in _KEY): (row.value, row.se)
        for row in connection.execute(select(losses).where(losses.c.run == run))
    }
    new = []
    for row in rows:
        key = tuple(row[name] for name in _KEY)
        now = row["value"], row["se"]
        if key not in known:
            known[key] = now
            new.append(row)
        elif known[key] != now:
            value, se = known[key]
            raise ContradictionError(
                f"{where}: {row['kind']} on {row['eval_set']} at {row['tokens']} tokens: got"
                f" {row['value']!r} (se {row['se']}), expected {value!r} (se {se}) as recorded"
                " before; a loss never changes: find out which is right, and give the other run"
                " another name"
            )
    if new:
        connection.execute(insert(losses), [{"run": run, **row} for row in new])
    return new


def _added(
    change: Change, run: AddedRun, source: str, where: str
) -> tuple[int, Literal["new", "added", "probe"]]:
    """Key of a run made elsewhere, inserted where it is new, and how it was known."""
    connection, campaign = change.connection, change.campaign
    found = connection.execute(
        select(runs).where(runs.c.campaign == campaign, runs.c.run == run.run)
    ).one_or_none()
    if found is None:
        key = connection.scalar(
            insert(runs)
            .values(campaign=campaign, **run.identity, tokens=None, source=source, about=run.about)
            .returning(runs.c.id)
        )
        assert key is not None
        return key, "new"
    for name, value in run.identity.items():
        if getattr(found, name) != value:
            raise CampaignError(
                f"{where}: {name}: got {value!r}, expected {getattr(found, name)!r} as the run of"
                " that name in this campaign; give it another name"
            )
    return found.id, "probe" if found.source is None else "added"
