"""Replay: a table that was measured completely, from which a policy buys runs as if they were new.

Unbiased for any policy: what is bought is what would have been measured. What is not in the
table cannot be bought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import override

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import Target
from bayescmr.design.outlook import Candidate
from bayescmr.errors import DesignError
from bayescmr.laws import Reference
from bayescmr.planning.cost import Cost
from bayescmr.planning.space import LEAST_TOKENS, Made, Space

Float = npt.NDArray[np.float64]
Key = tuple[float, float, int]


@dataclass(frozen=True)
class TableSpace(Space):
    """A space of which only some runs can be had.

    Parameters
    ----------
    runs : frozenset of (float, float, int)
        Size, ratio and seed; seeds of one size and ratio are 1, 2, ...
    """

    runs: frozenset[Key] = frozenset()

    @override
    def candidates(self, made: Sequence[Made]) -> tuple[Candidate, ...]:
        return tuple(c for c in super().candidates(made) if (c.size, c.ratio, c.seed) in self.runs)


@dataclass(frozen=True)
class ReplayWorld:
    """Runs of a table.

    Parameters
    ----------
    space : TableSpace
        What the table has.
    target : Target
        Where the CMR is asked.
    reference : Reference
        Point at which priors are stated.
    truth : float
        What the fit of the whole table says: the best there is, with an error of its own.
    changes, standard_errors : mapping from (size, ratio, seed) to ndarray, shape (checkpoints,)
        Change of the general loss at the checkpoints of the space, and its stated standard error.
    """

    space: TableSpace
    target: Target
    reference: Reference
    truth: float
    changes: Mapping[Key, Float]
    standard_errors: Mapping[Key, Float]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        target: Target,
        reference: Reference,
        truth: float,
        *,
        cost: Cost,
        min_tokens: float = LEAST_TOKENS,
    ) -> ReplayWorld:
        """Make a world of the general losses of one domain.

        Parameters
        ----------
        frame : DataFrame
            Canonical form (``RunTable.frame``); runs of one size have the same checkpoints.
        target, reference, truth
            See the class.
        cost : Cost
            What a run costs.
        min_tokens : float
            Checkpoints before are measured and not fitted.

        Raises
        ------
        DesignError
            No run of the domain, or runs of one size with different checkpoints.
        """
        rows = frame[
            (frame["role"] == "general")
            & (frame["domain"] == target.domain)
            & (frame["tokens"] > 0)
        ]
        if rows.empty:
            raise DesignError(f"replay: no run of domain {target.domain!r} in the table")
        marks: dict[float, tuple[float, ...]] = {}
        changes: dict[Key, Float] = {}
        errors: dict[Key, Float] = {}
        seeds: dict[tuple[float, float], int] = {}
        order = ["size", "ratio", *(["seed"] if "seed" in rows else []), "run", "tokens"]
        for run, own in rows.sort_values(order).groupby("run", sort=False):
            size, ratio = float(own["size"].iloc[0]), float(own["ratio"].iloc[0])
            tokens = tuple(own["tokens"].astype(float))
            if marks.setdefault(size, tokens) != tokens:
                raise DesignError(
                    f"replay: run {run}: got checkpoints at {_list(tokens)}, expected those of the"
                    f" other runs of size {size:g}, {_list(marks[size])}"
                )
            number = seeds[size, ratio] = seeds.get((size, ratio), 0) + 1
            changes[size, ratio, number] = own["change"].to_numpy(dtype=float)
            errors[size, ratio, number] = own["se"].to_numpy(dtype=float)
        space = TableSpace(
            domain=target.domain,
            sizes=tuple(sorted(marks)),
            ratios=tuple(sorted({ratio for _, ratio, _ in changes})),
            checkpoints=marks,
            seeds=max(seeds.values()),
            cost=cost,
            min_tokens=min_tokens,
            runs=frozenset(changes),
        )
        return cls(space, target, reference, truth, changes, errors)

    def losses(self, size: float, ratio: float, seed: int) -> Float:
        """Change at every checkpoint of a run; see `World`.

        Raises
        ------
        DesignError
            The table has no such run.
        """
        return _of(self.changes, (size, ratio, seed))

    def se(self, size: float, ratio: float, seed: int) -> Float:
        """Stated standard error of these losses; see `World`, and errors of :meth:`losses`."""
        return _of(self.standard_errors, (size, ratio, seed))


def _of(runs: Mapping[Key, Float], key: Key) -> Float:
    if key not in runs:
        size, ratio, seed = key
        raise DesignError(
            f"replay: no run of size {size:g}, ratio {ratio:g}, seed {seed} in the table"
        )
    return runs[key]


def _list(tokens: Sequence[float]) -> str:
    return ", ".join(f"{t:g}" for t in tokens)
