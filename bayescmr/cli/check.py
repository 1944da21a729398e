"""``bayescmr check``: may the answer be trusted? One command per check."""

from __future__ import annotations

import typer

from bayescmr.cli.check_data import data_command
from bayescmr.cli.check_influence import influence_command
from bayescmr.cli.check_sbc import sbc_command
from bayescmr.cli.check_sensitivity import sensitivity_command

check_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Check a design, an answer, or the calibration of a model.

    [bold]Examples[/bold]

      bayescmr check data runs.csv

      bayescmr check sensitivity posterior.nc --size 3.1e9 --domain finance --tokens 20e9
    """,
)
check_app.command("data")(data_command)
check_app.command("influence")(influence_command)
check_app.command("sensitivity")(sensitivity_command)
check_app.command("sbc")(sbc_command)
