"""``bayescmr fit``: run table in, posterior out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from bayescmr.cli.exits import NOT_CONVERGED
from bayescmr.cli.options import Model, choice, naming_options, number, output_file, share, whole
from bayescmr.cli.output import (
    print_attempts,
    print_json,
    print_timing,
    print_verdict,
    progress_wanted,
    screen,
    stderr,
    timing_dict,
    verdict_dict,
)
from bayescmr.model.settings import Settings

if TYPE_CHECKING:
    from bayescmr.model.spec import ModelSpec
    from bayescmr.posterior import Posterior
    from bayescmr.runs import RunTable

#: Arguments of the library, as the options are called.
SAMPLING_OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "model",
        "seed",
        "draws",
        "tune",
        "chains",
        "cores",
        "target_accept",
        "retries",
        "max_checkpoints",
        "sampler",
        "previous",
    )
}


def fit_command(
    runs_file: Annotated[
        Path,
        typer.Argument(metavar="RUNS", help="Run table: .csv, .csv.gz, .tsv, .parquet, .jsonl."),
    ],
    model: Model = "turning_point",
    seed: Annotated[
        int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Same seed, same draws.")
    ] = 1,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.nc", help="Where the posterior goes.")
    ] = Path("posterior.nc"),
    previous: Annotated[
        Path | None,
        typer.Option(
            "--previous",
            metavar="FILE.nc",
            help="Earlier fit of the same model to most of these runs, from which to start: faster,"
            " same answer.",
        ),
    ] = None,
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
    tune: Annotated[
        int, typer.Option("--tune", parser=whole(1, 10**7), help="Warm-up draws per chain.")
    ] = Settings.tune,
    chains: Annotated[int, typer.Option("--chains", parser=whole(1, 1000), help="Chains.")] = (
        Settings.chains
    ),
    cores: Annotated[
        int | None,
        typer.Option("--cores", parser=whole(1, 10**4), help="Processes; default: all cores."),
    ] = None,
    target_accept: Annotated[
        float,
        typer.Option(
            "--target-accept", parser=share("0.98"), help="Acceptance rate; higher: smaller steps."
        ),
    ] = Settings.target_accept,
    retries: Annotated[
        int,
        typer.Option(
            "--retries",
            parser=whole(0, 10),
            help="How often a loss that has not converged is sampled again, in smaller steps or for"
            " longer.",
        ),
    ] = Settings.retries,
    max_checkpoints: Annotated[
        int,
        typer.Option(
            "--max-checkpoints",
            parser=whole(4, 10**4),
            help="Average runs of more checkpoints within this many steps of ln tokens.",
        ),
    ] = Settings.max_checkpoints,
    sampler: Annotated[
        str,
        typer.Option(
            "--sampler",
            **choice("nutpie", "pymc"),
            help="nutpie, or pymc (many times slower).",
        ),
    ] = Settings.sampler,
    timing: Annotated[
        bool, typer.Option("--timing", help="Print the seconds of each stage.")
    ] = False,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit a model to a run table and save the posterior.

    The posterior is saved even if it has not converged; the exit code is then 3.

    [bold]Examples[/bold]

      bayescmr fit runs.csv --seed 1 --out posterior.nc

      bayescmr fit runs.parquet --model shift_gain --min-tokens 32e3 --timing

      bayescmr fit more_runs.csv --previous posterior.nc --out posterior.nc

      bayescmr fit runs.csv --draws 4000 --target-accept 0.99 --json > fit.json
    """
    output_file(out, "--out", ".nc")
    from bayescmr.runs import read_runs

    # A wrong table or model is told before the seconds that importing the sampler takes.
    with naming_options({"min_tokens": "--min-tokens"}):
        runs = read_runs(runs_file, min_tokens=min_tokens)
    with naming_options(SAMPLING_OPTIONS):
        from bayescmr.model.spec import load_model

        spec = load_model(model)
        earlier = None if previous is None else read_earlier(previous, spec)
    console = screen(json_mode=json_mode)
    console.print(runs.describe(), markup=False, soft_wrap=True)
    stderr().print(
        "Sampling (some seconds; the first fit after installation compiles, too) ...", style="dim"
    )
    from bayescmr.posterior import fit

    with naming_options(SAMPLING_OPTIONS):
        posterior = fit(
            runs,
            seed=seed,
            model=spec,
            draws=draws,
            tune=tune,
            chains=chains,
            target_accept=target_accept,
            retries=retries,
            max_checkpoints=max_checkpoints,
            cores=cores,
            sampler=cast(Any, sampler),
            progress=progress_wanted(),
            previous=earlier,
        )
    posterior.save(out)
    for note in posterior.provenance.notes[len(runs.notes) :]:
        console.print(f"note: {note}", soft_wrap=True)
    print_attempts(console, posterior.provenance)
    print_verdict(
        console,
        posterior.verdict,
        "Sample for longer (--draws 4000 --tune 2000), in smaller steps (--target-accept 0.998), or"
        " leave out the first checkpoints (--min-tokens).",
    )
    if timing:
        print_timing(console, posterior.timing)
    console.print(f"wrote {out}", markup=False, soft_wrap=True)
    if json_mode:
        print_json(fit_dict(posterior, runs, out))
    if not posterior.converged:
        raise typer.Exit(NOT_CONVERGED)


def read_earlier(path: Path, spec: ModelSpec) -> Posterior:
    """Read the fit from which to start, and refuse one of another model before any sampling."""
    from bayescmr.posterior import load
    from bayescmr.posterior.warm import check_previous

    earlier = cast("Posterior", load(path))
    check_previous(earlier, spec)
    return earlier


def fit_dict(posterior: Posterior, runs: RunTable, out: Path) -> dict[str, Any]:
    """Return what a fit has to say: the stable format of ``bayescmr fit --json``."""
    provenance = posterior.provenance
    return {
        "converged": posterior.converged,
        "verdict": verdict_dict(posterior.verdict),
        "runs": {
            "source": runs.source,
            "fingerprint": runs.fingerprint,
            "n_runs": runs.n_runs,
            "n_losses": len(runs.frame),
            "sizes": runs.sizes,
            "domains": runs.domains,
            "exclusions": provenance.exclusions,
            "notes": provenance.notes,
        },
        "model": {"name": posterior.model.name, "fingerprint": posterior.model.fingerprint},
        "settings": provenance.settings,
        "versions": provenance.versions,
        "timing": timing_dict(posterior.timing),
        "out": str(out),
    }
