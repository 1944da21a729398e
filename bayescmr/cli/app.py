"""The application: its commands, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from bayescmr import __version__
from bayescmr.cli.campaign import campaign_app
from bayescmr.cli.check import check_app
from bayescmr.cli.cmr import cmr_command
from bayescmr.cli.compare import compare_command
from bayescmr.cli.demo import demo_command
from bayescmr.cli.doctor import doctor_command
from bayescmr.cli.exits import INTERRUPTED, MEANINGS, WRONG_INPUT
from bayescmr.cli.fit import fit_command
from bayescmr.cli.import_logs import import_command
from bayescmr.cli.models import models_app
from bayescmr.cli.plan import plan_command
from bayescmr.cli.probe import probe_app
from bayescmr.cli.report import report_command
from bayescmr.errors import BayesCMRError

app = typer.Typer(
    name="bayescmr",
    rich_markup_mode="rich",
    epilog="Exit codes: "
    + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items())
    + ".",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo_command)
app.command("fit")(fit_command)
app.command("cmr")(cmr_command)
app.command("compare")(compare_command)
app.command("report")(report_command)
app.command("plan")(plan_command)
app.command("import")(import_command)
app.add_typer(campaign_app, name="campaign")
app.add_typer(check_app, name="check")
app.add_typer(models_app, name="models")
app.add_typer(probe_app, name="probe")
app.command("doctor")(doctor_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bayescmr {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _bayescmr(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Posterior of the critical mixture ratio of continued pre-training.

    How large may the domain share be before general ability is hurt, and how sure are we?

    [bold]Examples[/bold]

      bayescmr demo --out demo

      bayescmr fit runs.csv --seed 1 --out posterior.nc

      bayescmr cmr posterior.nc --size 3.1e9 --domain finance --tokens 20e9

      bayescmr --install-completion
    """
    if ctx.invoked_subcommand is None:
        text = ctx.get_help()
        if text:
            typer.echo(text)
        raise typer.Exit(WRONG_INPUT)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every problem is a line on stderr."""
    command = typer.main.get_command(app)
    try:
        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="bayescmr",
            standalone_mode=False,
        )
    except BayesCMRError as error:
        return _fail(str(error))
    except typer.TyperException as error:
        return _fail(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone (`bayescmr models | head`): nothing is left to say, or to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int = WRONG_INPUT) -> int:
    for line in message.splitlines():
        print(f"bayescmr: {line}", file=sys.stderr)
    return code


def _usage(error: typer.TyperException) -> str:
    """One line of a usage error: option, what was got, what was expected."""
    where = getattr(getattr(error, "ctx", None), "command_path", "bayescmr")
    hint = f"; `{where} --help` shows examples"
    if isinstance(error, typer.BadParameter) and error.param is not None:
        name = error.param.opts[0]
        if not name.startswith("-"):
            name = error.param.metavar or name.upper()
        if type(error) is not typer.BadParameter:
            return f"{name}: missing{hint}"
        return f"{name}: {error.message}"
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{text.rstrip('.') or 'no command given'}{hint}"
