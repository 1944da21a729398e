"""``bayescmr campaign pause | resume | stop``: what a person may do to a campaign at any time."""

from __future__ import annotations

from typing import Annotated

import typer

from bayescmr.cli.campaign_options import STORE, Name, StoreUrl
from bayescmr.cli.options import number
from bayescmr.cli.output import screen

Reason = Annotated[str, typer.Option("--reason", help="Kept in the ledger.")]


def pause_command(
    name: Name, store: StoreUrl = STORE, reason: Reason = "paused by a person"
) -> None:
    """Choose and begin no more runs until `resume`; those that have begun go on to their end.

    [bold]Example[/bold]

      bayescmr campaign pause legal --reason "the cluster is needed"
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        found.set_state(name, "paused", reason)
    screen().print(
        f"campaign {name} is paused; `bayescmr campaign resume {name}` goes on", soft_wrap=True
    )


def resume_command(
    name: Name,
    store: StoreUrl = STORE,
    budget: Annotated[
        float | None,
        typer.Option("--budget", parser=number("1e18"), help="FLOPs in all from now on."),
    ] = None,
) -> None:
    """Choose runs again, after `pause` or an end; a campaign without money needs a --budget.

    [bold]Examples[/bold]

      bayescmr campaign resume legal

      bayescmr campaign resume legal --budget 2e18
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        if budget is not None:
            found.set_budget(name, budget)
        found.set_state(name, "running")
        left = found.budget(name).left
    screen().print(
        f"campaign {name} may choose runs again, {left:.3g} FLOPs are left;"
        f" `bayescmr campaign run {name}` makes them",
        soft_wrap=True,
    )


def stop_command(
    name: Name, store: StoreUrl = STORE, reason: Reason = "stopped by a person"
) -> None:
    """End a campaign: what is under way is asked to save and end by the controller.

    [bold]Example[/bold]

      bayescmr campaign stop legal --reason "decided otherwise"
    """
    from bayescmr.campaign import open_store
    from bayescmr.campaign.records import BY_HAND

    with open_store(store, create=False) as found:
        found.set_state(name, "stopped", reason)
        left = found.attempts(name, open_only=True)
    console = screen()
    console.print(f"campaign {name} is stopped", soft_wrap=True)
    by_hand = sum(attempt.runner == BY_HAND for attempt in left)
    if by_hand:
        console.print(
            f"runs asked for and not yet told: {by_hand}; they may still be told", soft_wrap=True
        )
    if len(left) > by_hand:
        console.print(
            f"attempts under way: {len(left) - by_hand}; `bayescmr campaign run {name}`, at work"
            " already or begun again, asks them to save and settles them",
            soft_wrap=True,
        )
