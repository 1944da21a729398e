"""Compares the tables of a campaign with its ledger, and the ledger with itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from bayescmr.campaign import ledger
from bayescmr.campaign.folding import Folded, Told
from bayescmr.campaign.records import OPEN
from bayescmr.campaign.rounds import SUM
from bayescmr.campaign.store import Store
from bayescmr.campaign.stored import as_stored, propensities
from bayescmr.campaign.tables import campaigns, events
from bayescmr.checks.outcome import Check, judged
from bayescmr.runs.problems import counted

_SHOWN = 5
_ADVICE = (
    "do not rely on this campaign until it is clear who changed what: compare with a copy of the"
    " store from before, or with an export"
)


def audit(store: Store, name: str) -> list[Check]:
    """Check a campaign: its ledger, and every table against the ledger.

    Parameters
    ----------
    store : Store
        Where.
    name : str
        Campaign.

    Returns
    -------
    list of Check
        PASS, or FAIL naming the rows concerned. Other statuses do not occur.

    Raises
    ------
    CampaignError
        There is no such campaign, or the store cannot be read.
    """
    with store.reading(name) as (connection, campaign):
        chain, told = _folded(connection, campaign)
        tables = as_stored(connection, campaign)
        picks = _picks(propensities(connection, campaign))
    broken = told.problems
    under_way = sum(one["state"] in OPEN for one in told.attempts.values())
    made = counted(len(told.attempts), "attempt", "attempts")
    checks = [
        _check(
            "ledger whole",
            [*chain, *broken.get("ledger", ())],
            "every event follows from the one before",
            "hashes (SHA-256) chain the events",
        ),
        _check(
            "one controller at a time",
            broken.get("controllers", ()),
            f"{counted(told.token, 'lease', 'leases')}, none written to by another",
            "each event of a controller has the token of its lease",
        ),
        _check(
            "every attempt settled once",
            broken.get("attempts", ()),
            f"{made}, {under_way} of them under way",
            "nothing may be counted twice, or lost",
        ),
        _check(
            "budget never overspent",
            broken.get("budget", ()),
            "spent + reserved <= budget after every event",
            "the budget is checked in the transaction that reserves",
        ),
        _check(
            "propensities",
            picks,
            "sum to 1 in every pick; what was chosen had one above 0",
            "off-policy evaluation stands on them",
        ),
        _check(
            "no run made twice",
            [*broken.get("runs", ()), *_twice(told)],
            "one name for one identity (size, domain, ratio, seed, tokens)",
            "a run that is there need not be paid for again",
        ),
    ]
    for what, (expected, found) in _compared(told, tables).items():
        more = broken.get("losses", ()) if what == "losses" else ()
        checks.append(
            _check(
                f"{what} as told",
                [*more, *_differences(what.removesuffix("s"), expected, found)],
                f"{len(expected)} in table and ledger",
                "a table that was changed by hand differs from its ledger",
            )
        )
    return checks


def _check(name: str, problems: Iterable[str], well: str, source: str) -> Check:
    found = list(problems)
    shown = "; ".join(found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return judged(
        name,
        not found,
        value=f"{shown}{more}" if found else well,
        threshold="no difference",
        source=source,
        advice=_ADVICE,
        otherwise="FAIL",
    )


def _folded(connection: Connection, campaign: int) -> tuple[list[str], Folded]:
    """What is wrong with the chain of hashes, and what the events tell."""
    state, problems, head, last = Folded(), [], ledger.BEGINNING, 0
    for row in connection.execute(
        select(events).where(events.c.campaign == campaign).order_by(events.c.number)
    ):
        if row.number != last + 1:
            missing = f"event {last + 1}" + ("" if row.number == last + 2 else " and more")
            problems.append(f"{missing} before event {row.number}: missing")
        elif row.hash != ledger.digest(head, row.number, row.kind, row.at, row.content):
            problems.append(f"event {row.number} ({row.kind}): its hash does not fit its content")
        head, last = row.hash, row.number
        try:
            content = json.loads(row.content)
        except (TypeError, ValueError):
            content = None
        if isinstance(content, dict):
            state.apply(row.number, row.kind, content)
        else:
            problems.append(f"event {row.number} ({row.kind}): its content is no JSON")
    end = connection.execute(
        select(campaigns.c.events, campaigns.c.head).where(campaigns.c.id == campaign)
    ).one()
    if (end.events, end.head) != (last, head):
        problems.append(f"the campaign has {end.events} events, the ledger ends with {last}")
    return problems, state


def _picks(picks: Mapping[str, list[tuple[Any, Any]]]) -> list[str]:
    """What is wrong with the propensities of each pick."""
    problems = []
    for where, rows in picks.items():
        if not all(isinstance(value, float) and 0 <= value <= 1 for value, _ in rows):
            problems.append(f"{where}: a propensity outside [0, 1]")
            continue
        total = math.fsum(value for value, _ in rows)
        if abs(total - 1) > SUM:
            problems.append(f"{where}: propensities sum to {total:g}")
        chosen = [value for value, chosen in rows if chosen]
        if len(chosen) != 1:
            problems.append(f"{where}: {len(chosen)} options chosen")
        elif not chosen[0] > 0:
            problems.append(f"{where}: the chosen option has propensity 0")
    return problems


def _twice(told: Folded) -> list[str]:
    seen: dict[tuple[Any, ...], str] = {}
    problems = []
    for name, run in told.runs.items():
        if run["source"] is not None:
            continue
        identity = tuple(run[what] for what in ("size", "domain", "ratio", "seed", "tokens"))
        first = seen.setdefault(identity, name)
        if first != name:
            problems.append(f"runs {first} and {name} have the same identity")
    return problems


def _compared(
    told: Folded, tables: Mapping[str, dict[str, Told]]
) -> dict[str, tuple[dict[str, Told], dict[str, Told]]]:
    campaign = {str(told.campaign.get("name")): told.campaign}
    expected = {
        "campaign": campaign,
        "rounds": told.rounds,
        "options": told.options,
        "runs": told.runs,
        "attempts": told.attempts,
        "losses": told.losses,
    }
    return {what: (rows, tables[what]) for what, rows in expected.items()}


def _differences(what: str, told: dict[str, Told], found: dict[str, Told]) -> list[str]:
    """One phrase for each row in which table and ledger differ."""
    what = "loss" if what == "losse" else what
    problems = []
    for key in [*told, *(key for key in found if key not in told)]:
        if key not in found:
            problems.append(f"{what} {key}: told, but not in the table")
        elif key not in told:
            problems.append(f"{what} {key}: in the table, but never told")
        else:
            differing = [
                f"{column}: told {told[key].get(column)!r}, found {found[key].get(column)!r}"
                for column in sorted({*told[key], *found[key]})
                if told[key].get(column) != found[key].get(column)
            ]
            if differing:
                problems.append(f"{what} {key}: {', '.join(differing)}")
    return problems
