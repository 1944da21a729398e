"""Models compared by what they predict of runs they have not seen, and averaged by it."""

from __future__ import annotations

from bayescmr.comparison.compare import Comparison, compare
from bayescmr.comparison.loo import LeaveOneOut, leave_one_run_out

__all__ = ["Comparison", "LeaveOneOut", "compare", "leave_one_run_out"]
