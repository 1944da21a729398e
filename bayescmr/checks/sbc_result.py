"""What a simulation study of calibration found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bayescmr.checks.journal import Record, read_journal
from bayescmr.checks.uniformity import Null
from bayescmr.errors import CheckError

Int = npt.NDArray[np.int64]
Outcome = Literal["PASS", "REVIEW", "FAIL"]

#: Probability that a calibrated model fails by bad luck, over all quantities and both sets of
#: simulations together (Bonferroni).
ERROR_RATE = 0.05
#: Probability of the band of one quantity looked at alone.
BAND = 0.95
#: Share of simulations that may fail or not converge.
MAX_LOST = 0.05
#: A rise in nats that no language model shows: a uniform guess among 22,000 tokens loses as much.
ABSURD = 10.0
#: First words of the problems of a fit, by what they are about.
_REASONS = {"R-hat": "R-hat", "bulk": "bulk ESS", "tail": "tail ESS", "E-BFMI": "E-BFMI"}


@dataclass(frozen=True)
class Uniformity:
    """Test of one quantity.

    Parameters
    ----------
    name : str
        Quantity.
    p_all, p_converged : float
        Probability that uniform ranks depart as much, over all simulations that were fitted and
        over those that converged.
    bias : float
        Mean rank over L, minus 1/2: > 0 where the truth lies above the posterior.
    spread : float
        Sd of the ranks over that of uniform ones: > 1 where the posterior is too narrow.
    """

    name: str
    p_all: float
    p_converged: float
    bias: float
    spread: float


@dataclass(frozen=True)
class SBCResult:
    """Ranks of every quantity in every simulation, and the verdict.

    Parameters
    ----------
    header : mapping
        Settings and the names of the quantities.
    records : sequence of dict
        One per simulation.
    """

    header: Mapping[str, Any]
    records: Sequence[Record]

    @classmethod
    def read(cls, path: str | Path) -> SBCResult:
        """Read what ``bayescmr check sbc --out`` wrote, finished or not.

        Raises
        ------
        CheckError
            The file cannot be read, is no study of calibration, or holds no simulation yet.
        """
        header, records = read_journal(Path(path))
        if header.get("bayescmr_sbc") != 1:
            raise CheckError(
                f"{path}: got another file of results, expected that of `bayescmr check sbc --out`"
            )
        if not records:
            raise CheckError(f"{path}: got no simulation, expected at least one; let it run")
        return cls(header, [records[i] for i in sorted(records)])

    @property
    def failed(self) -> list[Record]:
        """Simulations without a posterior."""
        return [r for r in self.records if r["error"] is not None]

    @property
    def not_converged(self) -> list[Record]:
        """Simulations whose posterior the package would refuse."""
        return [r for r in self.records if r["error"] is None and not r["converged"]]

    @property
    def lost(self) -> float:
        """Share of simulations that failed or did not converge."""
        return (len(self.failed) + len(self.not_converged)) / len(self.records)

    @property
    def reasons(self) -> dict[str, int]:
        """How many posteriors each threshold refused; one may fail several."""
        found: Counter[str] = Counter()
        for record in self.not_converged:
            words = [p.split()[0] for p in record["problems"]]
            found.update({_REASONS.get(word, "divergences") for word in words})
        return dict(found.most_common())

    @property
    def absurd(self) -> int:
        """Simulated tables with a change beyond 10 nats, as the prior says; they are kept."""
        return sum(
            r["largest_change"] is not None and r["largest_change"] > ABSURD for r in self.records
        )

    def ranks(self, *, converged: bool = False) -> Int:
        """Ranks, shape (simulations, quantities); without those that did not converge if asked."""
        rows = [
            r["ranks"]
            for r in self.records
            if r["error"] is None and (r["converged"] or not converged)
        ]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.header["quantities"]))

    @cached_property
    def uniformity(self) -> list[Uniformity]:
        """One test per quantity, the worst first."""
        draws = int(self.header["ranked_draws"])
        sets = [self.ranks(), self.ranks(converged=True)]
        nulls = [Null(len(ranks), draws) for ranks in sets]
        found = []
        for i, name in enumerate(self.header["quantities"]):
            p = [
                null.p_value(ranks[:, i]) if len(ranks) else float("nan")
                for null, ranks in zip(nulls, sets, strict=True)
            ]
            u = (sets[0][:, i] + 0.5) / (draws + 1)
            bias, spread = (
                (float(u.mean() - 0.5), float(u.std() * np.sqrt(12.0)))
                if len(u)
                else (float("nan"), float("nan"))
            )
            found.append(Uniformity(name, p[0], p[1], bias, spread))
        return sorted(found, key=lambda u: np.nanmin([u.p_all, u.p_converged, 1.0]))

    @property
    def threshold(self) -> float:
        """P-value below which one quantity fails the whole study."""
        return ERROR_RATE / (2 * len(self.header["quantities"]))

    @property
    def not_uniform(self) -> list[Uniformity]:
        """Quantities that fail the study."""
        return [u for u in self.uniformity if min(u.p_all, u.p_converged) < self.threshold]

    @property
    def outcome(self) -> Outcome:
        """FAIL: ranks are not uniform. REVIEW: they are, but too many fits are lost. Else PASS."""
        if self.not_uniform or len(self.failed) == len(self.records):
            return "FAIL"
        return "REVIEW" if self.lost > MAX_LOST else "PASS"

    @property
    def calibrated(self) -> bool:
        """True for a PASS."""
        return self.outcome == "PASS"

    def __str__(self) -> str:
        n = len(self.records)
        count = len(self.header["quantities"])
        bad = len(self.not_uniform)
        ranks = (
            f"ranks of {bad} of {count} quantities are not uniform"
            if bad
            else f"ranks of all {count} quantities are uniform"
        )
        return (
            f"{self.outcome}: {ranks} (family-wise error rate {ERROR_RATE:g});"
            f" of {n} simulations {len(self.failed)} failed and {len(self.not_converged)} did not"
            f" converge ({100 * self.lost:.1f} %, at most {100 * MAX_LOST:g} % allowed)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: everything but the ranks."""
        seconds = [r["seconds"] for r in self.records]
        steps = [r["leapfrog_steps"] for r in self.records if r["error"] is None]
        changes = [r["largest_change"] for r in self.records if r["largest_change"] is not None]
        return {
            "outcome": self.outcome,
            "verdict": str(self),
            "study": {k: v for k, v in self.header.items() if k != "quantities"},
            "simulations": len(self.records),
            "failed": len(self.failed),
            "errors": [{"index": r["index"], "error": r["error"]} for r in self.failed],
            "not_converged": len(self.not_converged),
            "reasons": self.reasons,
            "sampled_again": sum(
                max(r["attempts"].values()) > 1 for r in self.records if r["error"] is None
            ),
            "absurd_tables": self.absurd,
            "largest_change": {
                "median": float(np.median(changes)) if changes else float("nan"),
                "largest": max(changes, default=float("nan")),
            },
            "leapfrog_steps": {
                "median": float(np.median(steps)) if steps else float("nan"),
                "largest": max(steps, default=float("nan")),
            },
            "seconds_per_simulation": {
                "median": float(np.median(seconds)),
                "largest": max(seconds),
            },
            "error_rate": ERROR_RATE,
            "threshold": self.threshold,
            "not_uniform": [u.name for u in self.not_uniform],
            "outside_own_band": sum(u.p_all < 1 - BAND for u in self.uniformity),
            "quantities": [
                {
                    "name": u.name,
                    "p_all": u.p_all,
                    "p_converged": u.p_converged,
                    "bias": u.bias,
                    "spread": u.spread,
                }
                for u in self.uniformity
            ],
        }
