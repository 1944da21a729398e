"""``bayescmr demo``: the published runs of Gu et al. (2024), from table to decision."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import output_folder, whole
from bayescmr.cli.output import (
    new_table,
    print_attempts,
    print_json,
    print_verdict,
    progress_wanted,
    screen,
    stderr,
    timing_dict,
    verdict_dict,
    warn,
)
from bayescmr.model.settings import Settings
from bayescmr.words import percent, percent_down, short

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.cmr import CMR


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where results go; overwritten.")
    ] = Path("demo"),
    seed: Annotated[
        int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Same seed, same draws.")
    ] = 1,
    draws: Annotated[
        int,
        typer.Option("--draws", parser=whole(4, 10**7), help="Kept draws per chain.", hidden=True),
    ] = Settings.draws,
    tune: Annotated[
        int,
        typer.Option(
            "--tune", parser=whole(1, 10**7), help="Warm-up draws per chain.", hidden=True
        ),
    ] = Settings.tune,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit the 24 published runs of Gu et al. 2024; compare, decide, and look at an untrained size.

    Takes less than a minute and needs no network. Leaves posterior.nc, cmr.csv and figures
    (PNG and PDF) in the folder.

    [bold]Examples[/bold]

      bayescmr demo --out demo

      bayescmr demo --seed 2 --json > demo.json
    """
    started = time.perf_counter()
    output_folder(out, "--out")
    console = screen(json_mode=json_mode)
    console.print(
        "How large may the finance share be when a model is trained on for 20B tokens?\n"
        "The data: 24 published runs (Gu et al. 2024, Table 4), four sizes from 460M to 3.1B,"
        " six shares from 1/8 to 1.\n"
        "The model: a turning-point law with a hierarchy over sizes; all runs are fitted at once.",
        markup=False,
    )
    from bayescmr import demo
    from bayescmr.posterior import fit

    runs = demo.demo_runs()
    stderr().print(
        "\nSampling (some seconds; the first fit after installation compiles, too) ...", style="dim"
    )
    posterior = fit(runs, seed=seed, draws=draws, tune=tune, progress=progress_wanted())
    cmrs = demo.demo_cmrs(posterior)
    table = demo.demo_table(cmrs)
    files = [
        posterior.save(out / "posterior.nc"),
        demo.write_table(table, out / "cmr.csv"),
        *demo.write_figures(posterior, out),
    ]
    converged = all(cmr.converged for cmr in cmrs.values())
    seconds = time.perf_counter() - started

    console.print()
    print_attempts(console, posterior.provenance)
    print_verdict(console, posterior.verdict, "Try another seed: bayescmr demo --seed 2")
    console.print()
    _print_results(console, cmrs)
    console.print(
        f"\nwrote {', '.join(file.name for file in files)} to {out}/ in {seconds:.0f} s",
        markup=False,
    )
    problems = list(posterior.verdict.problems)
    problems += [p for cmr in cmrs.values() for p in cmr.verdict.problems if p not in problems]
    if json_mode:
        print_json(
            {
                "converged": converged,
                "problems": problems,
                "verdict": verdict_dict(posterior.verdict),
                "rows": [
                    {str(k): v for k, v in row.items()} for row in table.to_dict(orient="records")
                ],
                "files": [str(file) for file in files],
                "timing": timing_dict(posterior.timing),
                "seconds": round(seconds, 1),
            }
        )
    if not converged:
        warn("NOT CONVERGED, do not rely on these numbers")
        raise typer.Exit(NOT_CONVERGED)


def _print_results(console: Console, cmrs: Mapping[float, CMR]) -> None:
    from bayescmr import demo, gu2024
    from bayescmr.posterior.intervals import PROB

    table = new_table(
        "size",
        "published",
        "turning point",
        f"tolerance {gu2024.TOLERANCE:g}",
        "Gu et al.",
        f"safe at\n{100 * demo.RISK:g} %",
        tight=True,
        title=f"Critical mixture ratio, % finance at {short(gu2024.BUDGET)} tokens:"
        f" median [{100 * PROB:g} % interval]",
    )
    for size, cmr in cmrs.items():
        trained = size != demo.UNTRAINED
        if not trained:
            table.add_section()
        cells = []
        for estimand in ("turning_point", "tolerance", "gu"):
            s = cmr.summary(estimand)
            cells.append(f"{percent(s.median)} [{percent(s.lower)}, {percent(s.upper)}]")
        table.add_row(
            short(size) if trained else f"{short(size)}*",
            percent(gu2024.published_cmr(size)) if trained else "-",
            *cells,
            percent_down(cmr.decide(demo.RISK, "gu")),
        )
    console.print(table)
    new = cmrs[demo.UNTRAINED]
    console.print(
        f"* not trained, extrapolated: {new.extrapolation.size_factor:.2g} times the largest size."
    )
    if any(cmr.extrapolation.ratio_beyond for cmr in cmrs.values()):
        console.print(
            f"Tolerance CMRs above {percent(new.extrapolation.max_ratio, 0)} % lie between the"
            " largest share trained with replay and none: there the form of the law decides, and"
            " intervals are too narrow."
        )
    binds = max(cmr.p_tolerance_binds for size, cmr in cmrs.items() if size != demo.UNTRAINED)
    p_new = new.p_tolerance_binds
    console.print(
        "\nWhich bound binds: at the trained sizes the turning point (the tolerance binds"
        f" {_at_most(binds)}); at {short(demo.UNTRAINED)} the tolerance binds with"
        f" probability {p_new:.2g}.\n"
        f"Safe at {100 * demo.RISK:g} %: the largest share at which a new run breaks a bound of"
        f" Gu et al. with at most {100 * demo.RISK:g} % chance.",
        markup=False,
    )


def _at_most(probability: float) -> str:
    return f"with probability {probability:.2g} at most" if probability else "in no draw"
