"""``bayescmr campaign audit``: whether a campaign is as its ledger tells."""

from __future__ import annotations

from dataclasses import asdict

import typer

from bayescmr.cli.campaign_options import STORE, JsonMode, Name, StoreUrl
from bayescmr.cli.exits import FAILED
from bayescmr.cli.output import print_checks, print_json, screen


def audit_command(name: Name, store: StoreUrl = STORE, json_mode: JsonMode = False) -> None:
    """Compare a campaign with its ledger: nothing lost, counted twice, overspent or edited.

    The exit code is 1 if a check says FAIL.

    [bold]Example[/bold]

      bayescmr campaign audit legal
    """
    from bayescmr.campaign import open_store

    with open_store(store, create=False) as found:
        from bayescmr.campaign.audit import audit

        checks = audit(found, name)
    failed = [check for check in checks if check.status == "FAIL"]
    if json_mode:
        print_json(
            {
                "campaign": name,
                "status": "FAIL" if failed else "PASS",
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        console = screen()
        print_checks(console, checks, everything=True)
        words = (
            f"{len(failed)} of {len(checks)} checks say FAIL"
            if failed
            else f"campaign {name} is as its ledger tells"
        )
        console.print(words, style="bold red" if failed else "green", soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)
