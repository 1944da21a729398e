"""``bayescmr probe``: make evidence, from texts to a run table. One command per step."""

from __future__ import annotations

import typer

from bayescmr.cli.probe_base import base_command
from bayescmr.cli.probe_collect import collect_command
from bayescmr.cli.probe_corpora import corpora_command
from bayescmr.cli.probe_doctor import doctor_command
from bayescmr.cli.probe_influence import influence_command
from bayescmr.cli.probe_job import job_command
from bayescmr.cli.probe_prepare import prepare_command
from bayescmr.cli.probe_run import run_command

probe_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Make real runs that give evidence, from small models on a CPU to checkpoints on GPUs.

    [bold]Examples[/bold]

      bayescmr probe corpora general legal --out corpora

      bayescmr probe base --size 25k --general corpora/general --tokens 1M --out bases/25k
    """,
)
probe_app.command("doctor")(doctor_command)
probe_app.command("corpora")(corpora_command)
probe_app.command("prepare")(prepare_command)
probe_app.command("base")(base_command)
probe_app.command("run")(run_command)
probe_app.command("job")(job_command)
probe_app.command("collect")(collect_command)
probe_app.command("influence")(influence_command)
