"""``bayescmr probe collect``: results of probes as a run table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayescmr.cli.options import output_file
from bayescmr.cli.output import print_json, screen


def collect_command(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Searched with all below them.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.csv", help="Where the run table goes.")
    ] = Path("runs.csv"),
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Gather finished probes into a run table that `bayescmr fit` reads.

    [bold]Examples[/bold]

      bayescmr probe collect probes --out runs.csv

      bayescmr fit runs.csv --seed 1 --out posterior.nc
    """
    output_file(out, "--out", ".csv")
    from bayescmr.atomic import whole_file
    from bayescmr.probes.collection import collect
    from bayescmr.runs import RunTable

    frame = collect(folders)
    table = RunTable.from_frame(frame, source=str(out))
    with whole_file(out) as partial:
        frame.to_csv(partial, index=False)
    console = screen(json_mode=json_mode)
    console.print(table.describe(), soft_wrap=True)
    console.print(f"wrote {out}", soft_wrap=True)
    if json_mode:
        print_json(
            {
                "out": str(out),
                "runs": table.n_runs,
                "rows": len(frame),
                "fingerprint": table.fingerprint,
            }
        )
