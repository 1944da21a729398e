"""How far a target lies from the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bayescmr.cmr.target import Target

#: How far beyond the largest probed size and tokens calibration is checked by simulation.
SIZE_FACTOR, TOKENS_FACTOR = 8.0, 2.0


@dataclass(frozen=True)
class Extrapolation:
    """Distance of a target from the runs.

    Parameters
    ----------
    size_factor, tokens_factor : float
        How many times the target lies above the largest (> 1) or below the
        smallest (< 1) value probed for this domain; 1 inside the range.
    size_probed, domain_probed : bool
        Whether runs of exactly this size, and of this domain, were fitted.
    max_ratio : float
        Largest ratio below 1 that was probed for this domain.
    ratio_beyond : bool
        Whether the tolerance CMR lies between that ratio and 1, where the form of
        the law decides and intervals are too narrow.
    """

    size_factor: float
    tokens_factor: float
    size_probed: bool
    domain_probed: bool
    max_ratio: float
    ratio_beyond: bool

    @property
    def inside(self) -> bool:
        """True for a probed size and domain, within the probed tokens."""
        return self.size_probed and self.domain_probed and self.tokens_factor == 1.0

    @property
    def sentences(self) -> list[str]:
        """What a reader should know; empty inside the data."""
        found = []
        if not self.domain_probed:
            found.append("no run of this domain was fitted")
        if self.size_factor != 1.0:
            found.append(f"the size is {_times(self.size_factor)} probed")
        elif not self.size_probed:
            found.append("no run of this size was fitted; it lies between probed sizes")
        if self.tokens_factor != 1.0:
            found.append(f"the token budget is {_times(self.tokens_factor)} probed")
        if self.ratio_beyond:
            found.append(
                f"the tolerance CMR lies above {self.max_ratio:g}, the largest ratio probed"
                " below 1; there the form of the law decides, so take its interval as too narrow"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "inside": self.inside,
            "size_factor": self.size_factor,
            "tokens_factor": self.tokens_factor,
            "size_probed": self.size_probed,
            "domain_probed": self.domain_probed,
            "max_ratio": self.max_ratio,
            "ratio_beyond": self.ratio_beyond,
            "sentences": self.sentences,
        }


def extrapolation_of(frame: pd.DataFrame, target: Target, ratio: float) -> Extrapolation:
    """Measure the distance of a target, and of the ratio it asks for, from the general runs."""
    rows = frame[frame["role"] == "general"]
    probed = bool((rows["domain"] == target.domain).any())
    if probed:
        rows = rows[rows["domain"] == target.domain]
    size = rows["size"].to_numpy(dtype=float)
    below_one = rows.loc[rows["ratio"] < 1, "ratio"]
    max_ratio = float(below_one.max()) if len(below_one) else 0.0
    return Extrapolation(
        size_factor=_factor(target.size, size.min(), size.max()),
        tokens_factor=_factor(
            target.tokens, float(rows["tokens"].min()), float(rows["tokens"].max())
        ),
        size_probed=bool((abs(size / target.size - 1) < 1e-9).any()),
        domain_probed=probed,
        max_ratio=max_ratio,
        ratio_beyond=max_ratio < ratio < 1.0,
    )


def _factor(value: float, low: float, high: float) -> float:
    # A hair of slack: 20e9 written in two ways is the same budget.
    if value > high * (1 + 1e-6):
        return float(value / high)
    if value < low * (1 - 1e-6):
        return float(value / low)
    return 1.0


def _times(factor: float) -> str:
    if factor > 1:
        return f"{factor:.2g} times the largest"
    return f"{1 / factor:.2g} times below the smallest"
