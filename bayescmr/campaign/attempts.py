"""Attempts: reserved out of the budget, submitted, and settled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from bayescmr.campaign.campaigns import budget_of
from bayescmr.campaign.checked import finite, label, mapping, one_of, printable, whole
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.ledger import Change, changing
from bayescmr.campaign.part import StorePart
from bayescmr.campaign.records import OPEN, OUTCOMES, ROUNDING, Attempt, NewAttempt, Outcome
from bayescmr.campaign.rounds import round_key
from bayescmr.campaign.tables import attempts, rounds, runs
from bayescmr.errors import BudgetError, CampaignError

#: What makes a run the run that it is.
IDENTITY = ("size", "domain", "ratio", "seed", "tokens")


class Attempts(StorePart):
    """Part of `Store`: attempts."""

    def reserve(
        self, name: str, lease: Lease, round: int, attempts: Sequence[NewAttempt]
    ) -> list[Attempt]:
        """Set the cost of attempts aside, before any of them is submitted.

        Parameters
        ----------
        name : str
            Campaign.
        lease : Lease
            Of the controller.
        round : int
            Number of the round that chose them.
        attempts : sequence of NewAttempt
            New runs, or runs to be gone on with; all of them are reserved, or none.

        Returns
        -------
        list of Attempt
            In state ``reserved``, in the same order.

        Raises
        ------
        BudgetError
            They cost more than is left.
        CampaignError
            A run has an attempt under way already, or another identity than it had.
        """
        rows = [_checked(new, f"campaign {name}: run {new.run}") for new in attempts]
        with changing(self._database, name, lease) as change:
            key = round_key(change.connection, change.campaign, name, round)
            _afford(change, [row["cost"] for row in rows])
            made = [_insert(change, key, round, row) for row in rows]
            change.tell("reserved", {"round": round, "attempts": made})
            return [_find(change.connection, change.campaign, name, one["key"]) for one in made]

    def submitted(
        self, attempt_key: str, lease: Lease, runner: str, handle: Mapping[str, Any]
    ) -> None:
        """Record that a runner has an attempt, and how to ask about it.

        Parameters
        ----------
        attempt_key : str
            See `Attempt`.
        lease : Lease
            Of the controller.
        runner : str
            Its name.
        handle : mapping
            Plain JSON data. The same again changes nothing.

        Raises
        ------
        CampaignError
            It was settled already, or submitted with another handle.
        """
        told = {
            "key": attempt_key,
            "runner": label(runner, "runner"),
            "handle": mapping(handle, f"attempt {attempt_key}: handle"),
        }
        with changing(self._database, lease.campaign, lease) as change:
            found = _find(change.connection, change.campaign, change.name, attempt_key)
            if (found.runner, found.handle) == (told["runner"], told["handle"]):
                return
            if found.state != "reserved":
                raise CampaignError(
                    f"attempt {attempt_key}: got another submission (runner {runner}), but it is"
                    f" {found.state} already (runner {found.runner}); nothing may be run twice"
                )
            values = {"state": "submitted", "runner": told["runner"], "handle": told["handle"]}
            _update(change, found, values)
            change.tell("submitted", told)

    def beat(self, attempt_key: str, lease: Lease, beats: int) -> None:
        """Keep the last sign of life of an attempt; nothing if it is settled.

        Raises
        ------
        CampaignError
            There is no such attempt, or the lease was lost.
        """
        with changing(self._database, lease.campaign, lease) as change:
            found = _find(change.connection, change.campaign, change.name, attempt_key)
            if found.is_open:
                _update(change, found, {"beats": whole(beats, "beats")})

    def settle(
        self,
        attempt_key: str,
        lease: Lease,
        outcome: Outcome,
        reached_tokens: int | None,
        charge: float,
        exit_code: int | None,
        reason: str,
    ) -> None:
        """End an attempt: charge what it took, and give the rest of its reserve back.

        Parameters
        ----------
        attempt_key : str
            See `Attempt`.
        lease : Lease
            Of the controller.
        outcome : {"done", "stopped", "diverged", "failed", "lost"}
            What became of it.
        reached_tokens : int or None
            CPT tokens trained in all; None where nobody knows.
        charge : float
            FLOPs, at most the cost that was reserved.
        exit_code : int or None
            Of the command.
        reason : str
            For people. The same settlement again changes nothing.

        Raises
        ------
        CampaignError
            It was settled otherwise before, or the charge is more than was reserved.
        """
        what = f"attempt {attempt_key}"
        told: dict[str, Any] = {
            "key": attempt_key,
            "outcome": one_of(outcome, OUTCOMES, f"{what}: outcome"),
            "reached_tokens": None
            if reached_tokens is None
            else whole(reached_tokens, f"{what}: reached_tokens"),
            "charge": finite(charge, f"{what}: charge", least=0.0),
            "exit_code": None
            if exit_code is None
            else whole(exit_code, f"{what}: exit_code", least=-(2**31)),
            "reason": printable(reason),
        }
        with changing(self._database, lease.campaign, lease) as change:
            found = _find(change.connection, change.campaign, change.name, attempt_key)
            values = {"state": told["outcome"], **told}
            del values["outcome"], values["key"]
            if not found.is_open:
                if all(getattr(found, name) == value for name, value in values.items()):
                    return
                raise CampaignError(
                    f"{what}: got outcome {outcome}, charge {charge:.4g}, but it was settled before"
                    f" as {found.state}, charge {found.charge:.4g}; an attempt is settled once"
                )
            if told["charge"] > found.cost * (1 + ROUNDING):
                raise CampaignError(
                    f"{what}: charge: got {charge:.6g} FLOPs, expected at most the"
                    f" {found.cost:.6g} reserved; reserve the whole cost of an attempt"
                )
            _update(change, found, values)
            change.tell("settled", told)

    def attempts(self, name: str, open_only: bool = False) -> list[Attempt]:
        """Return attempts, in the order in which they were reserved.

        Parameters
        ----------
        name : str
            Campaign.
        open_only : bool
            Only those that are under way: reserved or submitted.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        with self.reading(name) as (connection, campaign):
            found = attempts_of(connection, campaign)
        return [attempt for attempt in found if attempt.is_open or not open_only]


