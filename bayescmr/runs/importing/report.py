"""What an import did: everything that was merged, replaced, averaged or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bayescmr.runs.logs import Log


@dataclass(frozen=True)
class Finding:
    """One thing that the import did to the logs, or found in them.

    Parameters
    ----------
    kind : str
        'merged', 'replaced', 'dropped', 'averaged', 'rounded', 'diverged', 'unmapped' or 'note'.
    run : str
        Run of the run table, or the log where it concerns no run.
    detail : str
        What happened, for people.
    count : int
        Number of logged values concerned.
    """

    kind: str
    run: str
    detail: str
    count: int = 0


@dataclass
class Report:
    """All findings of one import, and the logs with their digests."""

    logs: Sequence[Log]
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, run: str, detail: str, count: int = 0) -> None:
        """Note one finding."""
        self.findings.append(Finding(kind, run, detail, count))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "logs": [
                {
                    "source": log.source,
                    "format": log.format,
                    "sha256": log.sha256,
                    "events": len(log.events),
                    "runs": list(log.runs),
                    "notes": list(log.notes),
                }
                for log in self.logs
            ],
            "findings": [asdict(finding) for finding in self.findings],
        }
