"""``bayescmr check sensitivity``: how far the answer depends on the prior and on the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import naming_options, number, output_file
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

    from bayescmr.checks.priors import PriorAlternatives
    from bayescmr.checks.sensitivity import Sensitivity
    from bayescmr.cmr import Estimand

_OPTIONS = {"alternatives": "--alternative", "model": "--alternative", "factor": "--widen"}


def sensitivity_command(
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
    alternative: Annotated[
        list[str] | None,
        typer.Option(
            "--alternative",
            metavar="FILE.yaml",
            help="Model with other priors to fit and ask; repeat it for several.",
        ),
    ] = None,
    widen: Annotated[
        float | None,
        typer.Option(
            "--widen",
            parser=number("2"),
            help="Fit and ask again with all priors of the law this many times as wide.",
        ),
    ] = None,
    out: ResultFile = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask how far the answer depends on the prior: by power-scaling, and by other priors.

    PASS of other priors: none moves median or decision by more than half a posterior sd of the CMR.
    The exit code is 3 if the draws have not converged.

    [bold]Examples[/bold]

      bayescmr check sensitivity posterior.nc --size 3.1e9 --domain finance --tokens 20e9

      bayescmr check sensitivity posterior.nc --size 3.1e9 --domain finance --tokens 20e9 --widen 2

      bayescmr check sensitivity fit.nc --size 7e9 --domain law --tokens 20e9 --widen 2 --out s.json
    """
    if out is not None:
        output_file(out, "--out", ".json")
    from bayescmr.checks.about import About, study_dict, write_study
    from bayescmr.checks.sensitivity import sensitivity
    from bayescmr.posterior import load

    question = Question(size, domain, tokens, tolerance, set_tolerance, tolerance_unit, base)
    with question.naming_options():
        target = question.target()
        posterior = load(posterior_file)
        about = About.of(posterior, target, risk, cast("Estimand", estimand), prob)
        found = sensitivity(posterior, target)
        others = None
        if alternative or widen is not None:
            from bayescmr.checks.priors import prior_alternatives, widen_priors
            from bayescmr.posterior.subject import one_posterior

            models: list[Any] = list(alternative or [])
            with naming_options(_OPTIONS), telling_steps() as tell:
                if widen is not None:
                    models.append(widen_priors(one_posterior(posterior).model, widen))
                others = prior_alternatives(
                    posterior,
                    target,
                    models,
                    risk=risk,
                    estimand=cast("Estimand", estimand),
                    prob=prob,
                    progress=tell,
                )
    warn_of_domain(posterior, domain)
    converged = posterior.cmr(target).converged
    result = {**found.to_dict(), "converged": converged, "alternatives": None}
    result = study_dict("sensitivity", about, result) | (others.to_dict() if others else {})
    if out is not None:
        write_study(out, result)
    if json_mode:
        print_json(result)
    else:
        _print_sensitivity(screen(), found)
        if others is not None:
            _print_alternatives(screen(), others)
    if not converged:
        warn("NOT CONVERGED, do not rely on these numbers")
        raise typer.Exit(NOT_CONVERGED)


def _print_sensitivity(console: Console, found: Sensitivity) -> None:
    # Two digits and tight columns: 80 characters of width hold it all.
    table = new_table(
        "CMR",
        "prior",
        "runs",
        "law",
        "effect sds",
        "noise",
        tight=True,
        title="Power-scaling sensitivity ± Monte Carlo error, to the prior, the runs\n"
        "and each part of the prior",
    )
    parts = ["prior", "likelihood", "law", "effect_sd", "noise"]
    for name, row in found.table.iterrows():
        table.add_row(
            str(name), *(f"{row[part]:.2f} ± {row[f'{part}_error']:.2f}" for part in parts)
        )
    console.print(table)
    console.print()
    for name, row in found.table.iterrows():
        console.print(f"{name}: {row['diagnosis']}.", markup=False)


def _print_alternatives(console: Console, found: PriorAlternatives) -> None:
    about = found.about
    table = new_table(
        "model",
        "median",
        f"{100 * about.prob:g} % interval",
        f"safe at\n{100 * about.risk:g} % risk",
        "shift of\nmedian",
        "shift of\nsafe ratio",
        title="CMR under other priors, %",
    )
    for name, row in found.table.iterrows():
        table.add_row(
            str(name) if row["converged"] else f"{name} (NOT CONVERGED)",
            percent(row["median"]),
            f"{percent(row['lower'])} to {percent(row['upper'])}",
            percent_down(row["decision"]),
            f"{100 * row['median_shift']:+.1f}",
            f"{100 * row['decision_shift']:+.1f}",
        )
    console.print()
    console.print(table)
    print_shift(console, found, "no other prior moves the answer")
