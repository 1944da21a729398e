"""What `probe base` and `probe run` do alike: train with a progress bar, and tell how it ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayescmr.cli.exits import DIVERGED, RESUME
from bayescmr.cli.options import naming_options, output_folder
from bayescmr.cli.output import new_table, print_json, progress_wanted, screen, stderr, warn
from bayescmr.cli.probe_options import NAMES
from bayescmr.errors import ProbeError

if TYPE_CHECKING:
    from bayescmr.probes.config import Config, Execution
    from bayescmr.probes.launch import Result

#: Exit codes of the endings that are not `done`.
EXITS = {"stopped": RESUME, "diverged": DIVERGED}


def train_and_tell(config: Config, out: Path, execution: Execution, *, json_mode: bool) -> None:
    """Make a run and print its losses.

    Raises
    ------
    typer.Exit
        With ``RESUME`` where the run was stopped, ``DIVERGED`` where it diverged.
    """
    try:
        from bayescmr.probes.launch import run
    except ModuleNotFoundError as error:
        raise ProbeError(
            f"{error.name} is not installed; install it with: pip install 'bayescmr[probes]'"
        ) from None
    from bayescmr.probes.config import steps_of

    output_folder(out, "--out")
    # Of the processes that torchrun started the first speaks for all.
    speaks = os.environ.get("RANK", "0") == "0"
    with naming_options(NAMES), _bar(steps_of(config), wanted=speaks) as watch:
        result = run(config, out, execution, watch=watch)
    if speaks and result.status == "stopped":
        if json_mode:
            print_json({"status": "stopped", "run": result.run, "folder": str(result.folder)})
        warn(f"stopped and saved in {result.folder}; the same command goes on from there")
    elif speaks:
        _tell(result, json_mode=json_mode)
    if result.status in EXITS:
        raise typer.Exit(EXITS[result.status])


def _tell(result: Result, *, json_mode: bool) -> None:
    data = result.data
    console = screen(json_mode=json_mode)
    names = list(dict.fromkeys(row["eval_set"] for row in data["measurements"]))
    table = new_table(
        "tokens", *(f"{name} loss" for name in names), *(f"{n} change" for n in names)
    )
    table.columns[0].justify = "right"
    by_tokens: dict[int, dict[str, dict[str, Any]]] = {}
    for row in data["measurements"]:
        by_tokens.setdefault(row["tokens"], {})[row["eval_set"]] = row
    first = next(iter(by_tokens.values()), {})
    for tokens, rows in by_tokens.items():
        table.add_row(
            f"{tokens:,}",
            *(f"{rows[name]['loss']:.4f}" for name in names),
            *(f"{rows[name]['loss'] - first[name]['loss']:+.4f}" for name in names),
        )
    console.print(table)
    console.print("losses in nats/token; change: loss minus base")
    for use in data["corpora"]:
        console.print(
            f"{use['role']} {use['corpus']}: {use['tokens']:,} tokens seen,"
            f" {use['distinct']:,} of {use['available']:,} distinct",
            soft_wrap=True,
        )
    speed, share = data["tokens_per_second"], data["model_flop_utilisation"]
    if speed:
        console.print(
            f"{speed:,.0f} tokens/s, {share:.0%} of the measured matmul peak;"
            f" training {data['seconds']['training']:.0f} s,"
            f" evaluation {data['seconds']['evaluation']:.0f} s",
            soft_wrap=True,
        )
    for note in data["notes"]:
        console.print(f"note: {note}", soft_wrap=True, style="yellow")
    if data["status"] == "diverged":
        warn(f"the run diverged after {data['tokens']:,} tokens; it stays in the run table, marked")
    console.print(f"{data['status']}: {result.folder}", soft_wrap=True)
    if json_mode:
        print_json({"folder": str(result.folder), **data})


@contextmanager
def _bar(steps: int, *, wanted: bool) -> Iterator[Any]:
    if not (wanted and progress_wanted()):
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("step"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]}"), console=stderr(), transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("training", total=steps, loss="")

        def watch(step: int, loss: float, _rate: float) -> None:
            progress.update(task, completed=step, loss=f"{loss:.3f}")

        yield watch
