"""``bayescmr check sbc``: simulation-based calibration of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import Model, choice, naming_options, output_file, whole
from bayescmr.cli.output import new_table, print_json, progress_wanted, screen, stderr
from bayescmr.model.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.checks.sbc_result import SBCResult

#: Quantities that the table shows: the worst, and always the CMRs and the log likelihood.
_WORST = 8
_OPTIONS = {
    name: f"--{name}"
    for name in ("model", "simulations", "seed", "draws", "tune", "executor", "workers")
}


def sbc_command(
    model: Model = "turning_point",
    simulations: Annotated[
        int, typer.Option("--simulations", parser=whole(1, 10**6), help="How many.")
    ] = 200,
    seed: Annotated[
        int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Same seed, same results.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.jsonl",
            help="Keep results here, one line each; the same command goes on where it stopped.",
        ),
    ] = None,
    runs_file: Annotated[
        Path | None,
        typer.Option(
            "--design",
            metavar="RUNS",
            help="Run table whose design is simulated; default: 2 sizes x 4 ratios.",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", parser=whole(25, 10**7), help="Kept draws per chain.")
    ] = Settings.draws,
    tune: Annotated[
        int, typer.Option("--tune", parser=whole(1, 10**7), help="Warm-up draws per chain.")
    ] = Settings.tune,
    executor: Annotated[
        str,
        typer.Option(
            "--executor",
            **choice("processes", "ray", "serial"),
            help="processes, ray (a cluster), or serial.",
        ),
    ] = "processes",
    workers: Annotated[
        int | None,
        typer.Option("--workers", parser=whole(1, 10**4), help="How many at once; default: all."),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE.png", help="Draw the ECDFs of all quantities."),
    ] = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw truths from the prior, simulate and fit runs, and see whether posteriors hold the truth.

    Every parameter, every critical mixture ratio and the log likelihood are ranked. The exit code
    is 0 for PASS; 3 for FAIL (ranks are not uniform) and for REVIEW (too many fits were lost).

    [bold]Examples[/bold]

      bayescmr check sbc --simulations 200 --out sbc.jsonl

      bayescmr check sbc --model shift_gain --design runs.csv --workers 8 --json

      bayescmr check sbc --simulations 1000 --executor ray --out sbc.jsonl --figure sbc.png
    """
    if out is not None:
        output_file(out, "--out", ".jsonl")
    if figure is not None:
        output_file(figure, "--figure", ".png")
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from bayescmr.runs import read_runs

    runs = None if runs_file is None else read_runs(runs_file)
    from bayescmr.checks.sbc import sbc

    columns = ("simulations", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        naming_options(_OPTIONS),
        Progress(*columns, console=stderr(), disable=not progress_wanted()) as bar,
    ):
        line = bar.add_task("", total=simulations)
        result = sbc(
            model,
            seed=seed,
            simulations=simulations,
            runs=runs,
            out=out,
            draws=draws,
            tune=tune,
            executor=cast(Any, executor),
            workers=workers,
            progress=lambda done: bar.update(line, completed=done),
        )
    if figure is not None:
        _draw(result, figure)
    if json_mode:
        print_json(result.to_dict())
    else:
        _print_result(screen(), result)
    if not result.calibrated:
        raise typer.Exit(NOT_CONVERGED)


def _draw(result: SBCResult, path: Path) -> None:
    import matplotlib as mpl

    # No window, whatever the user's settings say.
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    from bayescmr.report import style
    from bayescmr.report.calibration import plot_sbc

    with style.paper():
        figure = cast(Any, plot_sbc(result))[0].figure
        figure.savefig(path, dpi=110)
    plt.close(figure)


def _print_result(console: Console, result: SBCResult) -> None:
    table = new_table(
        "quantity",
        "p, all",
        "p, converged",
        "bias",
        "spread",
        title=f"{result.header['model']}: {len(result.records)} simulations,"
        f" {len(result.header['quantities'])} quantities",
    )
    shown = result.uniformity[:_WORST]
    shown += [u for u in result.uniformity[_WORST:] if u.name.startswith(("CMR", "log"))]
    for u in shown:
        table.add_row(
            u.name, f"{u.p_all:.2g}", f"{u.p_converged:.2g}", f"{u.bias:+.3f}", f"{u.spread:.2f}"
        )
    console.print(table)
    console.print(
        f"p: chance that uniform ranks depart as much; one below {result.threshold:.2g} fails the"
        " study. bias: mean percentile of the truth, minus 1/2. spread: sd of its percentile over"
        " that of a uniform one; above 1, posteriors are too narrow.",
        style="dim",
    )
    if result.reasons:
        reasons = ", ".join(f"{name} {n}" for name, n in result.reasons.items())
        console.print(f"not converged because of: {reasons}")
    for record in result.failed[:3]:
        console.print(f"simulation {record['index']} failed: {record['error']}", markup=False)
    if result.absurd:
        console.print(
            f"{result.absurd} simulated tables have a change beyond 10 nats, as the prior says;"
            " they are kept"
        )
    style = {"PASS": "green", "REVIEW": "yellow", "FAIL": "bold red"}[result.outcome]
    console.print(f"verdict: {result}", style=style, markup=False)
