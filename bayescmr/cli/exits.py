"""Exit codes of every command."""

from __future__ import annotations

#: Wrong input or wrong usage.
WRONG_INPUT = 2
#: The draws have not converged: what was printed and saved must not be relied on.
NOT_CONVERGED = 3
#: Stopped from the keyboard.
INTERRUPTED = 130
#: A training run diverged; its result is kept and marked.
DIVERGED = 4
#: A training run was told to stop and has saved its state: the same command goes on. It is
#: sysexits' EX_TEMPFAIL, which batch systems know as "try again".
RESUME = 75
