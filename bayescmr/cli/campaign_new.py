"""``bayescmr campaign new``: begin a campaign, and say what it is going to cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.campaign_options import STORE, JsonMode, StoreUrl
from bayescmr.cli.output import new_table, print_json, screen
from bayescmr.words import percent, short

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.campaign.config import Config
    from bayescmr.planning.initial import First


def new_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="What the campaign is told; see the docs.")
    ],
    store: StoreUrl = STORE,
    json_mode: JsonMode = False,
) -> None:
    """Begin a campaign: check what it is told, and keep it in the store. Nothing is run yet.

    [bold]Examples[/bold]

      bayescmr campaign new campaign.yaml

      bayescmr campaign new campaign.yaml --store postgresql+psycopg://me@db/campaigns
    """
    from bayescmr.campaign import open_store
    from bayescmr.campaign.config import read_config
    from bayescmr.campaign.first import first_runs

    # A campaign that cannot begin leaves no store behind.
    config = read_config(file)
    first = first_runs(config)
    with open_store(store) as found:
        from bayescmr.campaign.campaign import Campaign

        Campaign.new(found, config)
        name = found.name
    cost = sum(one.cost for one in first)
    if json_mode:
        print_json(
            {
                "name": config.name,
                "store": name,
                "folder": str(config.folder),
                "budget": config.budget,
                "space": config.space.whole_cost,
                "first": [
                    {**asdict(one.candidate), "until": _until(one), "cost": one.cost}
                    for one in first
                ],
                "first_cost": cost,
            }
        )
        return
    _print(screen(), config, first, name)


def _print(console: Console, config: Config, first: tuple[First, ...], store: str) -> None:
    space, budget = config.space, config.budget
    if first:
        table = new_table("first runs", "ratio, %", "seed", "tokens", "FLOPs", "of budget")
        for one in first:
            c = one.candidate
            row = short(c.size), percent(c.ratio), f"{c.seed}", short(_until(one))
            table.add_row(*row, f"{one.cost:.3g}", f"{one.cost / budget:.1%}")
        cost = sum(one.cost for one in first)
        table.add_row("together", "", "", "", f"{cost:.3g}", f"{cost / budget:.1%}", style="bold")
        console.print(table)
        console.print()
    else:
        console.print("Its run table has enough runs for a first fit.")
    console.print(
        f"The whole space, {len(space.sizes)} sizes x {len(space.ratios)} ratios x {space.seeds}"
        f" seeds at full length, costs {space.whole_cost:.3g} FLOPs; the budget is {budget:.3g},"
        f" {budget / space.whole_cost:.0%} of that."
    )
    rules = config.stop
    if rules.width is rules.regret is rules.price is None:
        console.print(
            "It has no stop rule, so it goes on until the budget is gone and is never certified;"
            " add `stop`, for example {width: 0.1}.",
        )
    console.print(f"campaign {config.name} is in {store}", soft_wrap=True)
    console.print(
        f"next: bayescmr campaign {'ask' if config.probe is None else 'run'} {config.name}",
        soft_wrap=True,
    )


def _until(first: First) -> float:
    return first.candidate.checkpoints[first.checkpoint]
