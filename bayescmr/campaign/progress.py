"""Where a campaign's runs stand, told from its store alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pandas as pd

from bayescmr.campaign.config import Config
from bayescmr.campaign.records import Attempt, Event, RoundRow
from bayescmr.planning.space import Made
from bayescmr.runners.contract import REACHED

#: Outcomes after which a run may be tried again.
_AGAIN = ("failed", "lost")


def runs_made(config: Config, attempts: Sequence[Attempt], table: pd.DataFrame) -> list[Made]:
    """Tell every run of a campaign, those that were added among them.

    Parameters
    ----------
    config : Config
        Gives the number of attempts.
    attempts : sequence of Attempt
        All of the campaign, in the order in which they were reserved.
    table : DataFrame
        Its run table.

    Returns
    -------
    list of Made
        A run is open unless it diverged, was given up, or is at its full length.
    """
    # A run that failed has a row without any loss, which says how far it was to go.
    losses = [str(name) for name in table if str(name).startswith(("loss", "change"))]
    measured = table[table[losses].notna().any(axis=1)].groupby("run")["tokens"].max().to_dict()
    by_run: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_run[attempt.run].append(attempt)
    found = []
    for run, tried in by_run.items():
        last = tried[-1]
        reached = float(measured.get(run, 0))
        found.append(
            Made(
                run=run,
                size=last.size,
                domain=last.domain,
                ratio=last.ratio,
                seed=last.seed,
                reached=reached,
                open=reached < last.tokens and not is_given_up(tried, config.attempts),
                until=float(last.until) if last.is_open else None,
            )
        )
    if len(table):
        added = table[~table["run"].isin(by_run)].groupby("run", sort=False)
        found += [
            Made(
                run=str(run),
                size=float(rows["size"].iloc[0]),
                domain=str(rows["domain"].iloc[0]),
                ratio=float(rows["ratio"].iloc[0]),
                # Not one of ours, so that its seed is nobody's.
                seed=None,
                reached=float(rows["tokens"].max()),
                open=False,
            )
            for run, rows in added
        ]
    return found


def is_given_up(tried: Sequence[Attempt], limit: int) -> bool:
    """Whether a run is not tried again: it diverged, failed too often, or broke the contract.

    Parameters
    ----------
    tried : sequence of Attempt
        All attempts of one run, in order.
    limit : int
        Failures in a row after which it is given up.
    """
    states = [attempt.state for attempt in tried]
    if "diverged" in states:
        return True
    # The command said that all is well and its losses say otherwise: it would say so again.
    broken = tried[-1].state == "failed" and tried[-1].exit_code == REACHED
    return broken or failures_in_a_row(tried) >= limit


def failures_in_a_row(tried: Sequence[Attempt]) -> int:
    """Failed or lost attempts since the last that was not."""
    ended = [attempt for attempt in tried if not attempt.is_open]
    count = 0
    for attempt in reversed(ended):
        if attempt.state not in _AGAIN:
            break
        count += 1
    return count


def settled_since_resumed(events: Sequence[Event]) -> set[str]:
    """Keys of the attempts that were settled since a person last said "go on"."""
    found: set[str] = set()
    for event in events:
        if event.kind == "state" and event.content["state"] == "running":
            found.clear()
        elif event.kind == "settled":
            found.add(event.content["key"])
    return found


def asked_to_pause(rounds: Sequence[RoundRow]) -> set[str]:
    """Keys of all attempts that any round has asked to pause."""
    return {key for row in rounds for key in row.decision.get("pause", ())}