_SELECT = (
    select(
        attempts,
        runs.c.run.label("name"),
        *(runs.c[name] for name in IDENTITY),
        rounds.c.number.label("round_number"),
    )
    .join(runs, attempts.c.run == runs.c.id)
    .join(rounds, attempts.c.round == rounds.c.id)
)


def attempts_of(connection: Connection, campaign: int) -> list[Attempt]:
    """Return the attempts of a campaign, in the order in which they were reserved."""
    query = _SELECT.where(runs.c.campaign == campaign).order_by(attempts.c.id)
    return [_attempt(row) for row in connection.execute(query)]


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        key=_key(row.name, row.number),
        run=row.name,
        number=row.number,
        round=row.round_number,
        size=row.size,
        domain=row.domain,
        ratio=row.ratio,
        seed=row.seed,
        tokens=row.tokens,
        checkpoints=tuple(row.checkpoints),
        until=row.until,
        cost=row.cost,
        state=row.state,
        runner=row.runner,
        handle=row.handle,
        beats=row.beats,
        reached_tokens=row.reached_tokens,
        charge=row.charge,
        exit_code=row.exit_code,
        reason=row.reason,
    )


def _key(run: str, number: int) -> str:
    return f"{run}-{number}"


def _find(connection: Connection, campaign: int, name: str, key: str) -> Attempt:
    run, _, number = key.rpartition("-")
    row = connection.execute(
        _SELECT.where(
            runs.c.campaign == campaign,
            runs.c.run == run,
            attempts.c.number == (int(number) if number.isdecimal() else -1),
        )
    ).one_or_none()
    if row is None:
        raise CampaignError(f"campaign {name}: got attempt {key!r}, expected one of this campaign")
    return _attempt(row)


