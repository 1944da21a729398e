"""Long work told step by step: one line for people, and how many steps like it follow."""

from __future__ import annotations

from collections.abc import Callable


class Step(str):
    """A line that says what is being done now.

    Attributes
    ----------
    left : int
        Further steps of this kind that follow; others may come after these.
    """

    left: int

    def __new__(cls, line: str, left: int = 0) -> Step:
        """Make a line that knows how many follow."""
        step = super().__new__(cls, line)
        step.left = left
        return step


#: What is told of each step; ``print`` will do.
Progress = Callable[[Step], None]
