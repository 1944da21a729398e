"""``bayescmr check influence``: what the answer would be without each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import output_file
from bayescmr.cli.output import new_table, print_json, print_shift, screen, warn
from bayescmr.cli.question import (
    Base,
    Domain,
    EstimandOption,
    PosteriorFile,
    Prob,
    Question,
    ResultFile,
    Risk,
    SetTolerance,
    Size,
    Tokens,
    Tolerance,
    ToleranceUnit,
    warn_of_domain,
)
from bayescmr.cli.steps import telling_steps
from bayescmr.words import percent, percent_down

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.checks.influence import Influence
    from bayescmr.cmr import Estimand


def influence_command(
    posterior_file: PosteriorFile,
    size: Size,
    domain: Domain,
    tokens: Tokens,
    tolerance: Tolerance = None,
    set_tolerance: SetTolerance = None,
    tolerance_unit: ToleranceUnit = "nats",
    base: Base = None,
    risk: Risk = 0.1,
    estimand: EstimandOption = "tolerance",
    prob: Prob = 0.9,
    out: ResultFile = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask which runs the answer rests on: the CMR and the decision without each run in turn.

    Draws are re-weighted; where the weights are unreliable, the model is fitted again without the
    run. PASS: no run moves median or decision by more than a posterior sd of the CMR. The exit code
    is 3 if the draws have not converged.

    [bold]Examples[/bold]

      bayescmr check influence posterior.nc --size 3.1e9 --domain finance --tokens 20e9 --risk 0.1

      bayescmr check influence fit.nc --size 7e9 --domain law --tokens 20e9 --out influence.json
    """
    if out is not None:
        output_file(out, "--out", ".json")
    from bayescmr.checks.about import write_study
    from bayescmr.checks.influence import influence
    from bayescmr.posterior import load

    question = Question(size, domain, tokens, tolerance, set_tolerance, tolerance_unit, base)
    with question.naming_options():
        target = question.target()
        posterior = load(posterior_file)
        with telling_steps() as tell:
            found = influence(
                posterior,
                target,
                risk=risk,
                estimand=cast("Estimand", estimand),
                prob=prob,
                progress=tell,
            )
        converged = posterior.cmr(target).converged
    warn_of_domain(posterior, domain)
    result = found.to_dict() | {"converged": converged}
    if out is not None:
        write_study(out, result)
    if json_mode:
        print_json(result)
    else:
        _print_influence(screen(), found)
    if not converged:
        warn("NOT CONVERGED, do not rely on these numbers")
        raise typer.Exit(NOT_CONVERGED)


def _print_influence(console: Console, found: Influence) -> None:
    about = found.about
    table = new_table(
        "without run",
        "median",
        f"{100 * about.prob:g} % interval",
        f"safe at\n{100 * about.risk:g} % risk",
        "shift of\nmedian",
        "shift of\nsafe ratio",
        "k-hat",
        title=f"{about.estimand} CMR without one run, %; with all: {percent(found.median)},"
        f" safe {percent_down(found.decision)}",
    )
    for _, row in found.table.iterrows():
        table.add_row(
            str(row["run"]),
            percent(row["median"]),
            f"{percent(row['lower'])} to {percent(row['upper'])}",
            percent_down(row["decision"]),
            f"{100 * row['median_shift']:+.1f}",
            f"{100 * row['decision_shift']:+.1f}",
            f"{row['khat']:.2f}" if not row["exact"] else "refit" if row["converged"] else "FAILED",
        )
    console.print(table)
    print_shift(console, found, "no run moves the answer")
