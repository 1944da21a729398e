"""``bayescmr cmr``: the critical mixture ratio at one target, and the decision."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import named_numbers, naming_options, number, one_of
from bayescmr.cli.output import new_table, print_json, screen, warn
from bayescmr.errors import TargetError
from bayescmr.report.words import count, percent, percent_down

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.cmr import CMR, Estimand, Target
    from bayescmr.posterior import Posterior

_TOLERANCE = 0.05
_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in ("size", "domain", "tokens", "tolerance", "tolerance_unit", "base", "risk", "prob")
} | {"lam": "--lam", "estimand": "--estimand"}
_NAMES = {"tolerance": "tolerance", "turning_point": "turning point", "gu": "Gu et al. (both)"}


def cmr_command(
    posterior_file: Annotated[
        Path, typer.Argument(metavar="POSTERIOR", help="File written by `bayescmr fit`.")
    ],
    size: Annotated[
        float, typer.Option("--size", parser=number("3.1e9"), help="Non-embedding parameters.")
    ],
    domain: Annotated[str, typer.Option("--domain", help="Domain corpus.")],
    tokens: Annotated[float, typer.Option("--tokens", parser=number("20e9"), help="CPT tokens.")],
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            parser=number("0.05"),
            help=f"Allowed rise of every general loss; default: {_TOLERANCE} nats/token.",
        ),
    ] = None,
    set_tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--set-tolerance",
            metavar="NAME=VALUE",
            help="Allowed rise of one general set; repeat it for each set to be looked at.",
        ),
    ] = None,
    tolerance_unit: Annotated[
        str,
        typer.Option(
            "--tolerance-unit",
            parser=one_of("nats", "share"),
            help="nats, or share (of the base loss).",
        ),
    ] = "nats",
    base: Annotated[
        list[str] | None,
        typer.Option(
            "--base",
            metavar="[NAME=]VALUE",
            help="Base loss in nats/token, for a share where the run table has none.",
        ),
    ] = None,
    risk: Annotated[
        float,
        typer.Option("--risk", parser=number("0.1"), help="Allowed chance of breaking the bound."),
    ] = 0.1,
    estimand: Annotated[
        str,
        typer.Option(
            "--estimand",
            parser=one_of("tolerance", "turning_point", "gu"),
            help="Bound of the decision: tolerance, turning_point, gu.",
        ),
    ] = "tolerance",
    prob: Annotated[
        float, typer.Option("--prob", parser=number("0.9"), help="Probability of the intervals.")
    ] = 0.9,
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
    from bayescmr.cmr import Target
    from bayescmr.posterior import load

    allowed = _tolerance(tolerance, set_tolerance or [])
    bases = _base(base or [])
    names = _OPTIONS | ({"tolerance": "--set-tolerance"} if set_tolerance else {})
    with naming_options(names):
        target = Target(
            size, domain, tokens, allowed, tolerance_unit=cast(Any, tolerance_unit), base=bases
        )
        if base and tolerance_unit == "nats":
            raise TargetError(
                "base: got a base loss, which a tolerance in nats does not need; leave it out, or"
                " add --tolerance-unit share"
            )
        posterior = load(posterior_file)
        cmr = posterior.cmr(target, lam=lam)
        answer = cmr.to_dict(risk, prob, cast("Estimand", estimand))
    _warn_of_domain(posterior, domain)
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


def _tolerance(tolerance: float | None, named: Sequence[str]) -> float | dict[str, float]:
    if not named:
        return _TOLERANCE if tolerance is None else tolerance
    if tolerance is not None:
        raise TargetError(
            "--set-tolerance: got --tolerance too; name every general set, or give one number"
        )
    return named_numbers("--set-tolerance", named)


def _base(texts: Sequence[str]) -> float | dict[str, float] | None:
    if not texts:
        return None
    if len(texts) > 1 or "=" in texts[0]:
        return named_numbers("--base", texts)
    try:
        return float(texts[0])
    except ValueError:
        raise TargetError(
            f"--base: got {texts[0]!r}, expected a loss in nats/token, for example 2.5, or one per"
            " general set, for example web=2.5"
        ) from None


def _warn_of_domain(posterior: Posterior, domain: str) -> None:
    known = sorted(str(name) for name in posterior.frame["domain"].unique())
    if domain in known:
        return
    close = difflib.get_close_matches(domain, known, n=1, cutoff=0.6)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    warn(
        f"--domain: {domain!r} was never trained, so the answer is that of an unseen domain."
        f"{meant} Domains in this posterior: {', '.join(known)}"
    )


def _print_answer(console: Console, cmr: CMR, risk: float, prob: float, estimand: Estimand) -> None:
    from bayescmr.cmr import ESTIMANDS

    target = cmr.target
    level = f"{100 * prob:g} % interval"
    table = new_table(
        "CMR, %",
        "median",
        level,
        "P(none\nfeasible)",
        "P(all\nfeasible)",
        f"safe at\n{100 * risk:g} % risk",
        title=f"{count(target.size)} parameters, {count(target.tokens)} tokens,"
        f" tolerance {_tolerance_words(target)}\n"
        # Not in a heading: a long name would crowd out the numbers.
        f"critical mixture ratio (CMR): largest share of {target.domain}",
    )
    for name in ESTIMANDS:
        s = cmr.summary(name, prob)
        table.add_row(
            _NAMES[name],
            percent(s.median),
            f"{percent(s.lower)} to {percent(s.upper)}",
            f"{s.p_none:.2g}",
            f"{s.p_all:.2g}",
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
    target = cmr.target
    ratio = cmr.decide(risk, estimand)
    where = f"At {count(target.size)} parameters and {count(target.tokens)} tokens"
    bad = {
        "tolerance": f"the general loss then rises by more than {_tolerance_words(target)}",
        "turning_point": f"the general loss is then still rising at {count(target.tokens)} tokens",
        "gu": f"the general loss then rises by more than {_tolerance_words(target)}, or is still"
        f" rising at {count(target.tokens)} tokens,",
    }[estimand]
    found = []
    if ratio == 0.0:
        # The draws without any feasible ratio lie at 0: ask just above it.
        chance = cmr.risk_at(1e-9, estimand)
        found.append(
            f"{where} no {target.domain} share is safe at {100 * risk:g} % risk: even at the"
            f" smallest share the chance that {bad} is {_chance(chance)}."
        )
    elif ratio == 1.0:
        chance = cmr.risk_at(1.0, estimand)
        found.append(
            f"{where} every {target.domain} share is safe at {100 * risk:g} % risk: without any"
            f" replay the chance that {bad} is {_chance(chance)}."
        )
    else:
        chance = cmr.risk_at(ratio, estimand)
        found.append(
            f"{where} keep the {target.domain} share at or below {percent_down(ratio)} %: the"
            f" chance that {bad} is {_chance(chance)}."
        )
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


def _tolerance_words(target: Target) -> str:
    scale, unit = (1.0, "nats") if target.tolerance_unit == "nats" else (100.0, "% of its base")
    if isinstance(target.tolerance, Mapping):
        each = [f"{value * scale:g} ({name})" for name, value in target.tolerance.items()]
        return f"{' or '.join(each)} {unit}"
    return f"{target.tolerance * scale:g} {unit}"


def _chance(value: float) -> str:
    if 0 < value < 0.001:
        return "below 0.1 %"
    return f"{100 * value:.2g} %" if value < 0.995 else f"{100 * value:.3g} %"
