"""``bayescmr campaign list``: the campaigns of a store."""

from __future__ import annotations

from dataclasses import asdict

from bayescmr.cli.campaign_options import STORE, JsonMode, StoreUrl
from bayescmr.cli.output import new_table, print_json, screen


def list_command(store: StoreUrl = STORE, json_mode: JsonMode = False) -> None:
    """List the campaigns of a store, with what they have spent.

    [bold]Example[/bold]

      bayescmr campaign list --store campaigns.db
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        rows = [(found.campaign(name), found.budget(name)) for name in found.campaigns()]
        where = found.name
    if json_mode:
        print_json(
            [
                {"name": row.name, "state": row.state, "reason": row.reason,
                 "created": row.created, "budget": asdict(budget)}
                for row, budget in rows
            ]
        )  # fmt: skip
        return
    console = screen()
    if not rows:
        console.print(f"{where}: no campaign yet; `bayescmr campaign new FILE.yaml` makes one")
        return
    table = new_table("campaign", "state", "FLOPs spent", "budget", "made")
    for row, budget in rows:
        spent = f"{budget.spent:.3g}"
        table.add_row(row.name, row.state, spent, f"{budget.total:.3g}", row.created[:16])
    console.print(table)
