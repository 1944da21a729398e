"""``bayescmr probe``: make evidence, from texts to a run table. One command per step."""

from __future__ import annotations

import typer

from bayescmr.cli.probe_corpora import corpora_command
from bayescmr.cli.probe_prepare import prepare_command

probe_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Continue the pre-training of small models on real mixtures, and get a run table.",
)
probe_app.command("corpora")(corpora_command)
probe_app.command("prepare")(prepare_command)
