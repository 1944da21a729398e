"""``bayescmr import``: logs of trainers to a run table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescmr.cli.options import output_file
from bayescmr.cli.output import print_json, screen, text_table
from bayescmr.errors import BayesCMRError

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.runs.importing.report import Report
    from bayescmr.runs.logs import Log


def import_command(
    logs: Annotated[
        list[Path],
        typer.Argument(metavar="LOGS...", help="Logs; folders are searched with all below them."),
    ],
    guess: Annotated[
        bool, typer.Option("--guess", help="Print a draft of the mapping; what is null, fill in.")
    ] = False,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE.yaml", help="Which log is which run."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.csv", help="Where the run table goes.")
    ] = Path("runs.csv"),
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn logs of trainers into a run table, with a mapping file; alone, list what logs hold.

    Formats are found by content: Hugging Face trainer_state.json, TensorBoard, W&B (offline runs
    and exports), MLflow (folder and SQLite), trackio, Lightning metrics.csv, consoles of
    Megatron-LM, nanotron and nanoGPT, lm-evaluation-harness, RegMix and olmix tables. Nothing is
    resampled, and all that is merged, averaged or left out is said.

    [bold]Examples[/bold]

      bayescmr import logs

      bayescmr import logs --guess > mapping.yaml

      bayescmr import logs --mapping mapping.yaml --out runs.csv

      bayescmr import logs --mapping mapping.yaml --json > import.json
    """
    if guess and mapping is not None:
        raise BayesCMRError("--guess: got --mapping too, expected one; --guess drafts a mapping")
    if mapping is not None:
        output_file(out, "--out", ".csv")
    from bayescmr.runs.logs import read_logs

    if mapping is None:
        found, notes = read_logs(logs)
        _show(found, notes, guess=guess, json_mode=json_mode)
        return
    from bayescmr.runs.importing import import_runs, read_mapping

    plan = read_mapping(mapping)
    found, notes = read_logs(logs)
    made = import_runs(found, plan)
    for note in notes:
        made.report.add("note", str(mapping), note)
    from bayescmr.atomic import whole_file
    from bayescmr.runs import RunTable

    table = RunTable.from_frame(made.frame, source=str(out))
    with whole_file(out) as partial:
        made.frame.to_csv(partial, index=False)
    console = screen(json_mode=json_mode)
    _print_findings(console, made.report)
    console.print(table.describe(), soft_wrap=True)
    console.print(f"wrote {out}", soft_wrap=True)
    if json_mode:
        print_json(
            {
                "out": str(out),
                "runs": table.n_runs,
                "rows": len(made.frame),
                "fingerprint": table.fingerprint,
                **made.report.to_dict(),
            }
        )


def _show(logs: list[Log], notes: list[str], *, guess: bool, json_mode: bool) -> None:
    """Print a draft of the mapping, or what the logs hold."""
    if guess:
        from bayescmr.runs.importing import draft

        text = draft(logs, notes)
        print_json({"mapping": text}) if json_mode else print(text, end="")
        return
    if json_mode:
        print_json({"logs": [_log_dict(log) for log in logs], "notes": notes})
        return
    console = screen()
    for log in logs:
        title = f"{log.source}: {log.format}, sha256 {log.sha256[:12]}"
        console.print(title, style="bold", soft_wrap=True)
        table = text_table("metric", "run", "split", "values", "steps")
        for row in _inventory(log):
            table.add_row(*(str(cell) for cell in row.values()))
        console.print(table)
        for note in log.notes:
            console.print(f"note: {note}", soft_wrap=True)
        console.print()
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)
    console.print("bayescmr import LOGS... --guess > mapping.yaml drafts the mapping.")


def _inventory(log: Log) -> list[dict[str, Any]]:
    from bayescmr.values import shorten

    rows = []
    for keys, part in log.events.groupby(["run", "metric", "split"], sort=False):
        run, metric, split = map(str, keys)
        steps = part["step"].dropna()
        reach = f"{steps.min():g} to {steps.max():g}" if len(steps) else "none"
        rows.append(
            {
                "metric": shorten(metric),
                "run": shorten(run),
                "split": split,
                "values": len(part),
                "steps": reach,
            }
        )
    return rows


def _log_dict(log: Log) -> dict[str, Any]:
    return {
        "source": log.source,
        "format": log.format,
        "sha256": log.sha256,
        "notes": list(log.notes),
        "metrics": _inventory(log),
    }


def _print_findings(console: Console, report: Report) -> None:
    """Print what was done to the logs; a finding that many runs share is one line."""
    shared: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for one in report.findings:
        shared.setdefault((one.kind, one.detail), []).append((one.run, one.count))
    for (kind, detail), of in shared.items():
        count = sum(n for _, n in of)
        values = f"{count} values of " if count else ""
        who = of[0][0] if len(of) == 1 else f"{len(of)} runs or logs ({of[0][0]}, ...)"
        console.print(f"{kind}: {values}{who}: {detail}", soft_wrap=True)
