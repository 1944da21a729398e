"""The page of the command line, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.cli import get_docs_for_click

from bayescmr.cli.app import app

_EXAMPLES = re.compile(
    r"^\[bold\]Examples?\[/bold\]\n\n((?: *\S.*\n\n?)+?)(?=\*\*Usage)", re.MULTILINE
)

#: An entry in a list of commands; names of options begin with a dash.
_SUMMARY = re.compile(r"^(\* `[a-z]\w*`: ).*$", re.MULTILINE)


def page() -> str:
    """Return Markdown of every command: what it does, examples, arguments, options."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="bayescmr")
    text = get_docs_for_click(obj=command, ctx=context, name="bayescmr", title="Commands")
    summaries = iter(list(_summaries(command)))
    text = _SUMMARY.sub(lambda match: f"{match[1]}{next(summaries)}", text)
    return _EXAMPLES.sub(_fenced, text)


def _summaries(group: typer.core.TyperGroup) -> Iterator[str]:
    """Yield what each command is for, group by group: typer cuts these after 45 letters."""
    below = [command for command in group.commands.values() if not command.hidden]
    for command in below:
        yield (command.help or "").split("\n\n")[0].replace("\n", " ")
    for command in below:
        if isinstance(command, typer.core.TyperGroup):
            yield from _summaries(command)


def _fenced(match: re.Match[str]) -> str:
    lines = "\n".join(line.strip() for line in match[1].splitlines() if line.strip())
    return f"**Examples**:\n\n```console\n{lines}\n```\n\n"
