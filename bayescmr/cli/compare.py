"""``bayescmr compare``: which law predicts unseen runs best, and a posterior that averages them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import naming_options, number, output_file, whole
from bayescmr.cli.output import new_table, print_json, screen, warn
from bayescmr.cli.steps import telling_steps
from bayescmr.model.settings import Effort, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.comparison import Comparison

_OPTIONS = {"models": "--models", "model": "--models", "seed": "--seed", "cores": "--cores"}


def compare_command(
    runs_file: Annotated[
        Path,
        typer.Argument(metavar="RUNS", help="Run table: .csv, .csv.gz, .tsv, .parquet, .jsonl."),
    ],
    models: Annotated[
        str,
        typer.Option(
            "--models",
            metavar="NAME,NAME",
            help="Names from `bayescmr models`, or .yaml files, parted by commas.",
        ),
    ] = "turning_point,shift_gain",
    seed: Annotated[
        int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Same seed, same result.")
    ] = 1,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.nc", help="Where the stacked posterior goes.")
    ] = Path("stacked.nc"),
    min_tokens: Annotated[
        float | None,
        typer.Option(
            "--min-tokens",
            parser=number("32000"),
            help="Leave out checkpoints before this many CPT tokens.",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", parser=whole(4, 10**7), help="Kept draws per chain.")
    ] = Settings.draws,
    refit_draws: Annotated[
        int,
        typer.Option(
            "--refit-draws",
            parser=whole(4, 10**7),
            help="Kept draws per chain of the refits without a run, without a size, and to half"
            " the tokens.",
        ),
    ] = Effort.draws,
    cores: Annotated[
        int | None,
        typer.Option("--cores", parser=whole(1, 10**4), help="Processes; default: all cores."),
    ] = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare laws by the runs that they have not seen, and save their average.

    Models are fitted to all runs and scored on each run left out (refitted where re-weighting
    is unreliable), on each size left out and on the second half of the tokens. `bayescmr cmr`
    reads the file like that of one model. A model that has not converged gets weight 0; the exit
    code is 3, and no file is written, if none has.

    [bold]Examples[/bold]

      bayescmr compare runs.csv --models turning_point,shift_gain --seed 1 --out stacked.nc

      bayescmr compare runs.csv --models turning_point,my_model.yaml --json > compare.json
    """
    output_file(out, "--out", ".nc")
    from bayescmr.runs import read_runs

    with naming_options({"min_tokens": "--min-tokens"}):
        runs = read_runs(runs_file, min_tokens=min_tokens)
    console = screen(json_mode=json_mode)
    console.print(runs.describe(), markup=False, soft_wrap=True)
    from bayescmr.comparison import compare

    with naming_options(_OPTIONS), telling_steps() as tell:
        comparison = compare(
            runs,
            [name.strip() for name in models.split(",") if name.strip()],
            seed=seed,
            draws=draws,
            refit_draws=refit_draws,
            cores=cores,
            progress=tell,
        )
    print_comparison(console, comparison)
    if json_mode:
        print_json(comparison.to_dict() | {"out": str(out) if comparison.converged else None})
    if not comparison.converged:
        warn("no model has converged: nothing was written")
        raise typer.Exit(NOT_CONVERGED)
    comparison.stacked.save(out)
    console.print(f"wrote {out}", markup=False, soft_wrap=True)


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the table, and what it says in words."""
    table = new_table(
        "model",
        "elpd",
        "difference",
        "worst\nk-hat",
        "re-\nfits",
        "new\nsize",
        "next\ntokens",
        "weight",
        title="Prediction of the general loss: of runs left out (nats), and of new sizes and the"
        " next\ntokens (CRPS, 1e-3 nats/token)",
        tight=True,
    )
    for name, row in comparison.table.iterrows():
        table.add_row(
            str(name),
            f"{row['elpd']:.1f} ± {row['se']:.1f}",
            f"{row['elpd_diff']:.1f} ± {row['diff_se']:.1f}",
            f"{row['worst_khat']:.2f}",
            str(row["exact_refits"]),
            f"{1e3 * row['crps_size_out']:.2f}",
            f"{1e3 * row['crps_forward']:.2f}",
            f"{row['weight']:.2f} ± {row['weight_se']:.2f}",
        )
    console.print(table)
    console.print()
    for sentence in comparison.sentences:
        console.print(f"{sentence}.", markup=False)
