"""Posterior of the critical mixture ratio of continued pre-training.

Names are imported on first use, so that ``import bayescmr`` stays quick and
loads neither PyMC nor torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescmr.campaign import open_store
    from bayescmr.campaign.campaign import Campaign, Snapshot
    from bayescmr.checks.influence import Influence, influence
    from bayescmr.checks.priors import PriorAlternatives, prior_alternatives, widen_priors
    from bayescmr.checks.review import DesignReview, design_review
    from bayescmr.checks.sbc import sbc
    from bayescmr.checks.sensitivity import Sensitivity, sensitivity
    from bayescmr.cmr import CMR, BestRatio, Target, best_ratio
    from bayescmr.comparison import Comparison, compare, leave_one_run_out
    from bayescmr.errors import BayesCMRError
    from bayescmr.model.spec import load_model, model_names
    from bayescmr.planning.advice import Advice
    from bayescmr.planning.cost import Cost
    from bayescmr.planning.explanation import Explanation, explain
    from bayescmr.planning.plan import plan
    from bayescmr.planning.read_space import read_space
    from bayescmr.planning.space import Space
    from bayescmr.posterior import (
        Posterior,
        StackedPosterior,
        fit,
        load,
        prior_predictive,
        simulate_runs,
    )
    from bayescmr.report.studies import Studies
    from bayescmr.runs import RunTable, read_runs

_HOME = {
    "Advice": "bayescmr.planning.advice",
    "BayesCMRError": "bayescmr.errors",
    "BestRatio": "bayescmr.cmr",
    "CMR": "bayescmr.cmr",
    "Campaign": "bayescmr.campaign.campaign",
    "Comparison": "bayescmr.comparison",
    "Cost": "bayescmr.planning.cost",
    "DesignReview": "bayescmr.checks.review",
    "Explanation": "bayescmr.planning.explanation",
    "Influence": "bayescmr.checks.influence",
    "Posterior": "bayescmr.posterior",
    "PriorAlternatives": "bayescmr.checks.priors",
    "RunTable": "bayescmr.runs",
    "Sensitivity": "bayescmr.checks.sensitivity",
    "Snapshot": "bayescmr.campaign.campaign",
    "Space": "bayescmr.planning.space",
    "StackedPosterior": "bayescmr.posterior",
    "Studies": "bayescmr.report.studies",
    "Target": "bayescmr.cmr",
    "best_ratio": "bayescmr.cmr",
    "compare": "bayescmr.comparison",
    "design_review": "bayescmr.checks.review",
    "explain": "bayescmr.planning.explanation",
    "fit": "bayescmr.posterior",
    "influence": "bayescmr.checks.influence",
    "leave_one_run_out": "bayescmr.comparison",
    "load": "bayescmr.posterior",
    "load_model": "bayescmr.model.spec",
    "model_names": "bayescmr.model.spec",
    "open_store": "bayescmr.campaign",
    "plan": "bayescmr.planning.plan",
    "prior_alternatives": "bayescmr.checks.priors",
    "prior_predictive": "bayescmr.posterior",
    "read_runs": "bayescmr.runs",
    "read_space": "bayescmr.planning.read_space",
    "sbc": "bayescmr.checks.sbc",
    "sensitivity": "bayescmr.checks.sensitivity",
    "simulate_runs": "bayescmr.posterior",
    "widen_priors": "bayescmr.checks.priors",
}

try:
    __version__ = version("bayescmr")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "CMR",
    "Advice",
    "BayesCMRError",
    "BestRatio",
    "Campaign",
    "Comparison",
    "Cost",
    "DesignReview",
    "Explanation",
    "Influence",
    "Posterior",
    "PriorAlternatives",
    "RunTable",
    "Sensitivity",
    "Snapshot",
    "Space",
    "StackedPosterior",
    "Studies",
    "Target",
    "best_ratio",
    "compare",
    "design_review",
    "explain",
    "fit",
    "influence",
    "leave_one_run_out",
    "load",
    "load_model",
    "model_names",
    "open_store",
    "plan",
    "prior_alternatives",
    "prior_predictive",
    "read_runs",
    "read_space",
    "sbc",
    "sensitivity",
    "simulate_runs",
    "widen_priors",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayescmr' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
