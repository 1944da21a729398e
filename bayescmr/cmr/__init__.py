"""Critical mixture ratio: target, estimands, decision."""

from __future__ import annotations

from bayescmr.cmr.domain_limited import BestRatio, best_ratio
from bayescmr.cmr.estimands import ESTIMANDS, Estimand
from bayescmr.cmr.result import CMR, Summary, critical_mixture_ratio
from bayescmr.cmr.target import Target

__all__ = [
    "CMR",
    "ESTIMANDS",
    "BestRatio",
    "Estimand",
    "Summary",
    "Target",
    "best_ratio",
    "critical_mixture_ratio",
]
