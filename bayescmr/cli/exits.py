"""Exit codes of every command."""

from __future__ import annotations

#: Wrong input or wrong usage.
WRONG_INPUT = 2
#: The draws have not converged: what was printed and saved must not be relied on.
NOT_CONVERGED = 3
#: Stopped from the keyboard.
INTERRUPTED = 130
