"""What became of an attempt, and what it is charged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayescmr.campaign.records import Attempt, Outcome
from bayescmr.planning.space import Space
from bayescmr.runners.base import Status
from bayescmr.runners.contract import DIVERGED, REACHED, STOPPED

#: Codes of commands that never began: wrong input, not executable, not found.
_NEVER_BEGAN = (2, 126, 127)


@dataclass(frozen=True)
class Settlement:
    """The end of an attempt.

    Parameters
    ----------
    outcome : {"done", "stopped", "diverged", "failed", "lost"}
        What became of it.
    reached : int
        CPT tokens at which losses were last measured.
    charge : float
        FLOPs, at most what was reserved.
    reason : str
        For people.
    """

    outcome: Outcome
    reached: int
    charge: float
    reason: str


def settlement(
    attempt: Attempt, status: Status, space: Space, start: int, reached: int, fault: str = ""
) -> Settlement:
    """Judge an attempt that has ended or is lost.

    What a command trained and did not tell is charged up to the checkpoint that it did not
    reach: a budget may be underused, never overspent.

    Parameters
    ----------
    attempt : Attempt
        The attempt.
    status : Status
        Its last, from the runner.
    space : Space
        Knows what tokens cost.
    start, reached : int
        CPT tokens at which the attempt began, and at which losses were last measured.
    fault : str
        What is wrong with the losses that it wrote; "" for nothing.
    """
    outcome, reason = _outcome(attempt, status, reached, fault)
    if outcome == "done":
        tokens: float = attempt.until
    elif outcome == "stopped":
        # What it trained beyond its last checkpoint is saved, and charged to the next attempt.
        tokens = reached
    else:
        marks = space.checkpoints[attempt.size]
        tokens = next((mark for mark in marks if mark > reached), attempt.until)
    never = outcome == "failed" and reached <= start and status.exit_code in _NEVER_BEGAN
    charge = 0.0 if never else _flops(space, attempt, start, tokens)
    return Settlement(outcome, reached, min(charge, attempt.cost), reason)


def _outcome(attempt: Attempt, status: Status, reached: int, fault: str) -> tuple[Outcome, str]:
    words = status.reason
    if fault:
        return "failed", fault
    if status.exit_code != DIVERGED and reached >= attempt.until:
        # All that was asked for is there, whatever became of the process afterwards.
        return "done", "" if status.exit_code == REACHED else words
    if status.state == "lost":
        return "lost", words
    if status.exit_code == DIVERGED:
        return "diverged", words
    if status.exit_code == STOPPED:
        return "stopped", words
    if status.exit_code == REACHED:
        found = (
            f"its last loss is at {reached} tokens, expected {attempt.until}"
            if reached
            else f"it wrote no loss beyond tokens 0 to losses.jsonl, expected up to {attempt.until}"
        )
        return "failed", (
            f"the command ended with code {REACHED}, but {found}; a command that was stopped before"
            f" ends with {STOPPED}"
        )
    return "failed", words or f"the command ended with code {status.exit_code}"


def _flops(space: Space, attempt: Attempt, start: int, tokens: float) -> float:
    if tokens <= start:
        return space.cost.setup
    marks: Sequence[float] = [m for m in space.checkpoints[attempt.size] if start < m]
    # Losses between checkpoints are no reason to charge less than the tokens up to them.
    upper = next((m for m in marks if m >= tokens), marks[-1])
    return float(space.flops(attempt.size, start, [upper])[0])
