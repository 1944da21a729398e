"""Stacking: weights of models whose mixture predicts left-out runs best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

Float = npt.NDArray[np.float64]

#: Nats below the best model of a run at which a density counts as nothing: the optimiser then
#: divides by no zero, and no weight that a mixture of 8000 draws can show is changed.
_NOTHING = 30.0


def stacking_weights(elpd: Float) -> tuple[Float, Float]:
    """Weights that maximise the log predictive density of left-out runs, and their errors.

    Yao et al. 2018, doi 10.1214/17-BA1091, by the optimiser of ArviZ.

    Parameters
    ----------
    elpd : ndarray, shape (models, runs)
        Log predictive density of every run given all others.

    Returns
    -------
    weights, errors : ndarray, shape (models,)
        Errors by the jackknife over runs.
    """
    runs = elpd.shape[1]
    without = np.array([_weights(np.delete(elpd, i, axis=1)) for i in range(runs)])
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return _weights(elpd), np.sqrt((runs - 1) / runs * spread)


def difference(elpd: Float, best: Float) -> tuple[float, float]:
    """Difference of two sums over runs and its standard error; both of shape (runs,)."""
    each = elpd - best
    return float(each.sum()), float(np.sqrt(len(each)) * each.std())


def _weights(elpd: Float) -> Float:
    if len(elpd) == 1:
        return np.ones(1)
    # ArviZ's statistics take half a second to load.
    from arviz_stats.loo.compare import compare
    from arviz_stats.utils import ELPDDataLOO

    # What is common to all models of a run changes no weight, but its exponential may overflow.
    shifted = np.maximum(elpd - elpd.max(axis=0), -_NOTHING)
    data = {
        str(i): ELPDDataLOO(
            elpd=float(row.sum()),
            se=0.0,
            p=0.0,
            n_samples=1,
            n_data_points=len(row),
            scale="log",
            warning=False,
            good_k=1.0,
            elpd_i=xr.DataArray(row, dims="run"),
        )
        for i, row in enumerate(shifted)
    }
    found = compare(data, method="stacking", round_to="none")["weight"]
    weights = found.loc[list(data)].to_numpy(dtype=float)
    # The optimiser may leave the simplex by a rounding error.
    weights = np.clip(weights, 0.0, 1.0)
    return np.asarray(weights / weights.sum())
