"""The design of a table: one line per run, which is what its checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bayescmr.cmr import Target
from bayescmr.model.spec import ModelSpec
from bayescmr.runs import RunTable
from bayescmr.words import count

#: Columns of a run that a table may have, besides those that it must have.
_OPTIONAL = ("seed", "lr", "schedule", "loss_mode", "unique_domain_tokens")


@dataclass(frozen=True)
class Design:
    """A run table, and the question that will be asked of it.

    Parameters
    ----------
    runs : RunTable
        Validated table.
    target : Target or None
        The question, where it is known.
    tolerance : float
        Allowed rise in nats/token where there is no target.
    model : ModelSpec
        What will be fitted.
    """

    runs: RunTable
    target: Target | None
    tolerance: float
    model: ModelSpec

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Measurements of the general loss."""
        return self.runs.select("general")

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per run: run, size, domain, ratio, tokens (its last), checkpoints, options."""
        by_run = self.rows.groupby("run", sort=True)
        kept = ["size", "domain", "ratio", *(c for c in _OPTIONAL if c in self.rows)]
        table = by_run[kept].first()
        table["tokens"] = by_run["tokens"].max()
        table["checkpoints"] = by_run["tokens"].nunique()
        return table.reset_index()

    @cached_property
    def ends(self) -> pd.DataFrame:
        """Last measurement of every run on every general set, with the ``tolerance`` there."""
        last = self.rows.sort_values("tokens").groupby(["run", "eval_set"], sort=True).tail(1)
        allowed = [
            self.tolerance_of(s, b) for s, b in zip(last["eval_set"], last["base"], strict=True)
        ]
        return last.assign(tolerance=allowed).dropna(subset=["tolerance"])

    def tolerance_of(self, eval_set: str, base: float) -> float:
        """Allowed rise on a set in nats/token; NaN for a set that the target does not name."""
        if self.target is None:
            return self.tolerance
        if not isinstance(self.target.tolerance, float | int) and (
            eval_set not in self.target.tolerance
        ):
            return float("nan")
        return self.target.tolerance_of(eval_set, base)

    @property
    def main_size(self) -> float:
        """Probed size nearest the target, or the largest: where another run tells most."""
        sizes = np.array(self.runs.sizes)
        if self.target is None:
            return float(sizes.max())
        return float(sizes[np.abs(np.log(sizes / self.target.size)).argmin()])

    @property
    def main_domain(self) -> str:
        """Domain of the target where it was probed, or that of the most runs."""
        if self.target is not None and self.target.domain in self.runs.domains:
            return self.target.domain
        return str(self.table["domain"].mode().iloc[0])

    @property
    def budget(self) -> float:
        """Tokens of the longest run."""
        return float(self.table["tokens"].max())

    def run(
        self,
        *,
        ratio: float | None = None,
        size: float | None = None,
        domain: str | None = None,
        tokens: float | None = None,
    ) -> str:
        """Name a run worth making; what is not said is the main size, domain and budget."""
        at = f", ratio {ratio:.3g}" if ratio is not None else ""
        return (
            f"size {count(size or self.main_size)}, domain {domain or self.main_domain}{at},"
            f" {count(tokens or self.budget)} tokens"
        )


def listed(names: list[str], most: int = 4) -> str:
    """Join names, the first few of many."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