def _update(change: Change, attempt: Attempt, values: Mapping[str, Any]) -> None:
    run = (
        select(runs.c.id)
        .where(runs.c.campaign == change.campaign, runs.c.run == attempt.run)
        .scalar_subquery()
    )
    change.connection.execute(
        update(attempts)
        .where(attempts.c.run == run, attempts.c.number == attempt.number)
        .values(**values)
    )


def _afford(change: Change, costs: Sequence[float]) -> None:
    budget = budget_of(change.connection, change.campaign, change.budget)
    if sum(costs, budget.spent + budget.reserved) > budget.total * (1 + ROUNDING):
        raise BudgetError(
            f"campaign {change.name}: budget: got {sum(costs):.4g} FLOPs to reserve, expected at"
            f" most {budget.left:.4g}: {budget.total:.4g} allowed, {budget.spent:.4g} spent,"
            f" {budget.reserved:.4g} reserved; allow more, or choose cheaper probes"
        )


def _insert(change: Change, round_id: int, round: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """Insert an attempt, and its run where that is new; return what the ledger is told."""
    connection = change.connection
    identity = {name: row[name] for name in IDENTITY}
    found = connection.execute(
        select(runs).where(runs.c.campaign == change.campaign, runs.c.run == row["run"])
    ).one_or_none()
    if found is None:
        key = connection.scalar(
            insert(runs)
            .values(campaign=change.campaign, run=row["run"], source=None, about={}, **identity)
            .returning(runs.c.id)
        )
        number = 1
    else:
        key = found.id
        _same(change.name, found, identity)
        last = connection.execute(
            select(attempts.c.number, attempts.c.state)
            .where(attempts.c.run == key)
            .order_by(attempts.c.number.desc())
        ).first()
        if last is not None and last.state in OPEN:
            raise CampaignError(
                f"campaign {change.name}: run {row['run']}: attempt {_key(row['run'], last.number)}"
                f" is {last.state} still; settle it before another begins"
            )
        number = 1 if last is None else last.number + 1
    more = {name: row[name] for name in ("checkpoints", "until", "cost")}
    connection.execute(
        insert(attempts).values(
            run=key, number=number, round=round_id, state="reserved", beats=0, reason="", **more
        )
    )
    return {"key": _key(row["run"], number), "number": number, **row}


def _same(name: str, found: Row[Any], identity: Mapping[str, Any]) -> None:
    where = f"campaign {name}: run {found.run}"
    if found.source is not None:
        raise CampaignError(
            f"{where}: was made elsewhere ({found.source}) and added; choose another name or seed"
        )
    for what, value in identity.items():
        if getattr(found, what) != value:
            raise CampaignError(
                f"{where}: {what}: got {value!r}, expected {getattr(found, what)!r} as before; a"
                " run with another identity needs another name"
            )


def _checked(new: NewAttempt, where: str) -> dict[str, Any]:
    tokens = whole(new.tokens, f"{where}: tokens", least=1)
    until = whole(new.until, f"{where}: until", least=1)
    if until > tokens:
        raise CampaignError(
            f"{where}: until: got {until}, expected at most the {tokens} tokens planned"
        )
    return {
        "run": label(new.run, "run"),
        "size": finite(new.size, f"{where}: size", least=0.0),
        "domain": label(new.domain, f"{where}: domain"),
        "ratio": finite(new.ratio, f"{where}: ratio", least=0.0, most=1.0),
        "seed": whole(new.seed, f"{where}: seed"),
        "tokens": tokens,
        "checkpoints": [whole(at, f"{where}: checkpoints") for at in new.checkpoints],
        "until": until,
        "cost": finite(new.cost, f"{where}: cost", least=0.0),
    }
