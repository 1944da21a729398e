"""What a plan looks like: for people, and as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bayescmr.cli.output import new_table
from bayescmr.planning.explanation import Explanation, Leg, Worth, explain, legs_of
from bayescmr.planning.plan import made_of
from bayescmr.words import percent, percent_down, short

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bayescmr.design.policy import Pick
    from bayescmr.planning.advice import Advice
    from bayescmr.posterior import Posterior


def print_plan(console: Console, posterior: Posterior, advice: Advice) -> None:
    """Print interval, proposals with their rivals, reasons, forecast and stop rules."""
    explained = [explain(advice, pick) for pick in advice.picks]
    console.print(_now(posterior, advice))
    console.print()
    if explained:
        console.print(_proposals(explained))
        console.print()
        for i, one in enumerate(explained, start=1):
            console.print(f"{i}: {one.sentence}")
        console.print()
    elif advice.assessment.stop is not None:
        console.print(f"No run is proposed. {advice.assessment.stop.sentence}", style="yellow")
        console.print()
    console.print(f"Forecast: {forecast_words(advice)}.")
    for finding in advice.assessment.findings:
        says = "met" if finding.holds else "not met"
        console.print(f"Stop rule {finding.reason.value}: {says}; {finding.sentence}.")
    if any(f.holds and f.reason.certifies for f in advice.assessment.findings):
        console.print(
            "A rule that is met certifies nothing here: that takes a second fit with new losses,"
            " and the checks of the model, which `bayescmr campaign` makes."
        )


def forecast_words(advice: Advice) -> str:
    """Say what it would take to reach the width asked for."""
    rules, plan = advice.task.rules, advice.plan
    if rules.width is None:
        return "none, for no width was asked for (--width 0.05)"
    wanted = f"a {advice.task.prob:.0%} interval of {100 * rules.width:g} points"
    if plan is None:
        return (
            f"none to {wanted} yet: what most of the spread of the CMR depends on is no linear"
            " function of losses, so a plan would promise what it cannot know"
        )
    if not plan.options:
        return f"{wanted} is there already"
    if plan.reached:
        runs = "1 option" if len(plan.options) == 1 else f"{len(plan.options)} options"
        return f"{wanted} takes {plan.cost[-1]:.3g} FLOPs more, {runs} of this space"
    reach = advice.state.reachable
    ends = "" if reach is None else f"; the width that can be reached is {100 * reach:.3g} points"
    return f"no runs of this space lead to {wanted}{ends}"


def plan_dict(posterior: Posterior, advice: Advice) -> dict[str, Any]:
    """Return all numbers of a plan: the stable format of ``bayescmr plan --json``."""
    task, state, plan = advice.task, advice.state, advice.plan
    stop = advice.assessment.stop
    return {
        "converged": posterior.converged and advice.cmr.converged,
        "problems": [*posterior.verdict.problems, *advice.cmr.verdict.problems],
        "kind": posterior.kind,
        "target": task.target.to_dict(),
        "estimand": task.estimand,
        "cmr": vars(advice.cmr.summary(task.estimand, task.prob)),
        "decision": {"risk": task.risk, "ratio": advice.cmr.decide(task.risk, task.estimand)},
        "made": len(made_of(posterior)),
        "proposals": [_proposal(advice, pick) for pick in advice.picks],
        "forecast": {
            "width": task.rules.width,
            "flops": state.forecast,
            "reached": None if plan is None else plan.reached,
            "reachable_width": state.reachable,
            "sentence": forecast_words(advice),
            "options": []
            if plan is None
            else [_legs(legs_of(advice, option)) for option in plan.options],
            "cost": [] if plan is None else plan.cost,
            "variance": [] if plan is None else plan.variance,
        },
        "rules": [
            {**asdict(finding), "reason": finding.reason.value}
            for finding in advice.assessment.findings
        ],
        "stop": None if stop is None else {**asdict(stop), "reason": stop.reason.value},
    }


def _proposal(advice: Advice, pick: Pick) -> dict[str, Any]:
    scores = pick.scores
    return {
        **explain(advice, pick).to_dict(),
        "chosen": pick.option,
        "all_options": [
            {
                "legs": _legs(legs_of(advice, option)),
                "score": scores.score[n],
                "value": scores.value[n],
                "cost": scores.cost[n],
                "propensity": pick.propensities[n],
                "diagnostics": {name: values[n] for name, values in scores.diagnostics.items()},
            }
            for n, option in enumerate(scores.options)
        ],
    }


def _legs(legs: tuple[Leg, ...]) -> list[dict[str, Any]]:
    return [asdict(leg) for leg in legs]


def _now(posterior: Posterior, advice: Advice) -> str:
    task = advice.task
    s = advice.cmr.summary(task.estimand, task.prob)
    made = posterior.frame["run"].nunique()
    return (
        f"{made} runs are made. CMR ({task.estimand.replace('_', ' ')}): median"
        f" {percent(s.median)} %, {task.prob:.0%} interval ({s.kind}) {percent(s.lower)} to"
        f" {percent(s.upper)} %, {100 * (s.upper - s.lower):.3g} points wide; safe at"
        f" {100 * task.risk:g} % risk: {percent_down(advice.cmr.decide(task.risk, task.estimand))}"
        " %."
    )


def _proposals(explained: list[Explanation]) -> Table:
    table = new_table(
        "", "size", "ratio, %", "tokens", "seed", "FLOPs", "points after", "worth", "chance"
    )
    for i, one in enumerate(explained, start=1):
        _rows(table, f"{i}", one.pick, "bold")
        for rival in one.rivals:
            _rows(table, "  not", rival, "dim")
    return table


def _rows(table: Table, label: str, worth: Worth, style: str) -> None:
    for i, leg in enumerate(worth.legs):
        first = i == 0
        after = f"{100 * worth.width:.3g}" if math.isfinite(worth.width) else "?"
        share = f"{worth.relative:.0%}" if math.isfinite(worth.relative) else "?"
        table.add_row(
            label if first else "   with",
            short(leg.size),
            percent(leg.ratio),
            f"{short(leg.start)} to {short(leg.until)}",
            f"{leg.seed}",
            f"{worth.cost:.3g}" if first else "",
            after if first else "",
            share if first else "",
            f"{worth.propensity:.1%}" if first else "",
            style=style,
        )
