"""``bayescmr campaign ask``: which runs to make next, for people who make them themselves."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescmr.cli.campaign_options import (
    STORE,
    JsonMode,
    Name,
    Patience,
    StoreUrl,
    exit_code,
    opened,
)
from bayescmr.cli.options import whole
from bayescmr.cli.output import print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bayescmr.campaign.records import Attempt

_COLUMNS = ("run", "size", "domain", "ratio", "seed", "from_tokens", "until", "checkpoints")


def ask_command(
    name: Name,
    count: Annotated[
        int,
        typer.Option(
            "-n",
            "--count",
            parser=whole(1, 10**4),
            help="Runs to ask for at most; the first, before a fit, come together.",
        ),
    ] = 1,
    store: StoreUrl = STORE,
    patience: Patience = 30.0,
    json_mode: JsonMode = False,
) -> None:
    """Ask which runs to make next; prints CSV. Tell what came of each with `tell`.

    What was asked for and not yet told counts as under way, and the next runs are chosen given
    it. Where losses have come in, the fit takes some seconds. Where the campaign has ended
    nothing is asked for, and the exit code is that of `run`.

    [bold]Examples[/bold]

      bayescmr campaign ask legal -n 4 > next.csv

      bayescmr campaign ask legal --json
    """
    with opened(store, name) as campaign:
        asked = campaign.ask(count, patience=patience)
        snapshot = campaign.snapshot()
    rows = [_row(attempt, snapshot.attempts) for attempt in asked]
    if json_mode:
        print_json(rows)
    else:
        table = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for row in rows:
            marks = " ".join(f"{mark}" for mark in row["checkpoints"])
            table.writerow({**row, "checkpoints": marks})
    if not rows:
        under_way = sum(attempt.is_open for attempt in snapshot.attempts)
        waits = f"tell first what came of the runs under way ({under_way})" if under_way else ""
        why = snapshot.reason or waits or "nothing more can be afforded"
        say(f"nothing is asked for: campaign {name} is {snapshot.state}: {why}")
    code = exit_code(snapshot)
    if code:
        raise typer.Exit(code)


def _row(attempt: Attempt, others: Sequence[Attempt]) -> dict[str, Any]:
    begun = max(
        (other.reached_tokens or 0 for other in others if other.run == attempt.run), default=0
    )
    size = int(attempt.size) if attempt.size.is_integer() else attempt.size
    marks = [mark for mark in attempt.checkpoints if begun < mark <= attempt.until]
    return {
        "run": attempt.run,
        "size": size,
        "domain": attempt.domain,
        "ratio": attempt.ratio,
        "seed": attempt.seed,
        "from_tokens": begun,
        "until": attempt.until,
        # A run that begins measures its base as well.
        "checkpoints": marks if begun else [0, *marks],
        "cost": attempt.cost,
    }
