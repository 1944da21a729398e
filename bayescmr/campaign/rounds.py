"""Rounds: fits, what was decided on them, and every option that was looked at."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, insert, select

from bayescmr.campaign.checked import canonical, finite, label, mapping, whole
from bayescmr.campaign.lease import Lease
from bayescmr.campaign.ledger import changing, now
from bayescmr.campaign.part import StorePart
from bayescmr.campaign.records import OptionRecord, Part, PickRecord, RoundRecord, RoundRow
from bayescmr.campaign.tables import options, rounds
from bayescmr.errors import CampaignError

#: By how much propensities may miss a sum of 1: rounding of some thousand of them.
SUM = 1e-6
#: Columns of a table of options, behind the number of the round.
_COLUMNS = (
    "pick", "option", "chosen", "score", "value", "cost", "propensity", "parts", "diagnostics",
)  # fmt: skip
#: Columns of an option whose content its fingerprint covers.
_CONTENT = ("parts", "score", "value", "cost", "propensity", "diagnostics", "chosen")


class Rounds(StorePart):
    """Part of `Store`: rounds, which are written once and never changed."""

    def add_round(self, name: str, lease: Lease, record: RoundRecord) -> int:
        """Record a fit, all options with their propensities, and the decision.

        Parameters
        ----------
        name : str
            Campaign.
        lease : Lease
            Of the controller.
        record : RoundRecord
            The round; its number is one more than that of the last.

        Returns
        -------
        int
            Its number.

        Raises
        ------
        CampaignError
            The number does not follow, propensities do not sum to 1, or what was chosen could
            not have been.
        """
        where = f"campaign {name}: round {record.number}"
        row = _row(record, where)
        picks = [_pick(pick, f"{where}, pick {i}") for i, pick in enumerate(record.picks)]
        with changing(self._database, name, lease) as change:
            connection = change.connection
            last = connection.scalar(
                select(func.max(rounds.c.number)).where(rounds.c.campaign == change.campaign)
            )
            if row["number"] != (last or 0) + 1:
                raise CampaignError(
                    f"{where}: got number {record.number}, expected {(last or 0) + 1}, one more"
                    " than the last; read the rounds again"
                )
            key = connection.scalar(
                insert(rounds)
                .values(campaign=change.campaign, created=now(), **row)
                .returning(rounds.c.id)
            )
            rows = [
                {"round": key, "pick": i, "option": j, **option}
                for i, pick in enumerate(picks)
                for j, option in enumerate(pick)
            ]
            if rows:
                connection.execute(insert(options), rows)
            told = [
                {"chosen": record.picks[i].chosen, "options": [fingerprint(o) for o in pick]}
                for i, pick in enumerate(picks)
            ]
            change.tell("round", {**row, "picks": told})
        return int(record.number)

    def rounds(self, name: str) -> list[RoundRow]:
        """Return the rounds of a campaign, the first first, with what was chosen in each.

        Raises
        ------
        CampaignError
            There is no such campaign.
        """
        with self.reading(name) as (connection, campaign):
            return rounds_of(connection, campaign)

    def options(self, name: str, round: int) -> pd.DataFrame:
        """Return all options of a round, with propensities.

        Parameters
        ----------
        name : str
            Campaign.
        round : int
            Number of the round.

        Returns
        -------
        DataFrame
            One row per option and pick: round, pick, option, chosen, score, value, cost (FLOPs),
            propensity, parts (list of dict, see `Part`), diagnostics (dict).

        Raises
        ------
        CampaignError
            There is no such campaign or round.
        """
        with self.reading(name) as (connection, campaign):
            round_key(connection, campaign, name, round)
            return options_of(connection, campaign, round)


def rounds_of(connection: Connection, campaign: int) -> list[RoundRow]:
    """Return the rounds of a campaign, the first first."""
    rows = connection.execute(
        select(rounds).where(rounds.c.campaign == campaign).order_by(rounds.c.number)
    ).all()
    chosen: dict[int, list[OptionRecord]] = {row.id: [] for row in rows}
    for option in connection.execute(
        select(options)
        .join(rounds)
        .where(rounds.c.campaign == campaign, options.c.chosen)
        .order_by(options.c.round, options.c.pick)
    ):
        chosen[option.round].append(
            OptionRecord(
                tuple(Part(**part) for part in option.parts),
                option.score,
                option.value,
                option.cost,
                option.propensity,
                option.diagnostics,
            )
        )
    return [
        RoundRow(
            number=row.number,
            fingerprint=row.fingerprint,
            posterior=row.posterior,
            seed=row.seed,
            policy=row.policy,
            software=row.software,
            spent=row.spent,
            forecast=row.forecast,
            decision=row.decision,
            chosen=tuple(chosen[row.id]),
            created=row.created,
        )
        for row in rows
    ]


def options_of(connection: Connection, campaign: int, number: int | None = None) -> pd.DataFrame:
    """Return the options of one round of a campaign, or of all, see `Rounds.options`."""
    columns = [rounds.c.number.label("round"), *(options.c[name] for name in _COLUMNS)]
    query = select(*columns).join(rounds).where(rounds.c.campaign == campaign)
    if number is not None:
        query = query.where(rounds.c.number == number)
    query = query.order_by(rounds.c.number, options.c.pick, options.c.option)
    rows = [tuple(row) for row in connection.execute(query)]
    return pd.DataFrame(rows, columns=["round", *_COLUMNS])


def round_key(connection: Connection, campaign: int, name: str, number: int) -> int:
    """Return the key of a round.

    Raises
    ------
    CampaignError
        There is none of that number.
    """
    key = connection.scalar(
        select(rounds.c.id).where(rounds.c.campaign == campaign, rounds.c.number == number)
    )
    if key is None:
        raise CampaignError(
            f"campaign {name}: got round {number!r}, expected the number of a recorded round"
        )
    return key


def fingerprint(option: dict[str, Any]) -> str:
    """Return a short hash of the content of an option: enough to notice that it was changed."""
    content = {name: option[name] for name in _CONTENT}
    # -inf is no JSON.
    content["score"] = repr(float(option["score"]))
    content["chosen"] = bool(option["chosen"])
    return hashlib.sha256(canonical(content, "option").encode()).hexdigest()[:16]


def _row(record: RoundRecord, where: str) -> dict[str, Any]:
    forecast = record.forecast
    return {
        "number": whole(record.number, f"{where}: number", least=1),
        "fingerprint": label(record.fingerprint, f"{where}: fingerprint"),
        "posterior": mapping(record.posterior, f"{where}: posterior"),
        "seed": whole(record.seed, f"{where}: seed"),
        "policy": label(record.policy, f"{where}: policy"),
        "software": label(record.software, f"{where}: software"),
        "spent": finite(record.spent, f"{where}: spent", least=0.0),
        "forecast": None if forecast is None else finite(forecast, f"{where}: forecast", least=0.0),
        "decision": mapping(record.decision, f"{where}: decision"),
    }


def _pick(pick: PickRecord, where: str) -> list[dict[str, Any]]:
    """Rows of the options of a pick, checked."""
    total = math.fsum(float(option.propensity) for option in pick.options)
    if not abs(total - 1) <= SUM:
        raise CampaignError(f"{where}: propensities sum to {total:g}, expected 1")
    chosen = whole(pick.chosen, f"{where}: chosen")
    if not chosen < len(pick.options):
        raise CampaignError(
            f"{where}: chosen: got {chosen}, expected less than {len(pick.options)} options"
        )
    if not pick.options[chosen].propensity > 0:
        raise CampaignError(f"{where}: the chosen option has propensity 0, expected more")
    return [
        _option(option, i == chosen, f"{where}, option {i}")
        for i, option in enumerate(pick.options)
    ]


def _option(option: OptionRecord, chosen: bool, where: str) -> dict[str, Any]:
    score = float(option.score)
    if math.isnan(score) or score == math.inf:
        raise CampaignError(f"{where}: score: got {score}, expected a number or -inf")
    numbers = {
        name: None if value is None or not math.isfinite(value) else float(value)
        for name, value in option.diagnostics.items()
    }
    return {
        "parts": [_part(part, where) for part in option.parts],
        "score": score,
        "value": finite(option.value, f"{where}: value"),
        "cost": finite(option.cost, f"{where}: cost", least=0.0),
        "propensity": finite(option.propensity, f"{where}: propensity", least=0.0, most=1.0),
        "diagnostics": mapping(numbers, f"{where}: diagnostics"),
        "chosen": chosen,
    }


def _part(part: Part, where: str) -> dict[str, Any]:
    return asdict(
        Part(
            label(part.run, f"{where}: run"),
            finite(part.size, f"{where}: size", least=0.0),
            label(part.domain, f"{where}: domain"),
            finite(part.ratio, f"{where}: ratio", least=0.0, most=1.0),
            whole(part.seed, f"{where}: seed"),
            whole(part.until, f"{where}: until", least=1),
        )
    )
