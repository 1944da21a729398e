"""``bayescmr report``: everything about one question in a folder that others can be shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import naming_options
from bayescmr.cli.output import print_json, say, screen, warn
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

if TYPE_CHECKING:
    from bayescmr.cmr import Estimand

_OPTIONS = {"out": "--out", "formats": "--format"} | {
    name: f"--{name}" for name in ("sbc", "sensitivity", "influence")
}


def report_command(
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
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="New or empty folder.")
    ] = Path("report"),
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME,NAME",
            help="Some of html, json, tex, pdf, parted by commas; default: all but pdf.",
        ),
    ] = None,
    sbc: Annotated[
        Path | None,
        typer.Option(
            "--sbc",
            metavar="FILE",
            help="Of `bayescmr check sbc --out`, at the design of the runs.",
        ),
    ] = None,
    sensitivity: Annotated[
        Path | None,
        typer.Option(
            "--sensitivity",
            metavar="FILE",
            help="Of `bayescmr check sensitivity --widen 2 --out`, of the same question.",
        ),
    ] = None,
    influence: Annotated[
        Path | None,
        typer.Option(
            "--influence",
            metavar="FILE",
            help="Of `bayescmr check influence --out`, of the same question.",
        ),
    ] = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a report: the decision, the posterior, the checks, and how it was all made.

    Nothing is fitted; what was not run says so, with the command that would run it. The same
    posterior gives the same report, byte for byte. The exit code is 3 if the draws have not
    converged; the report is written all the same, and says so on its first page.

    [bold]Examples[/bold]

      bayescmr report posterior.nc --size 3.1e9 --domain finance --tokens 20e9

      bayescmr report posterior.nc --size 7e9 --domain law --tokens 20e9 --risk 0.05 --format html

      bayescmr report fit.nc --size 7e9 --domain law --tokens 20e9 --influence influence.json
    """
    from bayescmr.checks.influence import Influence
    from bayescmr.checks.priors import PriorAlternatives
    from bayescmr.checks.sbc_result import SBCResult
    from bayescmr.posterior import load
    from bayescmr.posterior.intervals import check_prob
    from bayescmr.report.studies import Studies
    from bayescmr.report.write import DEFAULT, check_folder, check_formats, write_report

    chosen = DEFAULT if formats is None else tuple(f.strip() for f in formats.split(","))
    question = Question(size, domain, tokens, tolerance, set_tolerance, tolerance_unit, base)
    with naming_options(_OPTIONS), question.naming_options():
        check_formats(chosen)
        check_folder(out)
        target = question.target()
        check_prob(risk, "risk", "0.1")
        check_prob(prob)
        posterior = load(posterior_file)
        warn_of_domain(posterior, domain)
        studies = Studies(
            None if sbc is None else SBCResult.read(sbc),
            None if sensitivity is None else PriorAlternatives.read(sensitivity),
            None if influence is None else Influence.read(influence),
        )
        # Loads what draws figures, which a wrong option need not wait for.
        from bayescmr.report.data import report_data

        say("Putting the report together (some seconds) ...")
        data = report_data(
            posterior,
            target,
            risk=risk,
            estimand=cast("Estimand", estimand),
            prob=prob,
            file=posterior_file.name,
            studies=studies,
        )
        write_report(data, out, chosen)
    files = sorted(str(f.relative_to(out)) for f in out.rglob("*") if f.is_file())
    answer = "".join(
        p if isinstance(p, str) else f"{p.shown} {p.suffix}".rstrip() for p in data.answer.pieces
    )
    if json_mode:
        print_json(
            {
                "converged": data.provenance["converged"],
                "failed": [check.name for check in data.banner],
                "answer": answer,
                "out": str(out),
                "files": files,
            }
        )
    else:
        console = screen()
        console.print(answer)
        console.print(f"wrote {out}: {', '.join(f for f in files if '/' not in f)}")
    for check in data.banner:
        warn(f"FAIL: {check.name}: {check.value}; must be {check.threshold}. {check.advice}")
    if not data.provenance["converged"]:
        raise typer.Exit(NOT_CONVERGED)
