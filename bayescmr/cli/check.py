"""``bayescmr check``: checks of the package itself; one command per file."""

from __future__ import annotations

import typer

from bayescmr.cli.check_sbc import sbc_command

check_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Check the package and a fit: calibration by simulation.",
)
check_app.command("sbc")(sbc_command)


@check_app.callback()
def _check() -> None:
    """Keep ``check`` a group although it has one command."""
