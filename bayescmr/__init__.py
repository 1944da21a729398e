"""Posterior of the critical mixture ratio of continued pre-training.

Names are imported on first use, so that ``import bayescmr`` stays quick and
loads neither PyMC nor torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayescmr.checks.sbc import sbc
    from bayescmr.cmr import CMR, Target
    from bayescmr.errors import BayesCMRError
    from bayescmr.model.spec import load_model, model_names
    from bayescmr.posterior import Posterior, fit, load, prior_predictive, simulate_runs
    from bayescmr.runs import RunTable, read_runs

_HOME = {
    "BayesCMRError": "bayescmr.errors",
    "CMR": "bayescmr.cmr",
    "Posterior": "bayescmr.posterior",
    "RunTable": "bayescmr.runs",
    "Target": "bayescmr.cmr",
    "fit": "bayescmr.posterior",
    "load": "bayescmr.posterior",
    "load_model": "bayescmr.model.spec",
    "model_names": "bayescmr.model.spec",
    "prior_predictive": "bayescmr.posterior",
    "read_runs": "bayescmr.runs",
    "sbc": "bayescmr.checks.sbc",
    "simulate_runs": "bayescmr.posterior",
}

try:
    __version__ = version("bayescmr")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "CMR",
    "BayesCMRError",
    "Posterior",
    "RunTable",
    "Target",
    "fit",
    "load",
    "load_model",
    "model_names",
    "prior_predictive",
    "read_runs",
    "sbc",
    "simulate_runs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayescmr' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
