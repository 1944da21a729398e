"""``bayescmr cmr``: the critical mixture ratio at one target, and the decision."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import number
from bayescmr.cli.output import new_table, print_json, screen, warn
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
    warn_of_domain,
)
from bayescmr.words import count, percent, percent_down

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.cmr import CMR, Estimand

_NAMES = {"tolerance": "tolerance", "turning_point": "turning point", "gu": "Gu et al. (both)"}


def cmr_command(
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
    lam: Annotated[
        float,
        typer.Option(
            "--lam",
            parser=number("10", infinite=True),
            help="Weight of the general loss in the Lagrangian of Gu et al.",
        ),
    ] = math.inf,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask a posterior for the critical mixture ratio, and for the ratio that is safe enough.

    Sizes, domains and budgets need not have been trained; the answer says how far they lie from
    the runs. The exit code is 3 if the draws have not converged.

    [bold]Examples[/bold]

      bayescmr cmr posterior.nc --size 3.1e9 --domain finance --tokens 20e9

      bayescmr cmr posterior.nc --size 7e9 --domain finance --tokens 20e9 --risk 0.05 --json

      bayescmr cmr posterior.nc --size 7e9 --domain law --tokens 20e9 --estimand gu
    """
    from bayescmr.posterior import load

    question = Question(size, domain, tokens, tolerance, set_tolerance, tolerance_unit, base)
    with question.naming_options():
        target = question.target()
        posterior = load(posterior_file)
        cmr = posterior.cmr(target, lam=lam)
        answer = cmr.to_dict(risk, prob, cast("Estimand", estimand))
    warn_of_domain(posterior, domain)
    if posterior.kind == "prior":
        warn("these draws come from the prior: no run has been learnt from")
    if json_mode:
        print_json(answer)
    else:
        _print_answer(screen(), cmr, risk, prob, cast("Estimand", estimand))
    if not cmr.converged:
        for problem in answer["problems"]:
            warn(f"NOT CONVERGED, do not rely on these numbers: {problem}")
        raise typer.Exit(NOT_CONVERGED)


def _print_answer(console: Console, cmr: CMR, risk: float, prob: float, estimand: Estimand) -> None:
    from bayescmr.cmr import ESTIMANDS
    from bayescmr.report.decision import tolerance_words

    target = cmr.target
    level = f"{100 * prob:g} % interval"
    table = new_table(
        "CMR, %",
        "median",
        f"{level},\nmean of runs",
        f"{level},\nnext run",
        "P(no, any\nratio)",
        f"safe at\n{100 * risk:g} % risk",
        title=f"{count(target.size)} parameters, {count(target.tokens)} tokens,"
        f" tolerance {tolerance_words(target)}\n"
        # Not in a heading: a long name would crowd out the numbers.
        f"critical mixture ratio (CMR): largest share of {target.domain}",
    )
    for name in ESTIMANDS:
        s = cmr.summary(name, prob)
        lower, upper = cmr.next_run.interval(prob, name)
        table.add_row(
            _NAMES[name],
            percent(s.median),
            f"{percent(s.lower)} to {percent(s.upper)}",
            f"{percent(lower)} to {percent(upper)}",
            f"{s.p_none:.2g}, {s.p_all:.2g}",
            percent_down(cmr.decide(risk, name)),
        )
    console.print(table)
    console.print()
    for sentence in sentences(cmr, risk, estimand):
        console.print(sentence, markup=False)
    for sentence in cmr.extrapolation.sentences:
        console.print(f"Extrapolation: {sentence}.", style="yellow", markup=False)


def sentences(cmr: CMR, risk: float, estimand: Estimand) -> list[str]:
    """Say the decision in words, and what binds.

    Parameters
    ----------
    cmr : CMR
        Answer at one target.
    risk : float
        Allowed chance of breaking the bound.
    estimand : {"tolerance", "turning_point", "gu"}
        The bound.
    """
    from bayescmr.report.decision import decision_words

    ratio = cmr.decide(risk, estimand)
    before, between = decision_words(cmr.target, ratio, risk, estimand)
    # The draws without any feasible ratio lie at 0: ask just above it.
    chance = cmr.risk_at(max(ratio, 1e-9), estimand)
    found = [f"{before}{percent_down(ratio)} %{between}{_chance(chance)}."]
    binds = cmr.p_tolerance_binds
    found.append(
        f"Of the two bounds of Gu et al., the tolerance binds with probability {binds:.2g} and the"
        f" turning point with {1 - binds:.2g}."
    )
    sets = cmr.binding(estimand)
    if len(sets) > 1:
        shares = ", ".join(f"{name} {_chance(share)}" for name, share in sets.items())
        found.append(f"General set that binds: {shares}.")
    return found


def _chance(value: float) -> str:
    if 0 < value < 0.001:
        return "below 0.1 %"
    return f"{100 * value:.2g} %" if value < 0.995 else f"{100 * value:.3g} %"
