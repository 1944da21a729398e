"""Exit codes of every command."""

from __future__ import annotations

#: A check says FAIL: of a design before any fit, or of the environment.
FAILED = 1
#: Wrong input or wrong usage.
WRONG_INPUT = 2
#: The draws have not converged: what was printed and saved must not be relied on.
NOT_CONVERGED = 3
#: The same of a campaign that ended without what it was asked for, or whose model failed a check.
NOT_CERTIFIED = NOT_CONVERGED
#: Stopped from the keyboard.
INTERRUPTED = 130
#: A training run diverged; its result is kept and marked.
DIVERGED = 4
#: A training run or the controller of a campaign was told to stop, with all saved: the same
#: command goes on. It is sysexits' EX_TEMPFAIL, which batch systems know as "try again".
RESUME = 75

#: What every code means, as `bayescmr --help` and the docs say it.
MEANINGS = {
    0: "done, and what was printed is true",
    FAILED: "a check says FAIL (check data, doctor, campaign audit)",
    WRONG_INPUT: "wrong input or usage: one line per problem on standard error",
    NOT_CONVERGED: "not converged, not calibrated (check sbc) or not certified (campaign run):"
    " written, marked, not to be used",
    DIVERGED: "a training run diverged; its result is kept and marked",
    RESUME: "a training run or campaign was stopped or paused, all saved: the same command goes on",
    INTERRUPTED: "stopped from the keyboard",
}
