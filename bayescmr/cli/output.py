"""What is printed: JSON alone on stdout for machines, or rich tables for people."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bayescmr.values import plain

if TYPE_CHECKING:
    from bayescmr.checks.about import Shifts
    from bayescmr.checks.outcome import Check
    from bayescmr.model.settings import Timing
    from bayescmr.posterior.diagnostics import Verdict
    from bayescmr.posterior.posterior import Provenance


def screen(*, json_mode: bool = False) -> Console:
    """Console for people: stdout, or stderr where stdout is for machines."""
    # soft_wrap is left off: sentences wrap at the width of the terminal, or at COLUMNS.
    return _console(stderr=json_mode)


def stderr() -> Console:
    """Console for warnings and progress."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # Names of users are shown as they are: [bold] and :cat: are no markup, in tables neither.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def warn(message: str) -> None:
    """Print one warning on stderr, in one line."""
    stderr().print(f"bayescmr: {message}", style="bold red", markup=False, soft_wrap=True)


def say(message: str) -> None:
    """Print one line about the progress of long work on stderr."""
    stderr().print(message, style="dim", soft_wrap=True)


def progress_wanted() -> bool:
    """Return whether a progress bar has somebody who looks at it."""
    return sys.stderr.isatty()


def print_json(data: Any) -> None:
    """Print strict JSON: what is not a finite number becomes null."""
    print(json.dumps(plain(data), indent=2, allow_nan=False, ensure_ascii=False))


def new_table(*headings: str, title: str | None = None, tight: bool = False) -> Table:
    """Make a table: the first column is text, the others are numbers.

    Where ``tight``, one blank parts the columns instead of two.
    """
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0) if tight else (0, 1),
    )
    for i, heading in enumerate(headings):
        table.add_column(
            heading, justify="left" if i == 0 else "right", no_wrap=True, overflow="fold"
        )
    return table


def text_table(*headings: str, title: str | None = None) -> Table:
    """Make a table of words; no name in its first column is ever cut."""
    table = new_table(*headings, title=title)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "left", False
    return table


#: Colour of every status of a check.
STYLES = {"PASS": "green", "REVIEW": "yellow", "FAIL": "bold red", "NOT RUN": "dim"}


def print_checks(console: Console, checks: Sequence[Check], *, everything: bool = False) -> int:
    """Print checks, what is wrong first; return how many were not shown.

    Those that pass or were not run are shown where ``everything`` is wanted.
    """
    order = ("FAIL", "REVIEW", "NOT RUN", "PASS") if everything else ("FAIL", "REVIEW")
    shown = [check for status in order for check in checks if check.status == status]
    for check in shown:
        console.print(f"{check.status}  {check.name}: {check.value}", style=STYLES[check.status])
        if check.status != "PASS":
            for text in (f"wanted: {check.threshold}; for {check.source}", check.advice):
                console.print(indented(text, console.width), soft_wrap=True)
            console.print()
    return len(checks) - len(shown)


def indented(text: str, width: int) -> str:
    """Wrap a paragraph two columns in, without the blanks that rich would pad it with."""
    return textwrap.fill(text, max(width, 40), initial_indent="  ", subsequent_indent="  ")


def print_shift(console: Console, found: Shifts, wanted: str) -> None:
    """Print the verdict on how far an answer moves."""
    status = "PASS" if found.passed else "REVIEW"
    lost = f"; not converged: {found.not_converged}" if found.not_converged else ""
    console.print(
        f"verdict: {status}: largest shift {found.largest_shift:.2f} posterior sds of the CMR"
        f"{lost} (PASS: {wanted} by more than {found.limit:g})",
        style=STYLES[status],
    )


def verdict_dict(verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a verdict as plain data."""
    return {
        "converged": verdict.converged,
        "problems": list(verdict.problems),
        "max_rhat": verdict.max_rhat,
        "min_ess_bulk": verdict.min_ess_bulk,
        "min_ess_tail": verdict.min_ess_tail,
        "worst": dict(verdict.worst),
        "divergences": verdict.divergences,
        "min_ebfmi": verdict.min_ebfmi,
    }


def print_verdict(console: Console, verdict: Verdict, advice: str) -> None:
    """Print the verdict; if it is bad, loudly and with what to do."""
    if verdict.converged:
        console.print(f"verdict: {verdict}", style="green", markup=False)
        return
    console.print("verdict: NOT CONVERGED. Do not rely on these numbers.", style="bold red")
    for problem in verdict.problems:
        console.print(f"  - {problem}", style="red", markup=False)
    console.print(f"  {advice}", style="red", markup=False)


def print_attempts(console: Console, provenance: Provenance) -> None:
    """Say which losses were sampled more than once, and why."""
    for role, attempts in provenance.settings["attempts"].items():
        for attempt, following in pairwise(attempts):
            changed = [
                f"{name.replace('_', ' ')} {following[name]:g}"
                for name in ("draws", "tune", "target_accept")
                if following[name] != attempt[name]
            ]
            console.print(
                f"{role} loss sampled again, with {', '.join(changed)}, for"
                f" {'; '.join(attempt['problems'])}",
                soft_wrap=True,
            )


def timing_dict(timing: Timing | None) -> dict[str, float]:
    """Return the seconds of each stage; empty where nothing was sampled."""
    if timing is None:
        return {}
    return {name: round(seconds, 3) for name, seconds in asdict(timing).items()}


def print_timing(console: Console, timing: Timing | None) -> None:
    """Print the seconds of each stage in one line."""
    parts = ", ".join(
        f"{name.replace('_', '-')} {seconds:.1f}" for name, seconds in timing_dict(timing).items()
    )
    console.print(f"seconds: {parts}", markup=False)
