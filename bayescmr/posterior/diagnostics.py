"""Convergence: measured for every parameter and every derived quantity, gate of all results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

Float = npt.NDArray[np.float64]

#: Vehtari et al. 2021, doi 10.1214/20-BA1221.
MAX_RHAT = 1.01
MIN_ESS = 400.0
#: Betancourt 2016, arXiv 1604.00695.
MIN_EBFMI = 0.3


@dataclass(frozen=True)
class Verdict:
    """Whether draws may be used, and the figures behind it.

    Parameters
    ----------
    max_rhat, min_ess_bulk, min_ess_tail : float
        Worst values over all quantities.
    worst : dict of str to str
        Which quantity each of the three belongs to.
    divergences : int
        After warm-up.
    min_ebfmi : float
        Smallest energy Bayesian fraction of missing information; NaN if unknown.
    """

    max_rhat: float
    min_ess_bulk: float
    min_ess_tail: float
    worst: Mapping[str, str]
    divergences: int = 0
    min_ebfmi: float = float("nan")

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence per failed threshold."""
        found = []
        if not self.max_rhat < MAX_RHAT:
            found.append(f"R-hat {self.max_rhat:.4f} of {self.worst['rhat']}, must be < {MAX_RHAT}")
        for name, value in (("bulk", self.min_ess_bulk), ("tail", self.min_ess_tail)):
            if not value >= MIN_ESS:
                found.append(
                    f"{name} ESS {value:.0f} of {self.worst[name]}, must be >= {MIN_ESS:.0f}"
                )
        if self.divergences:
            found.append(f"{self.divergences} divergences, must be 0")
        if self.min_ebfmi < MIN_EBFMI:
            found.append(f"E-BFMI {self.min_ebfmi:.2f}, must be >= {MIN_EBFMI}")
        return tuple(found)

    @property
    def unmixed(self) -> bool:
        """True if chains differ, or hold too few effective draws."""
        return not (
            self.max_rhat < MAX_RHAT
            and self.min_ess_bulk >= MIN_ESS
            and self.min_ess_tail >= MIN_ESS
            and not self.min_ebfmi < MIN_EBFMI
        )

    @property
    def converged(self) -> bool:
        """True if every threshold holds."""
        return not self.problems

    def __str__(self) -> str:
        figures = (
            f"max R-hat {self.max_rhat:.4f}, min bulk ESS {self.min_ess_bulk:.0f},"
            f" min tail ESS {self.min_ess_tail:.0f}, {self.divergences} divergences"
        )
        if self.converged:
            return f"converged ({figures})"
        return "NOT CONVERGED: " + "; ".join(self.problems)


def measure(quantities: Mapping[str, Float], statistics: xr.Dataset | None = None) -> Verdict:
    """Diagnose draws.

    Parameters
    ----------
    quantities : mapping from name to ndarray, shape (chains, draws)
        Constant quantities (a CMR that is 1 in every draw) have nothing to converge.
    statistics : xarray.Dataset, optional
        Sampler statistics in the package's vocabulary.
    """
    names = [n for n, v in quantities.items() if np.ptp(v) != 0]  # NaN counts as moving
    divergences, ebfmi = 0, float("nan")
    if statistics is not None:
        if "diverging" in statistics:
            divergences = int(statistics["diverging"].sum())
        if "energy" in statistics:
            ebfmi = _min_ebfmi(statistics["energy"].to_numpy())
    if not names:
        return Verdict(
            1.0, np.inf, np.inf, dict.fromkeys(("rhat", "bulk", "tail"), "-"), divergences, ebfmi
        )
    stacked = np.stack([np.asarray(quantities[n], dtype=float) for n in names], axis=-1)
    rhat, bulk, tail = _mixing(stacked)
    worst = {
        "rhat": names[int(rhat.argmax())],
        "bulk": names[int(bulk.argmin())],
        "tail": names[int(tail.argmin())],
    }
    return Verdict(
        float(rhat.max()), float(bulk.min()), float(tail.min()), worst, divergences, ebfmi
    )


def convergence_table(quantities: Mapping[str, Float]) -> pd.DataFrame:
    """Tabulate every quantity: where it lies, how well its chains mix, how well its mean is known.

    Parameters
    ----------
    quantities : mapping from name to ndarray, shape (chains, draws)
        Constant quantities have nothing to converge: their figures are NaN. The losses of one fit
        may have been sampled for different times.

    Returns
    -------
    DataFrame
        quantity, mean, sd, mcse (Monte Carlo standard error of the mean), rhat, ess_bulk,
        ess_tail.
    """
    shapes = dict.fromkeys(np.shape(v) for v in quantities.values())
    tables = [
        _convergence({n: v for n, v in quantities.items() if np.shape(v) == s}) for s in shapes
    ]
    return pd.concat(tables).set_index("quantity").loc[list(quantities)].reset_index()


def _convergence(quantities: Mapping[str, Float]) -> pd.DataFrame:
    """See :func:`convergence_table`; all of one shape."""
    from arviz_stats.base.array import array_stats

    stacked = np.stack([np.asarray(v, dtype=float) for v in quantities.values()], axis=-1)
    table = pd.DataFrame(
        {
            "quantity": list(quantities),
            "mean": stacked.mean(axis=(0, 1)),
            "sd": stacked.std(axis=(0, 1), ddof=1),
        }
    )
    columns = ["mcse", "rhat", "ess_bulk", "ess_tail"]
    table[columns] = np.nan
    moving = np.ptp(stacked, axis=(0, 1)) != 0
    if moving.any():
        part = stacked[:, :, moving]
        mcse = np.atleast_1d(array_stats.mcse(part, chain_axis=0, draw_axis=1, method="mean"))
        table.loc[moving, columns] = np.column_stack([mcse, *_mixing(part)])
    return table


def _mixing(stacked: Float) -> tuple[Float, Float, Float]:
    """R-hat, bulk and tail ESS of quantities that move; shape (chains, draws, quantities)."""
    # Half a second to load, for which draws that are never diagnosed need not wait.
    from arviz_stats.base.array import array_stats

    rhat = np.atleast_1d(array_stats.rhat(stacked, chain_axis=0, draw_axis=1))
    bulk = np.atleast_1d(array_stats.ess(stacked, chain_axis=0, draw_axis=1, method="bulk"))
    tail = np.atleast_1d(
        array_stats.ess(stacked, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))
    )
    # An R-hat that cannot be computed is a failure, not a pass.
    rhat = np.where(np.isnan(rhat), np.inf, rhat)
    bulk, tail = (np.where(np.isnan(v), 0.0, v) for v in (bulk, tail))
    return rhat, bulk, np.where(_two_valued(stacked), bulk, tail)


def _two_valued(stacked: Float) -> npt.NDArray[np.bool_]:
    """Quantities with an atom holding a whole tail have no tail quantile to estimate."""
    flat = stacked.reshape(-1, stacked.shape[-1])
    low, high = np.quantile(flat, [0.05, 0.95], axis=0)
    return np.asarray((low == flat.min(axis=0)) | (high == flat.max(axis=0)))


def _min_ebfmi(energy: Float) -> float:
    jumps = np.square(np.diff(energy, axis=1)).mean(axis=1)
    return float((jumps / energy.var(axis=1)).min())
