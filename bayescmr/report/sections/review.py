"""M. All checks in one table."""

from __future__ import annotations

from collections import Counter

from bayescmr.report.document import Check, Checks, Section
from bayescmr.report.sentences import text


def review(checks: tuple[Check, ...]) -> Section:
    """Count and list the checks."""
    counts = Counter(check.status for check in checks)
    said = ", ".join(f"{counts[s]} {s}" for s in ("PASS", "REVIEW", "FAIL", "NOT RUN"))
    return Section(
        "M",
        "Checks",
        (
            text(
                f"{said}. FAIL: do not use the answer. REVIEW: read what it says and decide. NOT"
                " RUN: nothing is known; the command would tell."
            ),
            Checks(checks),
        ),
    )
