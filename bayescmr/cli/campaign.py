"""``bayescmr campaign``: runs chosen one after the other, until the answer is certain enough."""

from __future__ import annotations

import typer

from bayescmr.cli.campaign_add import add_command
from bayescmr.cli.campaign_ask import ask_command
from bayescmr.cli.campaign_audit import audit_command
from bayescmr.cli.campaign_export import export_command
from bayescmr.cli.campaign_list import list_command
from bayescmr.cli.campaign_new import new_command
from bayescmr.cli.campaign_run import run_command
from bayescmr.cli.campaign_state import pause_command, resume_command, stop_command
from bayescmr.cli.campaign_status import status_command
from bayescmr.cli.campaign_tell import tell_command

campaign_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Let a posterior choose the next run, until the decision is certain enough.

    Everything is kept in one store: --store, or the variable BAYESCMR_STORE.
    Nothing is lost by a kill: the same command goes on.

    [bold]Examples[/bold]

      bayescmr campaign new campaign.yaml

      bayescmr campaign run legal

      bayescmr campaign status legal
    """,
)
campaign_app.command("new")(new_command)
campaign_app.command("run")(run_command)
campaign_app.command("status")(status_command)
campaign_app.command("list")(list_command)
campaign_app.command("add")(add_command)
campaign_app.command("ask")(ask_command)
campaign_app.command("tell")(tell_command)
campaign_app.command("pause")(pause_command)
campaign_app.command("resume")(resume_command)
campaign_app.command("stop")(stop_command)
campaign_app.command("export")(export_command)
campaign_app.command("audit")(audit_command)
