"""What a report is asked, and everything that several of its sections need, computed once."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.prior_predictive import prior_of
from bayescmr.checks.sbc_result import SBCResult
from bayescmr.checks.sensitivity import Sensitivity, sensitivity
from bayescmr.cmr import CMR, Estimand, Target
from bayescmr.comparison.loo import LeaveOneOut, reweighted
from bayescmr.errors import ReportError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.stacked import StackedPosterior
from bayescmr.report.predictive_check import loo_pit, predictive_by_run
from bayescmr.report.words import count, name

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question to a posterior, with its answer and the checks that cost no fit.

    Parameters
    ----------
    posterior : Answers
        Draws.
    target : Target
        Size, domain, tokens, tolerance.
    risk : float
        Allowed chance of breaking the bound.
    estimand : {"tolerance", "turning_point", "gu"}
        The bound.
    prob : float
        Probability of every equal-tailed interval.
    file : str
        How commands of the report call the posterior file.
    sbc : SBCResult, optional
        A study of a model of the posterior at the design of its runs.
    """

    posterior: Answers
    target: Target
    risk: float
    estimand: Estimand
    prob: float
    file: str
    sbc: SBCResult | None = None

    def __post_init__(self) -> None:
        if self.sbc is None:
            return
        study = self.sbc.header
        models = {fit.model.fingerprint: m for m, fit in self.models.items()}
        if study["model_fingerprint"] not in models:
            raise ReportError(
                f"sbc: got a study of the model {study['model']}, expected one of"
                f" {', '.join(models.values())} with the priors of this posterior"
            )
        if study["design_fingerprint"] != self.posterior.provenance.fingerprint:
            raise ReportError(
                f"sbc: got a study of another design ({study['design']}), expected that of"
                f" the runs of this posterior: `bayescmr check sbc --design {self.table}`"
            )

    @cached_property
    def cmr(self) -> CMR:
        """Posterior of the critical mixture ratio at the target."""
        return self.posterior.cmr(self.target)

    @cached_property
    def ratio(self) -> float:
        """The decision: largest ratio whose risk is at most that allowed."""
        return self.cmr.decide(self.risk, self.estimand)

    @cached_property
    def chance(self) -> float:
        """Probability that a run at the decision, or a hair above 0, breaks the bound."""
        return self.cmr.risk_at(max(self.ratio, 1e-9), self.estimand)

    @property
    def from_prior(self) -> bool:
        """Whether no run was learnt from."""
        return self.posterior.kind == "prior"

    @property
    def models(self) -> Mapping[str, Posterior]:
        """The posterior of every model, by name."""
        if isinstance(self.posterior, StackedPosterior):
            return self.posterior.components
        assert isinstance(self.posterior, Posterior)
        return {self.posterior.model.name: self.posterior}

    @property
    def stacked(self) -> bool:
        """Whether several models are mixed."""
        return isinstance(self.posterior, StackedPosterior)

    @cached_property
    def general(self) -> pd.DataFrame:
        """Rows of the general loss."""
        frame = self.posterior.frame
        return frame[frame["role"] == "general"]

    @cached_property
    def probed(self) -> pd.DataFrame:
        """Rows of the general loss in the target's domain, or in all where it was not probed."""
        own = self.general[self.general["domain"] == self.target.domain]
        return own if len(own) else self.general

    @property
    def domain(self) -> str:
        """The target's domain on one line."""
        return name(self.target.domain, 60)

    @cached_property
    def tolerance_nats(self) -> float | dict[str, float]:
        """Tolerance in nats/token; a share is taken of the base at the target's size."""
        target = self.target
        if target.tolerance_unit == "nats":
            given = target.tolerance
            return dict(given) if isinstance(given, Mapping) else float(given)
        rows = self.general[(self.general["size"] / target.size - 1).abs() < 1e-9]
        bases = rows.groupby("eval_set")["base"].mean()
        return {s: target.tolerance_of(s, float(bases.get(s, np.nan))) for s in self.cmr.eval_sets}

    # -- checks that cost no fit; empty for draws from the prior -----------------------------

    @cached_property
    def log_likelihoods(self) -> dict[str, Float]:
        """Log likelihood of every run at every draw, by model; shape (runs, draws)."""
        if self.from_prior:
            return {}
        return {
            model: run_log_likelihood(fit.general, self.general)[1]
            for model, fit in self.models.items()
        }

    @cached_property
    def loos(self) -> dict[str, LeaveOneOut]:
        """Leave-one-run-out by re-weighting; empty where no run can be left out."""
        if self.general.groupby("eval_set")["run"].nunique().min() < 2:
            return {}
        return {m: reweighted(self.models[m], v) for m, v in self.log_likelihoods.items()}

    @cached_property
    def predictions(self) -> dict[str, pd.DataFrame]:
        """Last checkpoint of every run and what is predicted of it, by model."""
        if self.from_prior:
            return {}
        return {m: predictive_by_run(fit, prob=self.prob) for m, fit in self.models.items()}

    @cached_property
    def loo_pits(self) -> dict[str, pd.DataFrame]:
        """The same, predicted from all other runs, by model; runs that can be left out only."""
        found = {}
        for model, loo in self.loos.items():
            pits = loo_pit(self.models[model], loo)
            found[model] = pits[pits["khat"] <= loo.max_khat].reset_index(drop=True)
        return found

    @cached_property
    def sensitivities(self) -> dict[str, Sensitivity]:
        """Power-scaling sensitivity, by model."""
        return {
            m: sensitivity(self.models[m], self.target, log_likelihood=v)
            for m, v in self.log_likelihoods.items()
        }

    @cached_property
    def priors(self) -> dict[str, Posterior]:
        """Prior draws at the design of the runs, by model."""
        return {model: prior_of(fit) for model, fit in self.models.items()}

    # -- names and commands ------------------------------------------------------------------

    @cached_property
    def source(self) -> str:
        """File name of the run table."""
        return name(PurePath(self.posterior.provenance.source).name, 60)

    @property
    def table(self) -> str:
        """The run table as a word of a command."""
        return shlex.quote(self.source)

    @cached_property
    def options(self) -> str:
        """The target as options of the command line."""
        target = self.target
        words = [f"--size {count(target.size)}", f"--domain {shlex.quote(self.domain)}"]
        words.append(f"--tokens {count(target.tokens)}")
        if isinstance(target.tolerance, Mapping):
            words += [
                f"--set-tolerance {shlex.quote(f'{name(s)}={value:g}')}"
                for s, value in target.tolerance.items()
            ]
        else:
            words.append(f"--tolerance {target.tolerance:g}")
        if target.tolerance_unit == "share":
            words.append("--tolerance-unit share")
        return " ".join(words)

    @cached_property
    def posterior_fingerprint(self) -> str:
        """SHA-256 of all draws, models and the fingerprint of the run table."""
        digest = hashlib.sha256(self.posterior.provenance.fingerprint.encode())
        weights = self.posterior.weights if isinstance(self.posterior, StackedPosterior) else {}
        digest.update(json.dumps(weights, sort_keys=True).encode())
        for model, fit in self.models.items():
            digest.update(f"{model} {fit.kind} {fit.model.fingerprint}".encode())
            for role, block in fit.blocks.items():
                digest.update(role.encode())
                for values in (block.coef, block.ln_effect_sd, block.noise):
                    digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return digest.hexdigest()
