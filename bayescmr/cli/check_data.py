"""``bayescmr check data``: what is wrong or weak in a design, before any fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.exits import FAILED
from bayescmr.cli.options import Model, naming_options, number
from bayescmr.cli.output import print_checks, print_json, screen
from bayescmr.cli.question import Question, Tolerance
from bayescmr.errors import TargetError

if TYPE_CHECKING:
    from bayescmr.cmr import Target
    from bayescmr.runs import RunTable

_TOLERANCE = 0.05


def data_command(
    runs_file: Annotated[
        Path,
        typer.Argument(metavar="RUNS", help="Run table: .csv, .csv.gz, .tsv, .parquet, .jsonl."),
    ],
    size: Annotated[
        float | None,
        typer.Option(
            "--size", parser=number("3.1e9"), help="Size that will be asked; needs --tokens too."
        ),
    ] = None,
    tokens: Annotated[
        float | None,
        typer.Option("--tokens", parser=number("20e9"), help="CPT tokens that will be asked."),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option("--domain", help="Domain that will be asked; default: that of the table."),
    ] = None,
    tolerance: Tolerance = None,
    model: Model = "turning_point",
    min_tokens: Annotated[
        float | None,
        typer.Option(
            "--min-tokens",
            parser=number("32000"),
            help="Leave out checkpoints before this many CPT tokens.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show what is well and what was not checked, too.")
    ] = False,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what is wrong or weak in a run table before any fit, and which run to add.

    Ratios, sizes, tokens, seeds and recipes are looked at, and the distance to the target. The
    exit code is 1 if a check says FAIL, 2 if the table cannot be read.

    [bold]Examples[/bold]

      bayescmr check data runs.csv

      bayescmr check data runs.csv --size 7e9 --tokens 20e9 --tolerance 0.02 --all

      bayescmr check data runs.csv --model shift_gain --json > design.json
    """
    from bayescmr.runs import read_runs

    with naming_options({"min_tokens": "--min-tokens"}):
        runs = read_runs(runs_file, min_tokens=min_tokens)
    from bayescmr.checks.review import design_review

    question = _question(runs, size, tokens, domain, tolerance)
    with naming_options({"model": "--model", "tolerance": "--tolerance"}):
        review = design_review(
            runs,
            question,
            tolerance=_TOLERANCE if tolerance is None else tolerance,
            model=model,
        )
    if json_mode:
        print_json(review.to_dict())
    else:
        console = screen()
        console.print(runs.describe(), markup=False, soft_wrap=True)
        console.print()
        hidden = print_checks(console, review.checks, everything=everything)
        console.print(f"{review}{f'; --all shows {hidden} more' if hidden else ''}")
    if review.status == "FAIL":
        raise typer.Exit(FAILED)


def _question(
    runs: RunTable,
    size: float | None,
    tokens: float | None,
    domain: str | None,
    tolerance: float | None,
) -> Target | None:
    """Return the target, or None where nothing of it is given."""
    if size is None and tokens is None and domain is None:
        return None
    if size is None or tokens is None:
        missing = "--size" if size is None else "--tokens"
        raise TargetError(f"{missing}: missing; a target has a size and tokens, or say neither")
    if domain is None and len(runs.domains) > 1:
        raise TargetError(f"--domain: missing, expected one, such as {', '.join(runs.domains[:5])}")
    name = runs.domains[0] if domain is None else domain
    question = Question(size, name, tokens, tolerance, None, "nats", None)
    with question.naming_options():
        return question.target()
