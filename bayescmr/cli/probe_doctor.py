"""``bayescmr probe doctor``: what this machine can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.output import new_table, print_json, say, screen
from bayescmr.words import short

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.probes.doctor import Device, Examination


def doctor_command(
    folder: Annotated[
        Path,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Where probes would be written.",
        ),
    ] = Path(),
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=0.1, max=600.0, help="Time for training steps, for each device."
        ),
    ] = 8.0,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine this machine: devices, precision, compiler, back ends, disk, and time per probe.

    Multiplies matrices and takes a few training steps of the named sizes on each device: about
    15 seconds. What is marked with ~ was not timed but carried over from the largest size that
    was, which underrates larger sizes.

    [bold]Examples[/bold]

      bayescmr probe doctor

      OMP_NUM_THREADS=1 bayescmr probe doctor --folder probes --json
    """
    from bayescmr.probes.doctor import examine

    say("measuring ...")
    found = examine(folder, seconds)
    if json_mode:
        print_json(found.to_dict())
        return
    console = screen()
    _print_machine(console, found)
    for device in found.devices:
        console.print()
        _print_device(console, device)
    if found.remarks:
        console.print()
    for remark in found.remarks:
        console.print(remark)


def _print_machine(console: Console, found: Examination) -> None:
    console.print(
        f"Python {found.python}, torch {found.torch}, {found.cores} cores for this process,"
        f" {found.threads} threads of torch"
    )
    console.print(f"back ends of torch.distributed: {', '.join(found.backends) or 'none'}")
    console.print(f"{found.disk_free_bytes / 1e9:.0f} GB free in {found.folder}", soft_wrap=True)


def _print_device(console: Console, device: Device) -> None:
    memory = "" if device.memory_bytes is None else f", {device.memory_bytes / 1e9:.0f} GB"
    console.print(f"{device.device}: {device.name}{memory}", style="bold", soft_wrap=True)
    console.print(f"torch.compile: {device.compiler or 'not available'}", soft_wrap=True)
    for peak in device.peaks:
        threads = "" if peak.threads is None else f", threads: {peak.threads}"
        console.print(
            f"matrix products, {peak.precision}{threads}: {peak.flops / 1e9:,.0f} GFLOP/s"
        )
    table = new_table("size", "parameters", "tokens/s", "seconds per probe")
    for speed in device.speeds:
        if speed.tokens_per_second is None or speed.probe_seconds is None:
            row = ("memory", "too small")
        else:
            mark = "" if speed.measured else "~"
            row = (f"{mark}{short(speed.tokens_per_second)}", f"{mark}{speed.probe_seconds:,.0f}")
        table.add_row(speed.size, f"{speed.non_embedding:,}", *row)
    console.print(table)
