"""Tables as they are, whatever somebody has put there by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, Connection, Integer, Table, Text, cast, select

from bayescmr.campaign.folding import Told
from bayescmr.campaign.rounds import fingerprint
from bayescmr.campaign.tables import attempts, campaigns, losses, options, rounds, runs


def _plain(table: Table, names: Sequence[str]) -> list[Any]:
    """Columns as they are in the table, whatever somebody has put there."""
    columns: list[Any] = []
    for name in names:
        column = table.c[name]
        if isinstance(column.type, JSON):
            columns.append(cast(column, Text).label(name))
        elif isinstance(column.type, Boolean):
            columns.append(cast(column, Integer).label(name))
        else:
            columns.append(column)
    return columns


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _row(table: Table, row: Any, names: Sequence[str]) -> Told:
    found = {name: getattr(row, name) for name in names}
    for name in names:
        if isinstance(table.c[name].type, JSON) and found[name] is not None:
            found[name] = _parsed(found[name])
    return found


_CAMPAIGN = ("name", "config", "budget", "state", "reason")
_ROUND = (
    "number", "fingerprint", "posterior", "seed", "policy", "software", "spent", "forecast",
    "decision",
)  # fmt: skip
_OPTION = ("parts", "score", "value", "cost", "propensity", "diagnostics", "chosen")
_RUN = ("run", "size", "domain", "ratio", "seed", "tokens", "source", "about")
_ATTEMPT = (
    "number", "checkpoints", "until", "cost", "state", "runner", "handle", "reached_tokens",
    "charge", "exit_code", "reason",
)  # fmt: skip


def as_stored(connection: Connection, campaign: int) -> dict[str, dict[str, Told]]:
    """Return the rows of each table, by the names that the ledger has for them.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    campaign : int
        Key of the campaign.
    """
    named = connection.execute(
        select(*_plain(campaigns, _CAMPAIGN)).where(campaigns.c.id == campaign)
    ).one()
    found: dict[str, dict[str, Told]] = {
        "campaign": {named.name: _row(campaigns, named, _CAMPAIGN)},
        "rounds": {},
        "options": {},
        "runs": {},
        "attempts": {},
        "losses": {},
    }
    for row in connection.execute(
        select(*_plain(rounds, _ROUND)).where(rounds.c.campaign == campaign)
    ):
        found["rounds"][str(row.number)] = _row(rounds, row, _ROUND)
    for row in connection.execute(
        select(rounds.c.number, options.c.pick, options.c.option, *_plain(options, _OPTION))
        .join(rounds)
        .where(rounds.c.campaign == campaign)
    ):
        key = f"{row.option} of pick {row.pick} of round {row.number}"
        found["options"][key] = {"content": _fingerprint(_row(options, row, _OPTION))}
    for row in connection.execute(select(*_plain(runs, _RUN)).where(runs.c.campaign == campaign)):
        found["runs"][row.run] = _row(runs, row, _RUN)
    for row in connection.execute(
        select(runs.c.run, rounds.c.number.label("of_round"), *_plain(attempts, _ATTEMPT))
        .join(runs, attempts.c.run == runs.c.id)
        .join(rounds, attempts.c.round == rounds.c.id)
        .where(runs.c.campaign == campaign)
    ):
        one = {"run": row.run, "round": row.of_round, **_row(attempts, row, _ATTEMPT)}
        found["attempts"][f"{row.run}-{row.number}"] = one
    for row in connection.execute(
        select(losses, runs.c.run.label("of_run")).join(runs).where(runs.c.campaign == campaign)
    ):
        key = (
            f"of run {row.of_run}: {row.kind} on {row.eval_set} ({row.role}) at {row.tokens} tokens"
        )
        found["losses"][key] = {"value": row.value, "se": row.se}
    return found


def _fingerprint(option: Told) -> str:
    try:
        return fingerprint(option)
    except (TypeError, ValueError):
        return "no option"


def propensities(connection: Connection, campaign: int) -> dict[str, list[tuple[Any, Any]]]:
    """Return the propensity of each option, and whether it was chosen, by pick."""
    picks: dict[str, list[tuple[Any, Any]]] = {}
    for row in connection.execute(
        select(rounds.c.number, options.c.pick, *_plain(options, ("propensity", "chosen")))
        .join(rounds)
        .where(rounds.c.campaign == campaign)
        .order_by(rounds.c.number, options.c.pick, options.c.option)
    ):
        of = picks.setdefault(f"pick {row.pick} of round {row.number}", [])
        of.append((row.propensity, row.chosen))
    return picks
