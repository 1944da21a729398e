"""What could be run: sizes, ratios, lengths and seeds, what they cost, and what is too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bayescmr.cmr.target import check_count
from bayescmr.design.outlook import Candidate
from bayescmr.errors import DesignError, TargetError
from bayescmr.planning.cost import Cost
from bayescmr.values import is_number

Float = npt.NDArray[np.float64]

#: Fewer tokens than that are taken for billions by a run table.
LEAST_TOKENS = 1e3


@dataclass(frozen=True)
class Made:
    """A run that was begun.

    Parameters
    ----------
    run : str
        Its name in the run table.
    size, domain, ratio, seed
        As in the run table; seed None where it is not known.
    reached : float
        CPT tokens trained.
    open : bool
        True if it can be gone on with.
    until : float or None
        CPT tokens to which it is being trained right now; None for a run at rest.
    """

    run: str
    size: float
    domain: str
    ratio: float
    seed: int | None
    reached: float
    open: bool = True
    until: float | None = None


@dataclass(frozen=True)
class Space:
    """Runs that could be made for one domain.

    Parameters
    ----------
    domain : str
        Domain corpus.
    sizes : tuple of float
        Non-embedding parameters (count) of the models at hand, ascending.
    ratios : tuple of float
        Domain shares in [0, 1], ascending.
    checkpoints : mapping from size to tuple of float
        CPT tokens at which a run of that size measures its losses, ascending; the last is its
        full length.
    seeds : int
        Runs of one size and ratio, at most.
    cost : Cost
        What a run costs.
    min_tokens : float
        Checkpoints before are measured, but no law describes them (warm-up): no run ends there,
        and fits leave them out. At least 1,000.
    run_flops : float
        No single run costs more.

    Raises
    ------
    DesignError
        A field is out of range, or the fields contradict each other.
    """

    domain: str
    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    checkpoints: Mapping[float, tuple[float, ...]]
    seeds: int = 3
    cost: Cost = field(default_factory=Cost)
    min_tokens: float = LEAST_TOKENS
    run_flops: float = float("inf")

    def __post_init__(self) -> None:
        domain: object = self.domain
        if not (isinstance(domain, str) and domain.strip()):
            raise DesignError(f"space: domain: got {self.domain!r}, expected a name")
        _ascending("sizes", self.sizes, "parameter counts")
        for size in self.sizes:
            try:
                check_count("space: sizes", size)
            except TargetError as error:
                raise DesignError(str(error)) from None
        _ascending("ratios", self.ratios, "shares in [0, 1]")
        if not all(0 <= ratio <= 1 for ratio in self.ratios):
            raise DesignError(f"space: ratios: got {self.ratios!r}, expected shares in [0, 1]")
        seeds: object = self.seeds
        if isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1:
            raise DesignError(f"space: seeds: got {self.seeds!r}, expected a whole number >= 1")
        if not (is_number(self.min_tokens) and self.min_tokens >= LEAST_TOKENS):
            raise DesignError(
                f"space: min_tokens: got {self.min_tokens!r}, expected at least {LEAST_TOKENS:g}"
            )
        if not (is_number(self.run_flops, infinite=True) and self.run_flops > 0):
            raise DesignError(f"space: run_flops: got {self.run_flops!r}, expected FLOPs > 0")
        for size in self.sizes:
            if size not in self.checkpoints:
                raise DesignError(
                    f"space: checkpoints: got none for size {size:g}, expected some for each"
                )
            marks = self.checkpoints[size]
            _ascending(f"checkpoints of size {size:g}", marks, "tokens")
            if not marks[0] > 0:
                raise DesignError(
                    f"space: checkpoints of size {size:g}: got {marks[0]!r}, expected tokens > 0"
                )
            if marks[-1] < self.min_tokens:
                raise DesignError(
                    f"space: min_tokens: got {self.min_tokens:g}, expected at most the"
                    f" {marks[-1]:g} tokens of a full run of size {size:g}; no run would tell"
                    " anything"
                )
        cheapest = min(float(self.flops(n, 0.0, self._marks(n, 0.0))[0]) for n in self.sizes)
        if cheapest > self.run_flops:
            raise DesignError(
                f"space: run_flops: got {self.run_flops:g}, expected at least the {cheapest:.3g}"
                " FLOPs of the cheapest run"
            )

    def candidates(self, made: Sequence[Made]) -> tuple[Candidate, ...]:
        """All that could be done now: new runs, replicates, and runs that go on.

        Parameters
        ----------
        made : sequence of Made
            Runs begun so far, in flight or not.
        """
        found = []
        for size in self.sizes:
            for ratio in self.ratios:
                same = [
                    m for m in made
                    if m.domain == self.domain and _same(m.size, size) and _same(m.ratio, ratio)
                ]  # fmt: skip
                if len(same) < self.seeds:
                    taken = {m.seed for m in same}
                    seed = next(s for s in range(1, len(same) + 2) if s not in taken)
                    found.append(self._candidate(size, ratio, seed, 0.0))
                for run in same:
                    at_rest = run.open and run.until is None
                    if at_rest and run.seed is not None:
                        found.append(self._candidate(size, ratio, run.seed, run.reached))
        return tuple(one for one in found if one is not None)

    def run_of(self, candidate: Candidate, made: Sequence[Made]) -> Made | None:
        """Return the run that a candidate goes on with; None where it is not among these."""
        for m in made:
            same = _same(m.size, candidate.size) and _same(m.ratio, candidate.ratio)
            if same and (m.seed, m.domain) == (candidate.seed, candidate.domain):
                return m
        return None

    def full_cost(self, size: float) -> float:
        """FLOPs of a run of this size at its full length."""
        return float(self.flops(size, 0.0, self.checkpoints[size][-1:])[0])

    @property
    def whole_cost(self) -> float:
        """FLOPs of all its runs at full length, every seed."""
        return len(self.ratios) * self.seeds * sum(self.full_cost(size) for size in self.sizes)

    def flops(self, size: float, reached: float, checkpoints: Sequence[float]) -> Float:
        """FLOPs from ``reached`` to each checkpoint, all measurements between them included."""
        marks = [mark for mark in self.checkpoints[size] if mark > reached]
        costs = dict(zip(marks, self.cost.flops(size, reached, marks), strict=True))
        return np.array([costs[mark] for mark in checkpoints])

    def _candidate(self, size: float, ratio: float, seed: int, reached: float) -> Candidate | None:
        marks = self._marks(size, reached)
        # The cap is on a run as a whole, however it is cut.
        spent = self.cost.training * size * reached
        within = tuple(
            mark
            for mark, flops in zip(marks, self.flops(size, reached, marks), strict=True)
            if spent + flops <= self.run_flops
        )
        return Candidate(size, self.domain, ratio, seed, within, reached) if within else None

    def _marks(self, size: float, reached: float) -> tuple[float, ...]:
        return tuple(m for m in self.checkpoints[size] if m > reached and m >= self.min_tokens)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))


def _ascending(name: str, values: Sequence[float], what: str) -> None:
    good = len(values) > 0 and all(is_number(v) for v in values)
    if not good or list(values) != sorted(set(values)):
        raise DesignError(
            f"space: {name}: got {tuple(values)!r}, expected {what} in ascending order"
        )
