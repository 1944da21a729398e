"""``bayescmr plan``: which runs to make next, what they would tell, and why these."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import naming_options, number, whole
from bayescmr.cli.output import print_json, screen, warn
from bayescmr.cli.question import (
    Base,
    Domain,
    EstimandOption,
    PosteriorFile,
    Prob,
    Question,
    Risk,
    SetTolerance,
    Size,
    Tokens,
    Tolerance,
    ToleranceUnit,
)

if TYPE_CHECKING:
    from bayescmr.cmr import Estimand
    from bayescmr.planning.advice import Advice
    from bayescmr.posterior import Posterior

_OPTIONS = {"exploration share": "--exploration"} | {
    name: f"--{name}" for name in ("budget", "batch", "width", "space")
}


def plan_command(
    posterior_file: PosteriorFile,
    space: Annotated[
        Path,
        typer.Option("--space", metavar="FILE.yaml", help="Runs that could be made; see the docs."),
    ],
    size: Size,
    domain: Domain,
    tokens: Tokens,
    tolerance: Tolerance = None,
    set_tolerance: SetTolerance = None,
    tolerance_unit: ToleranceUnit = "nats",
    base: Base = None,
    estimand: EstimandOption = "tolerance",
    risk: Risk = 0.1,
    prob: Prob = 0.9,
    width: Annotated[
        float | None,
        typer.Option(
            "--width",
            parser=number("0.05"),
            help="Width of the interval that is enough: 0.05 is 5 points. Gives a forecast.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", parser=number("1e18"), help="FLOPs that are left; default: any."),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", parser=whole(1, 10**4), help="Runs to propose.")
    ] = 1,
    exploration: Annotated[
        float,
        typer.Option(
            "--exploration",
            parser=number("0.1"),
            help="Probability of not simply taking the best run.",
        ),
    ] = 0.0,
    may_extend: Annotated[
        bool,
        typer.Option(
            "--may-extend", help="Runs of the table are still at hand, and can be gone on with."
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Same seed, same plan.")
    ] = 1,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which runs are worth most for their cost, and what they would do to the answer.

    Runs of the fitted table count as made. Nothing is trained or fitted; `bayescmr campaign run`
    does both until the answer is certain enough. The exit code is 3 if the draws have not
    converged.

    [bold]Examples[/bold]

      bayescmr plan posterior.nc --space space.yaml --size 3.1e9 --domain finance --tokens 20e9

      bayescmr plan fit.nc --space space.yaml --size 7e9 --domain finance --tokens 2e10 --width 0.05

      bayescmr plan fit.nc --space space.yaml --size 7e9 --domain finance --tokens 2e10 --json
    """
    from bayescmr.cli.plan_output import plan_dict, print_plan
    from bayescmr.planning.read_space import read_space
    from bayescmr.posterior import load

    question = Question(size, domain, tokens, tolerance, set_tolerance, tolerance_unit, base)
    with naming_options(_OPTIONS), question.naming_options():
        target = question.target()
        offered = read_space(space, domain)
        posterior = cast("Posterior", load(posterior_file))
        from bayescmr.planning.plan import plan

        advice = plan(
            posterior,
            target,
            offered,
            estimand=cast("Estimand", estimand),
            risk=risk,
            prob=prob,
            width=width,
            budget=math.inf if budget is None else budget,
            batch=batch,
            exploration=exploration,
            may_extend=may_extend,
            seed=seed,
        )
    if posterior.kind == "prior":
        warn("these draws come from the prior: no run has been learnt from")
    if may_extend and "seed" not in posterior.frame:
        warn("--may-extend: the table has no column seed, so no run can be gone on with")
    if json_mode:
        print_json(plan_dict(posterior, advice))
    else:
        print_plan(screen(), posterior, advice)
    _fail_unless_converged(posterior, advice)


def _fail_unless_converged(posterior: Posterior, advice: Advice) -> None:
    problems = [*posterior.verdict.problems, *advice.cmr.verdict.problems]
    for problem in dict.fromkeys(problems):
        warn(f"NOT CONVERGED, do not rely on this plan: {problem}")
    if problems:
        raise typer.Exit(NOT_CONVERGED)
