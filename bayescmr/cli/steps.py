"""Progress of fits and refits: a line each where nobody looks, a bar with the time left else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bayescmr.cli.output import progress_wanted, say, stderr

if TYPE_CHECKING:
    from bayescmr.comparison.steps import Progress, Step


@contextmanager
def telling_steps() -> Iterator[Progress]:
    """Yield what is to be told of each step."""
    if not progress_wanted():
        yield say
        return
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, TextColumn("{task.fields[left]}"), console=stderr(), transient=True) as bar:
        line = bar.add_task("", total=None, left="")
        started = time.monotonic()
        done = 0

        def tell(step: Step) -> None:
            nonlocal done
            bar.update(line, description=step, left=time_left(done, step.left, started))
            done += 1

        yield tell


def time_left(done: int, left: int, started: float) -> str:
    """Say how long this step and those like it may take, judged by those that are done."""
    if not done:
        return ""
    each = (time.monotonic() - started) / done
    seconds = each * (left + 1)
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
