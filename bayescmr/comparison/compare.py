"""Compare models by what they predict of runs they have not seen, and average them by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bayescmr.comparison.holdout import forward_in_tokens, leave_one_size_out
from bayescmr.comparison.loo import LeaveOneOut, check_design, leave_one_run_out
from bayescmr.comparison.steps import Progress, Step
from bayescmr.comparison.weights import difference, stacking_weights
from bayescmr.errors import ModelError, RunTableError, SamplingError
from bayescmr.model.settings import Effort, Settings
from bayescmr.model.spec import ModelSpec, load_model
from bayescmr.posterior.fitting import fit
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.stacked import StackedPosterior
from bayescmr.runs import RunTable

#: Two models whose difference lies within this many standard errors are not told apart.
_CLEAR = 2.0
#: Below this many runs the standard error of a difference is itself a rough guess:
#: Sivula et al. 2020, arXiv 2008.10296.
_FEW = 100


@dataclass(frozen=True)
class Comparison:
    """Models compared on one run table, by the general loss.

    Parameters
    ----------
    fits : dict from model name to Posterior
        Fits to the whole table.
    loo : dict from model name to LeaveOneOut
        Leave-one-run-out predictive densities.
    table : DataFrame, index model
        Best model first: converged; elpd and se (sum over runs of the log predictive
        density of a left-out run, nats); elpd_diff and diff_se (to the best); p_loo
        (effective parameters); worst_khat; exact_refits (runs whose weights were unreliable);
        mc_error (of elpd); refits_not_converged; crps_size_out, crps_forward (nats/token,
        lower is better; see :mod:`bayescmr.comparison.holdout`); weight and weight_se.
        Models that have not converged have weight 0.
    """

    fits: dict[str, Posterior]
    loo: dict[str, LeaveOneOut]
    table: pd.DataFrame

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weights by model, in the order of the table."""
        return {str(name): float(weight) for name, weight in self.table["weight"].items()}

    @property
    def converged(self) -> bool:
        """True if at least one model has converged, so that there is something to average."""
        return bool(self.table["converged"].any())

    @cached_property
    def stacked(self) -> StackedPosterior:
        """The models mixed by their weights: answers like the posterior of one model.

        Raises
        ------
        SamplingError
            No model has converged.
        """
        if not self.converged:
            raise SamplingError(
                "no model has converged, so there is nothing to average: sample for longer, or"
                " leave out the first checkpoints (min_tokens)"
            )
        return StackedPosterior.of(
            self.fits,
            self.weights,
            {
                "method": "stacking of leave-one-run-out predictive densities (general loss)",
                "weight_se": {str(k): float(v) for k, v in self.table["weight_se"].items()},
                "converged": {str(k): bool(v) for k, v in self.table["converged"].items()},
            },
        )

    @property
    def sentences(self) -> list[str]:
        """What the table says, and what it does not."""
        found = []
        table = self.table
        for name in table.index[~table["converged"]]:
            problems = "; ".join(self.fits[name].verdict.problems)
            found.append(f"{name} has not converged and gets weight 0: {problems}")
        good = table[table["converged"]]
        if good.empty:
            return [*found, "no model has converged: there is nothing to average"]
        best = str(good.index[0])
        for name, row in good.iloc[1:].iterrows():
            gap, se = -row["elpd_diff"], row["diff_se"]
            figures = f"{gap:.1f} ± {se:.1f} nats (± one standard error)"
            if gap > _CLEAR * se:
                found.append(f"{best} predicts left-out runs better than {name}, by {figures}")
            else:
                found.append(
                    f"the runs do not tell {name} from {best} ({figures}), so their weights are"
                    " not determined by the data; the average is the honest answer"
                )
        runs = len(self.loo[best].table)
        if len(good) > 1 and runs < _FEW:
            found.append(f"with {runs} runs these standard errors are rough")
        for name in good.index[good["mc_error"] > 1.0]:
            error = good.loc[name, "mc_error"]
            found.append(
                f"the elpd of {name} has a Monte Carlo error of {error:.1f} nats:"
                " some run says more than the draws can follow; use more refit draws"
            )
        for name in table.index[table["refits_not_converged"] > 0]:
            found.append(
                f"{table.loc[name, 'refits_not_converged']} of {table.loc[name, 'exact_refits']}"
                f" refits of {name} did not pass the convergence checks: use more refit draws"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data: the stable format of ``bayescmr compare --json``."""
        return {
            "converged": self.converged,
            "models": {
                str(name): {key: _plain(value) for key, value in row.items()}
                for name, row in self.table.iterrows()
            },
            "sentences": self.sentences,
        }

    def __str__(self) -> str:
        text = self.table.to_string(float_format=lambda value: f"{value:.4g}")
        return "\n".join([text, *self.sentences])


def compare(
    runs: RunTable,
    models: Sequence[str | ModelSpec],
    *,
    seed: int,
    draws: int = Settings.draws,
    tune: int = Settings.tune,
    chains: int = Settings.chains,
    refit_draws: int = Effort.draws,
    refit_tune: int = Effort.tune,
    cores: int | None = Settings.cores,
    progress: Progress | None = None,
) -> Comparison:
    """Fit several models, score what they predict of left-out runs, and weigh them by it.

    Parameters
    ----------
    runs : RunTable
        From :func:`bayescmr.read_runs`.
    models : sequence of str or ModelSpec
        Shipped names, paths of YAML files, or specifications; one suffices.
    seed : int
        Same seed, same result.
    draws, tune, chains : int
        Kept and warm-up draws per chain; chains: of the fits to the whole table.
    refit_draws, refit_tune : int
        The same, of the refits without a run, without a size, and to half the tokens.
    cores : int, optional
        Default: all.
    progress : callable, optional
        Told one line before each fit.

    Raises
    ------
    RunTableError, ModelError
        Before any sampling: no model, one twice, or a table of which no run can be left out.
    SamplingError
        The sampler failed.
    """
    specs = _specs(models)
    if not isinstance(runs, RunTable):
        raise RunTableError(
            f"runs: got a {type(runs).__name__}, expected a RunTable; use read_runs(path) or"
            " RunTable.from_frame(frame)"
        )
    check_design(runs.frame, runs.source)
    effort = Effort(refit_draws, refit_tune)
    fits: dict[str, Posterior] = {}
    loos: dict[str, LeaveOneOut] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name, spec in specs.items():
        if progress is not None:
            progress(Step(f"{name}: fit to all runs"))
        fits[name] = fit(
            runs, seed=seed, model=spec, draws=draws, tune=tune, chains=chains, cores=cores
        )
        loos[name] = leave_one_run_out(fits[name], effort=effort, progress=progress)
        rows[name] = _row(fits[name], loos[name]) | {
            "crps_size_out": leave_one_size_out(fits[name], effort, progress),
            "crps_forward": forward_in_tokens(fits[name], effort, progress),
        }
    return Comparison(fits, loos, _table(pd.DataFrame.from_dict(rows, orient="index"), loos))


def _specs(models: Sequence[str | ModelSpec]) -> dict[str, ModelSpec]:
    if isinstance(models, str) or not models:
        raise ModelError(f"models: got {models!r}, expected a list, for example ['turning_point']")
    specs: dict[str, ModelSpec] = {}
    for model in models:
        spec = model if isinstance(model, ModelSpec) else load_model(model)
        if spec.name in specs:
            raise ModelError(f"models: got {spec.name!r} twice, expected each name once")
        specs[spec.name] = spec
    return specs


def _row(posterior: Posterior, loo: LeaveOneOut) -> dict[str, Any]:
    table = loo.table
    return {
        "converged": posterior.converged,
        "elpd": loo.elpd,
        "se": loo.se,
        "p_loo": float(table["p_loo"].sum()),
        "worst_khat": float(table["khat"].max()),
        "exact_refits": int(table["exact"].sum()),
        "mc_error": float(np.sqrt((table["mc_error"] ** 2).sum())),
        "refits_not_converged": int((~table["refit_converged"]).sum()),
    }


def _table(rows: pd.DataFrame, loos: Mapping[str, LeaveOneOut]) -> pd.DataFrame:
    """Add differences and weights; best first, those that have not converged last."""
    rows = rows.astype({"converged": bool, "exact_refits": int, "refits_not_converged": int})
    table = rows.sort_values(["converged", "elpd"], ascending=False)
    table.index.name = "model"
    elpd = {name: loo.table["elpd"].to_numpy(dtype=float) for name, loo in loos.items()}
    good = [str(name) for name in table.index[table["converged"]]]
    best = elpd[good[0] if good else str(table.index[0])]
    table[["elpd_diff", "diff_se"]] = [difference(elpd[str(name)], best) for name in table.index]
    table[["weight", "weight_se"]] = 0.0
    if good:
        weight, error = stacking_weights(np.array([elpd[name] for name in good]))
        table.loc[good, "weight"], table.loc[good, "weight_se"] = weight, error
    order = (
        "converged elpd se elpd_diff diff_se p_loo worst_khat exact_refits mc_error"
        " refits_not_converged crps_size_out crps_forward weight weight_se"
    )
    return table[order.split()]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
