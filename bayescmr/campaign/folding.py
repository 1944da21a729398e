"""A campaign as its ledger tells it: the events, one after the other, and what is wrong in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bayescmr.campaign.attempts import IDENTITY
from bayescmr.campaign.records import OPEN, ROUNDING

Told = dict[str, Any]
#: Kinds of events that only the holder of the lease may cause.
FENCED = ("round", "reserved", "submitted", "settled", "losses")


@dataclass
class Folded:
    """State of a campaign after some events.

    Parameters
    ----------
    campaign : dict
        name, config, budget, state, reason.
    rounds, runs, attempts : dict
        Rows as told, by number, name and key.
    options : dict
        Short hash of each option, by round, pick and index.
    losses : dict
        value and se, by run, tokens, role, eval_set and kind.
    token : int
        Of the last lease.
    problems : dict of str to list of str
        What the events say that cannot be: by subject (ledger, controllers, attempts, budget,
        runs, losses).
    """

    campaign: Told = field(default_factory=dict)
    rounds: dict[str, Told] = field(default_factory=dict)
    options: dict[str, Told] = field(default_factory=dict)
    runs: dict[str, Told] = field(default_factory=dict)
    attempts: dict[str, Told] = field(default_factory=dict)
    losses: dict[str, Told] = field(default_factory=dict)
    token: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)

    def problem(self, subject: str, text: str) -> None:
        """Note what cannot be."""
        self.problems.setdefault(subject, []).append(text)

    def apply(self, number: int, kind: str, content: Mapping[str, Any]) -> None:
        """Take one more event into account."""
        if kind not in _APPLY:
            self.problem("ledger", f"event {number}: unknown kind {kind!r}")
            return
        if kind in FENCED and content.get("lease") != self.token:
            self.problem(
                "controllers",
                f"event {number} ({kind}): lease {content.get('lease')}, but {self.token} held",
            )
        try:
            _APPLY[kind](self, number, content)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.problem("ledger", f"event {number} ({kind}): cannot be read ({error!r})")

    def check_budget(self, number: int) -> None:
        """Compare what is spent and reserved with the budget."""
        spent = math.fsum(one["charge"] or 0.0 for one in self.attempts.values())
        reserved = math.fsum(one["cost"] for one in self.attempts.values() if one["state"] in OPEN)
        if spent + reserved > self.campaign["budget"] * (1 + ROUNDING):
            self.problem(
                "budget",
                f"event {number}: {spent:.4g} spent and {reserved:.4g} reserved of"
                f" {self.campaign['budget']:.4g}",
            )


def _created(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    if number != 1:
        state.problem("ledger", f"event {number}: created, but it was before")
    state.campaign = {"state": "running", "reason": "", **content}


def _state(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    state.campaign |= {"state": content["state"], "reason": content["reason"]}


def _budget(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    state.campaign["budget"] = content["budget"]
    state.check_budget(number)


def _acquired(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    if content["token"] != state.token + 1:
        state.problem(
            "controllers", f"event {number}: lease {content['token']} followed {state.token}"
        )
    state.token = content["token"]


def _released(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    if content["token"] != state.token:
        state.problem(
            "controllers", f"event {number}: lease {content['token']} let go, {state.token} held"
        )


def _round(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    row = dict(content)
    picks, _ = row.pop("picks"), row.pop("lease")
    if row["number"] != len(state.rounds) + 1:
        state.problem("ledger", f"event {number}: round {row['number']} out of turn")
    state.rounds[str(row["number"])] = row
    for i, pick in enumerate(picks):
        for j, content_hash in enumerate(pick["options"]):
            key = f"{j} of pick {i} of round {row['number']}"
            state.options[key] = {"content": content_hash}


def _reserved(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    for told in content["attempts"]:
        key, run = told["key"], told["run"]
        earlier = [one for one in state.attempts.values() if one["run"] == run]
        if any(one["state"] in OPEN for one in earlier):
            state.problem("attempts", f"event {number}: {key} begun while another is under way")
        if key in state.attempts or told["number"] != len(earlier) + 1:
            state.problem("attempts", f"event {number}: {key} reserved out of turn")
        identity = {name: told[name] for name in IDENTITY}
        if state.runs.setdefault(run, {"run": run, "source": None, "about": {}, **identity}) != {
            "run": run, "source": None, "about": {}, **identity
        }:  # fmt: skip
            state.problem("runs", f"event {number}: run {run} with another identity than before")
        state.attempts[key] = {
            "run": run,
            "number": told["number"],
            "round": content["round"],
            **{name: told[name] for name in ("checkpoints", "until", "cost")},
            "state": "reserved",
            **dict.fromkeys(("runner", "handle", "reached_tokens", "charge", "exit_code")),
            "reason": "",
        }
    state.check_budget(number)


def _submitted(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    one = state.attempts.get(content["key"])
    if one is None or one["state"] != "reserved":
        now = "never reserved" if one is None else one["state"]
        state.problem("attempts", f"event {number}: {content['key']} submitted, but {now}")
        return
    one |= {"state": "submitted", "runner": content["runner"], "handle": content["handle"]}


def _settled(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    one = state.attempts.get(content["key"])
    if one is None or one["state"] not in OPEN:
        now = "never reserved" if one is None else f"settled before ({one['state']})"
        state.problem("attempts", f"event {number}: {content['key']} settled, but {now}")
        return
    if content["charge"] > one["cost"] * (1 + ROUNDING):
        state.problem(
            "budget",
            f"event {number}: {content['key']} charged {content['charge']:.4g}, more than its cost",
        )
    names = ("reached_tokens", "charge", "exit_code", "reason")
    one |= {"state": content["outcome"], **{name: content[name] for name in names}}
    state.check_budget(number)


def _losses(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    if content["run"] not in state.runs:
        state.problem("losses", f"event {number}: losses of run {content['run']}, not yet there")
    for row in content["rows"]:
        key = (
            f"of run {content['run']}: {row['kind']} on {row['eval_set']} ({row['role']}) at"
            f" {row['tokens']} tokens"
        )
        if key in state.losses:
            state.problem("losses", f"event {number}: {key}: told twice")
        state.losses[key] = {"value": row["value"], "se": row["se"]}


def _added(state: Folded, number: int, content: Mapping[str, Any]) -> None:
    for told in content["runs"]:
        row = dict(told)
        rows = row.pop("rows")
        state.runs.setdefault(row["run"], {**row, "tokens": None, "source": content["source"]})
        _losses(state, number, {"run": row["run"], "rows": rows})


_APPLY: dict[str, Callable[[Folded, int, Mapping[str, Any]], None]] = {
    "created": _created,
    "state": _state,
    "budget": _budget,
    "acquired": _acquired,
    "released": _released,
    "round": _round,
    "reserved": _reserved,
    "submitted": _submitted,
    "settled": _settled,
    "losses": _losses,
    "added": _added,
}
