"""What a report is asked, and everything that several of its sections need, computed once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.checks.about import About
from bayescmr.checks.prior_predictive import prior_of
from bayescmr.checks.sensitivity import Sensitivity, sensitivity
from bayescmr.cmr import CMR, Estimand, Target
from bayescmr.comparison.loo import LeaveOneOut, reweighted
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.fingerprint import models_of
from bayescmr.posterior.intervals import PROB
from bayescmr.posterior.pointwise import run_log_likelihood
from bayescmr.posterior.posterior import Posterior
from bayescmr.posterior.stacked import StackedPosterior
from bayescmr.report.predictive_check import loo_pit, predictive_by_run
from bayescmr.report.studies import NONE, Studies
from bayescmr.words import count, name

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
    studies : Studies
        Results of checks that take fits.
    """

    posterior: Answers
    target: Target
    risk: float
    estimand: Estimand
    prob: float
    file: str
    studies: Studies = NONE

    @cached_property
    def about(self) -> About:
        """The draws and the question, as results of checks name them."""
        return About.of(self.posterior, self.target, self.risk, self.estimand, self.prob)

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
        return models_of(self.posterior)

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
        words = [f"--size {_exact(target.size, count(target.size))}"]
        words.append(f"--domain {shlex.quote(self.domain)}")
        words.append(f"--tokens {_exact(target.tokens, count(target.tokens))}")
        words += _each("--tolerance", "--set-tolerance", target.tolerance)
        if target.tolerance_unit == "share":
            words.append("--tolerance-unit share")
        if target.base is not None:
            words += _each("--base", "--base", target.base)
        return " ".join(words)

    @property
    def question(self) -> str:
        """The whole question as options: target, risk, and bound and intervals unless default."""
        words = f"{self.options} --risk {_exact(self.risk)}"
        if self.estimand != "tolerance":
            words += f" --estimand {self.estimand}"
        return words if self.prob == PROB else f"{words} --prob {_exact(self.prob)}"

    def check_command(self, study: str, more: str = "") -> str:
        """Command of a check that takes fits, whose result a report can take."""
        return f"bayescmr check {study} {self.file} {self.question}{more} --out {study}.json"

    def report_command(self, more: str = "") -> str:
        """Command of this report."""
        return f"bayescmr report {self.file} {self.question}{more}"

    @property
    def posterior_fingerprint(self) -> str:
        """SHA-256 of all draws, models and the fingerprint of the run table."""
        return self.about.draws_fingerprint


def _exact(value: float, short: str = "") -> str:
    """Return a number as it is typed, in few digits only where these are all."""
    short = short or f"{value:g}"
    return short if float(short) == value else repr(float(value))


def _each(option: str, of_set: str, value: float | Mapping[str, float]) -> list[str]:
    """Options for one number, or for one per evaluation set."""
    if not isinstance(value, Mapping):
        return [f"{option} {_exact(value)}"]
    return [f"{of_set} {shlex.quote(f'{name(s, 60)}={_exact(v)}')}" for s, v in value.items()]
