"""``bayescmr probe job``: the command that a campaign gives for our own trainer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bayescmr.cli import probe_options as o
from bayescmr.cli.output import print_json, screen
from bayescmr.cli.probe_train import EXITS


def job_command(
    job: Annotated[
        Path, typer.Argument(metavar="JOB.json", help="Written by a campaign, or by you.")
    ],
    json_mode: o.JsonMode = False,
) -> None:
    """Make a probe, up to the tokens that a campaign asks for; losses go to losses.jsonl beside it.

    The same command goes on where it stopped, and with a larger `until` where it ended.

    [bold]Example[/bold]

      bayescmr probe job probes/0123456789ab/job.json

    Exit codes: 0 reached, 2 wrong input, 4 diverged, 75 stopped and saved: run it again.
    """
    from bayescmr.probes.commanded import run_job

    result = run_job(job)
    # Of the processes that torchrun started the first speaks for all.
    if os.environ.get("RANK", "0") == "0":
        console = screen(json_mode=json_mode)
        console.print(f"{result.status}: {result.folder}", soft_wrap=True)
        if json_mode:
            print_json({"status": result.status, "run": result.run, "folder": str(result.folder)})
    if result.status in EXITS:
        raise typer.Exit(EXITS[result.status])
