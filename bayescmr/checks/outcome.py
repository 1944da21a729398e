"""What any check has to say: a verdict, its figure, the threshold and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Status = Literal["PASS", "REVIEW", "FAIL", "NOT RUN"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True)
class Check:
    """One check: verdict, figure, threshold and its source, what to do.

    Parameters
    ----------
    name : str
        What is checked, in a few words.
    status : {"PASS", "REVIEW", "FAIL", "NOT RUN"}
        REVIEW: the answer is weaker for it. FAIL: do not rely on the answer.
    value, threshold : str
        What was found; what was wanted.
    source : str
        Why the threshold is what it is.
    advice : str
        What to do; "" where nothing is to be done.
    """

    name: str
    status: Status
    value: str
    threshold: str
    source: str
    advice: str


def judged(
    name: str,
    passed: bool,
    *,
    value: str,
    threshold: str,
    source: str,
    advice: str,
    otherwise: Status = "REVIEW",
) -> Check:
    """Make a check that passes, or has a status and advice."""
    status: Status = "PASS" if passed else otherwise
    return Check(name, status, value, threshold, source, "" if passed else advice)


def not_run(name: str, value: str, *, threshold: str, source: str, advice: str) -> Check:
    """Make a check for which something is missing; the advice says what to add."""
    return Check(name, "NOT RUN", value, threshold, source, advice)
