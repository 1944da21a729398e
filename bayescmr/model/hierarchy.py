"""Groups of runs and how law parameters vary over them, as one design row per group.

On its sampled scale a law parameter is ``coef @ row``, with the columns

    mean | slope in ln(N / N_ref) | size effects | domain effects | eval-set effects

Size effects form a process that forgets itself over ``size_length`` in ln N
(so that 3.0B is nearly 3.1B and 30B is not); its columns are independent
innovations. A size or domain never probed gets what its neighbours tell and,
for the rest, an effect of its own, drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bayescmr.errors import TargetError
from bayescmr.laws import Reference

Float = npt.NDArray[np.float64]
#: Two sizes closer than this (relative) are the same size.
_SAME = 1e-9


@dataclass(frozen=True)
class Place:
    """Where a group lies in the hierarchy.

    Parameters
    ----------
    row : ndarray, shape (terms,)
        Design row.
    new_size, new_domain : float
        Multiplier in [0, 1] of the sd of a fresh size or domain effect;
        0 for a group that was probed.
    """

    row: Float
    new_size: float
    new_domain: float


@dataclass(frozen=True)
class Hierarchy:
    """Levels of every group in one block of runs.

    Parameters
    ----------
    sizes : tuple of float
        Probed sizes, ascending.
    domains, eval_sets : tuple of str
        Probed domains; evaluation sets of this loss.
    size_length : float
        Correlation length of size effects in ln N.
    reference : Reference
        Where covariates are centred.
    """

    sizes: tuple[float, ...]
    domains: tuple[str, ...]
    eval_sets: tuple[str, ...]
    size_length: float
    reference: Reference

    @cached_property
    def _log_sizes(self) -> Float:
        return np.log(np.array(self.sizes))

    @cached_property
    def _size_factor(self) -> Float:
        lag = np.abs(self._log_sizes[:, None] - self._log_sizes)
        return np.linalg.cholesky(np.exp(-lag / self.size_length))

    @property
    def terms(self) -> list[str]:
        """Labels of the design columns."""
        sets = [f"eval_set {s}" for s in self.eval_sets] if len(self.eval_sets) > 1 else []
        sizes = [f"size innovation {i + 1}" for i in range(len(self.sizes))]
        return ["mean", "size slope", *sizes, *[f"domain {d}" for d in self.domains], *sets]

    @property
    def factor_columns(self) -> Float:
        """0/1 matrix, shape (factors, terms): which factor a column belongs to."""
        counts = [len(self.sizes), len(self.domains), self._n_sets]
        columns = np.zeros((3, 2 + sum(counts)))
        start = 2
        for i, n in enumerate(counts):
            columns[i, start : start + n] = 1.0
            start += n
        return columns

    @property
    def _n_sets(self) -> int:
        """Columns for evaluation sets: none where there is one set, which is the mean then."""
        return len(self.eval_sets) if len(self.eval_sets) > 1 else 0

    @property
    def cells(self) -> list[tuple[float, str, str]]:
        """Every combination (size, domain, eval_set) of the levels."""
        return [(n, d, s) for n in self.sizes for d in self.domains for s in self.eval_sets]

    @property
    def spanning_cells(self) -> list[tuple[float, str, str]]:
        """Fewest cells whose parameters determine those of all others."""
        (n, *sizes), (d, *domains), (s, *sets) = self.sizes, self.domains, self.eval_sets
        varied = [(m, d, s) for m in sizes], [(n, e, s) for e in domains], [(n, d, t) for t in sets]
        return [(n, d, s), *varied[0], *varied[1], *varied[2]]

    def place(self, size: float, domain: str, eval_set: str) -> Place:
        """Locate a group, probed or not.

        Raises
        ------
        TargetError
            ``eval_set`` was never measured, or ``size`` is not a positive number.
        """
        if not (np.isfinite(size) and size > 0):
            raise TargetError(f"size: got {size!r}, expected a count of parameters > 0")
        if eval_set not in self.eval_sets:
            raise TargetError(
                f"eval_set: got {eval_set!r}, expected one of {', '.join(self.eval_sets)}"
            )
        shared = np.exp(-np.abs(np.log(size) - self._log_sizes) / self.size_length)
        size_row = np.linalg.solve(self._size_factor, shared)
        explained = float(size_row @ size_row)
        seen = bool(np.any(np.abs(np.log(size) - self._log_sizes) < _SAME))
        domain_row = np.array([float(domain == d) for d in self.domains])
        set_row = np.array([float(eval_set == s) for s in self.eval_sets])[: self._n_sets]
        row = np.concatenate(
            [[1.0, np.log(size / self.reference.size)], size_row, domain_row, set_row]
        )
        return Place(
            row=row,
            new_size=0.0 if seen else float(np.sqrt(max(0.0, 1.0 - explained))),
            new_domain=0.0 if domain in self.domains else 1.0,
        )

    def unexplained(self, sizes: Sequence[float]) -> Float:
        """Correlation of what probed sizes do not tell of the effects of others, not scaled.

        Parameters
        ----------
        sizes : sequence of float
            Non-embedding parameters (count), probed or not.

        Returns
        -------
        ndarray, shape (sizes, sizes)
            Covariance of size effects of sd 1 given those of the probed sizes; its diagonal is
            ``Place.new_size`` squared.
        """
        logs = np.log(np.asarray(sizes, dtype=float))
        prior = np.exp(-np.abs(logs[:, None] - logs) / self.size_length)
        shared = np.exp(-np.abs(logs[:, None] - self._log_sizes) / self.size_length)
        rows = np.linalg.solve(self._size_factor, shared.T)
        return np.asarray(prior - rows.T @ rows)

    def design(self, groups: Sequence[tuple[float, str, str]]) -> Float:
        """Design rows of probed groups, shape (groups, terms)."""
        rows = {g: self.place(*g).row for g in dict.fromkeys(groups)}
        return np.array([rows[g] for g in groups])
