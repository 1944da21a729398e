"""Leave-one-run-out: how well each run is predicted from all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logsumexp

from bayescmr.comparison.bridge import log_density
from bayescmr.comparison.steps import Progress, Step
from bayescmr.errors import RunTableError
from bayescmr.model.settings import Effort
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.refit import refit
from bayescmr.posterior.subject import one_posterior

Float = npt.NDArray[np.float64]

#: Vehtari et al. 2024, JMLR 25(72): importance weights are unreliable above the smaller of this and
#: 1 - 1 / log10(draws).
MAX_KHAT = 0.7


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-run-out predictive densities of the general loss under one model.

    Parameters
    ----------
    table : DataFrame
        One row per run: run, size, domain, ratio, elpd (log predictive density of
        the run's trajectories given all other runs, nats), p_loo (its excess over that
        given all runs), khat, exact (whether refitted without the run), mc_error
        (Monte Carlo standard error of elpd), refit_converged (True where there was no refit).
    log_weights : ndarray, shape (runs, draws)
        Normalised log importance weights that take a run out of the posterior; Pareto
        smoothed. Unreliable where ``exact`` is True.
    refits : dict from run to Posterior
        Fits without a run, where its weights are unreliable; of the general loss alone.
    max_khat : float
        The threshold.
    """

    table: pd.DataFrame
    log_weights: Float
    refits: dict[str, Posterior]
    max_khat: float

    @property
    def reliable(self) -> npt.NDArray[np.bool_]:
        """Whether the weights of each run can be trusted, shape (runs,)."""
        # A k-hat that cannot be computed is no licence.
        return np.asarray(self.table["khat"] <= self.max_khat, dtype=bool)

    @property
    def elpd(self) -> float:
        """Sum over runs, nats."""
        return float(self.table["elpd"].sum())

    @property
    def se(self) -> float:
        """Standard error of the sum over runs."""
        values = self.table["elpd"].to_numpy(dtype=float)
        return float(np.sqrt(len(values)) * values.std())


def check_design(frame: pd.DataFrame, source: str) -> None:
    """Refuse a table of which no run can be left out.

    Raises
    ------
    RunTableError
        One run, or a general set that was measured in one run only.
    """
    rows = frame[frame["role"] == "general"]
    for name, runs in rows.groupby("eval_set")["run"].nunique().items():
        if runs < 2:
            raise RunTableError(
                f"{source}: general set {name!r}: got 1 run, expected at least 2: without it there"
                " is nothing to predict from"
            )


def leave_one_run_out(
    posterior: Posterior, *, effort: Effort | None = None, progress: Progress | None = None
) -> LeaveOneOut:
    """Predict each run's general loss from all others.

    Pareto-smoothed importance sampling (Vehtari, Gelman, Gabry 2017, doi
    10.1007/s11222-016-9696-4) with runs, not checkpoints, as observations: the
    run effects are integrated out. Where its k-hat says that the weights are
    unreliable, the model is fitted again without the run.

    Parameters
    ----------
    posterior : Posterior
        Fit to the whole table.
    effort : Effort, optional
        Draws of the refits.
    progress : callable, optional
        Told one line before each refit.

    Raises
    ------
    RunTableError
        The table has a general set of one run only.
    TargetError
        Draws from the prior, or a stacked posterior.
    """
    one_posterior(posterior)
    check_design(posterior.frame, posterior.provenance.source)
    block = posterior.general
    rows = posterior.frame[posterior.frame["role"] == "general"]
    runs, values = run_log_likelihood(block, rows)
    weighted = reweighted(posterior, values)
    table = weighted.table
    elpd, mc_error = (table[name].to_numpy(copy=True) for name in ("elpd", "mc_error"))
    bad = ~weighted.reliable
    refits: dict[str, Posterior] = {}
    for done, i in enumerate(np.flatnonzero(bad), 1):
        run = runs[i]
        if progress is not None:
            line = (
                f"{posterior.model.name}: refit {done} of {bad.sum()}, without run {run}"
                f" (k-hat {table['khat'].iloc[i]:.2f})"
            )
            progress(Step(line, int(bad.sum()) - done))
        keep = (posterior.frame["run"] != run).to_numpy()
        refits[run] = refit(posterior, keep, f"without run {run}", effort or Effort())
        own = refits[run].general
        _, without = run_log_likelihood(own, rows[rows["run"] == run])
        elpd[i], mc_error[i] = log_density(
            without[0].reshape(own.shape), values[i].reshape(block.shape)
        )
    table = table.assign(
        elpd=elpd,
        p_loo=_in_sample(values) - elpd,
        exact=bad,
        mc_error=mc_error,
        refit_converged=[refits[r].converged if r in refits else True for r in runs],
    )
    return LeaveOneOut(table, weighted.log_weights, refits, weighted.max_khat)


def reweighted(posterior: Posterior, log_likelihood: Float) -> LeaveOneOut:
    """Leave each run out by re-weighting alone: quick, and unreliable where ``khat`` says so.

    Parameters
    ----------
    posterior : Posterior
        Fit to the whole table.
    log_likelihood : ndarray, shape (runs, draws)
        Of its general loss, from :func:`bayescmr.posterior.pointwise.run_log_likelihood`.
    """
    from arviz_stats.base.array import array_stats

    rows = posterior.frame[posterior.frame["role"] == "general"]
    runs = sorted(rows["run"].unique())
    log_weights, khat = array_stats.psislw(log_likelihood, axis=-1)
    log_weights = log_weights - logsumexp(log_weights, axis=-1, keepdims=True)
    elpd = logsumexp(log_weights + log_likelihood, axis=-1)
    # Of a sum in logs: a density may exceed the predictive one by more than exp() can hold.
    spread = np.exp(log_weights + log_likelihood - elpd[:, None]) - np.exp(log_weights)
    table = rows.drop_duplicates("run").set_index("run").loc[runs, ["size", "domain", "ratio"]]
    table = table.reset_index().assign(
        elpd=elpd,
        p_loo=_in_sample(log_likelihood) - elpd,
        khat=khat,
        exact=False,
        mc_error=np.sqrt((spread**2).sum(axis=-1)),
        refit_converged=True,
    )
    limit = min(1.0 - 1.0 / float(np.log10(log_likelihood.shape[1])), MAX_KHAT)
    return LeaveOneOut(table, log_weights, {}, limit)


def _in_sample(log_likelihood: Float) -> Float:
    """Log density of each run given all runs, itself included."""
    return np.asarray(logsumexp(log_likelihood, axis=-1) - np.log(log_likelihood.shape[1]))
