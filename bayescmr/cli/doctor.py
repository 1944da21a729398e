"""``bayescmr doctor``: whether this environment can fit at all, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from bayescmr.cli.exits import FAILED
from bayescmr.cli.output import STYLES, print_json, say, screen, text_table


def doctor_command(
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Import every package, and compile and run a small fit, too."
        ),
    ] = False,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine the environment: Python, packages, numba's cache, cores, memory, extras.

    Changes nothing, and prints neither names of folders in your home nor variables of the
    environment. The exit code is 1 if a check says FAIL. For devices that train probes there is
    `bayescmr probe doctor`.

    [bold]Examples[/bold]

      bayescmr doctor

      bayescmr doctor --thorough --json > doctor.json
    """
    from bayescmr import __version__
    from bayescmr.checks.environment import examine

    if thorough:
        say("importing every package, and compiling a small fit ...")
    checks = examine(thorough=thorough)
    failed = [check for check in checks if check.status == "FAIL"]
    if json_mode:
        print_json(
            {
                "version": __version__,
                "status": "FAIL" if failed else "PASS",
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        console = screen()
        table = text_table("check", "", "found", "wanted", title=f"bayescmr {__version__}")
        for check in checks:
            style = STYLES[check.status]
            table.add_row(check.name, check.status, check.value, check.threshold, style=style)
        console.print(table)
        console.print()
        for check in checks:
            if check.advice and check.status in ("FAIL", "REVIEW"):
                console.print(f"{check.name}: {check.advice}", soft_wrap=True)
        absent = [check for check in checks if check.status == "NOT RUN"]
        if absent:
            console.print("Extras that are absent, should you want them:")
            for check in absent:
                console.print(f"  {check.advice}", soft_wrap=True)
        words = f"{len(failed)} checks say FAIL" if failed else "This environment can fit."
        console.print(words, style="bold red" if failed else "green")
    if failed:
        raise typer.Exit(FAILED)
