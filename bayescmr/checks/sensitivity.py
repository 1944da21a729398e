"""Does the CMR depend on the prior, and do the runs speak? Power-scaling of both.

Raising the prior, or the likelihood, to a power a little off 1 re-weights the draws; how
far the distribution of a quantity moves per doubling of the power is its
sensitivity. Kallioinen et al. 2024, doi 10.1007/s11222-023-10366-5, as ArviZ computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bayescmr.cmr import Target
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.pointwise import log_prior, run_log_likelihood
from bayescmr.posterior.subject import one_posterior

Float = npt.NDArray[np.float64]

#: Kallioinen et al. 2024, section 4.1; the default of ArviZ.
THRESHOLD = 0.05
#: Monte Carlo errors above which a sensitivity is told from chance.
_NOISE = 2.0
#: The CMR of a run not yet made, which decides.
NEW_RUN = "tolerance, new run"


@dataclass(frozen=True)
class Sensitivity:
    """Power-scaling sensitivity of the answer at one target.

    Parameters
    ----------
    target : Target
        The question.
    table : DataFrame, index quantity
        One row per CMR, and one for the tolerance CMR of a new run, which decides:
        prior, likelihood (sensitivities); of the prior also its parts, law (population
        values, slopes and effects given their sds), effect_sd and noise; of each its Monte
        Carlo error, prior_error and so on: what the same draws show between a
        quantity of one chain and log densities of another, which are unrelated; diagnosis,
        in words. NaN where a quantity is the same in every draw.
    """

    target: Target
    table: pd.DataFrame

    def matters(self, quantity: str) -> bool:
        """Whether the prior moves a quantity by more than the threshold and the noise."""
        return any(
            _matters(row, "prior") for name, row in self.table.iterrows() if name == quantity
        )

    @property
    def passed(self) -> bool:
        """True if no quantity depends on the prior beyond the threshold and its noise."""
        return not any(_matters(row, "prior") for _, row in self.table.iterrows())

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the stable format of ``bayescmr check sensitivity --json``."""
        return {
            "passed": self.passed,
            "threshold": THRESHOLD,
            "quantities": self.table.to_dict(orient="index"),
        }


def sensitivity(
    posterior: Answers, target: Target, *, log_likelihood: Float | None = None
) -> Sensitivity:
    """Sensitivity of the CMR to the prior and to the runs.

    Parameters
    ----------
    posterior : Posterior
        Fit of one model.
    target : Target
        The question.
    log_likelihood : ndarray, shape (runs, draws), optional
        Of the general loss, where it is known already
        (:func:`bayescmr.posterior.pointwise.run_log_likelihood`).

    Raises
    ------
    TargetError
        Draws from the prior, a stacked posterior, or a target that cannot be asked.
    """
    from bayescmr.model.data import block_data

    fit = one_posterior(posterior)
    cmr = fit.cmr(target)
    rows = fit.frame[fit.frame["role"] == "general"]
    prior = log_prior(fit.general, block_data(rows, fit.general.hierarchy).groups)
    runs = log_likelihood
    if runs is None:
        _, runs = run_log_likelihood(fit.general, rows)
    quantities = {str(name): draws for name, draws in cmr.draws.items()}
    quantities[NEW_RUN] = cmr.predictive["tolerance"].reshape(fit.shape)
    table = power_scaling(quantities, prior, runs.reshape(len(runs), *fit.shape))
    return Sensitivity(target, table)


def power_scaling(
    quantities: Mapping[str, Float], log_prior: Mapping[str, Float], log_likelihood: Float
) -> pd.DataFrame:
    """Table of :class:`Sensitivity` from draws.

    Parameters
    ----------
    quantities, log_prior : mapping from name to ndarray, shape (chains, draws)
        What is asked about; parts of the log prior density.
    log_likelihood : ndarray, shape (runs, chains, draws)
    """
    columns: dict[str, tuple[str, list[str] | None]] = {
        "prior": ("prior", None),
        "likelihood": ("likelihood", None),
        **{part: ("prior", [part]) for part in log_prior},
    }
    index = pd.Index(list(quantities), name="quantity")
    errors = [f"{column}_error" for column in columns]
    table = pd.DataFrame(np.nan, index=index, columns=[*columns, *errors])
    # ArviZ divides by the spread of a quantity.
    moving = {name: draws for name, draws in quantities.items() if np.ptp(draws) > 0}
    for column, (group, parts) in columns.items():
        found = _sensitivities(moving, log_prior, log_likelihood, group, parts)
        noise = [
            _sensitivities(unrelated, log_prior, log_likelihood, group, parts)
            for unrelated in _unrelated(moving)
        ]
        for name, value in found.items():
            table.loc[name, column] = value
            table.loc[name, f"{column}_error"] = np.sqrt(np.mean([n[name] ** 2 for n in noise]))
    return table.assign(diagnosis=[_diagnosis(row) for _, row in table.iterrows()])


def _unrelated(quantities: Mapping[str, Float]) -> list[dict[str, Float]]:
    """The quantities paired with the log densities of other chains, which know nothing of them."""
    chains = len(next(iter(quantities.values()))) if quantities else 1
    return [
        {name: np.roll(draws, k, axis=0) for name, draws in quantities.items()}
        for k in range(1, chains)
    ]


def _sensitivities(
    quantities: Mapping[str, Float],
    log_prior: Mapping[str, Float],
    log_likelihood: Float,
    group: str,
    parts: list[str] | None,
) -> dict[str, float]:
    """Sensitivity of each quantity to the prior, to parts of it, or to the likelihood."""
    from arviz_stats.psense import psense

    sample = ("chain", "draw")
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: (sample, draws) for name, draws in quantities.items()}),
            "log_prior": xr.Dataset({name: (sample, part) for name, part in log_prior.items()}),
            "log_likelihood": xr.Dataset({"runs": (("run", *sample), log_likelihood)}),
        }
    )
    if not quantities:
        return {}
    found = psense(tree, group=group, sample_dims=list(sample), group_var_names=parts)
    return {name: float(found[name]) for name in quantities}


def _matters(row: pd.Series, group: str) -> bool:
    """Whether a sensitivity lies above the threshold, and above what chance alone gives."""
    return bool(row[group] >= max(THRESHOLD, _NOISE * row[f"{group}_error"]))


def _diagnosis(row: pd.Series) -> str:
    if np.isnan(row["prior"]):
        return "the same in every draw"
    if row["prior"] < THRESHOLD:
        return "the prior hardly matters"
    if not _matters(row, "prior"):
        return "not determined: no more than the Monte Carlo error of these draws"
    if row["likelihood"] < THRESHOLD:
        return "strong prior or weak likelihood: the prior decides more than the runs do"
    return "possible prior-data conflict: prior and runs pull in different directions"
