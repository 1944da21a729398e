"""The review of a design: every check, before anything is fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bayescmr.checks.outcome import STATUSES, Check, Status
from bayescmr.checks.review import information, lengths, ratios, reach, recipes, scatter
from bayescmr.checks.review.design import Design
from bayescmr.cmr import Target
from bayescmr.errors import RunTableError, TargetError
from bayescmr.model.spec import ModelSpec, load_model
from bayescmr.runs import RunTable
from bayescmr.values import is_number

#: In the order in which they are told: the question, the runs, how they were made.
CHECKS: tuple[Callable[[Design], Check], ...] = (
    ratios.tolerance_bracket,
    ratios.turning_bracket,
    ratios.no_replay,
    ratios.sizes_cross_ratios,
    information.law_parameters,
    lengths.sizes,
    lengths.token_budgets,
    lengths.checkpoints,
    lengths.base_loss,
    scatter.repeats,
    scatter.copies,
    scatter.frozen,
    scatter.rounding,
    scatter.smoothness,
    scatter.lost_runs,
    recipes.schedules,
    recipes.learning_rates,
    recipes.loss_modes,
    recipes.domain_epochs,
    reach.general_sets,
    reach.target_size,
    reach.target_tokens,
    reach.target_domain,
)


@dataclass(frozen=True)
class DesignReview:
    """What is wrong or weak in a design, and what to add.

    Parameters
    ----------
    checks : tuple of Check
        In the order of :data:`CHECKS`.
    source : str
        The table.
    """

    checks: tuple[Check, ...]
    source: str

    @property
    def status(self) -> Status:
        """The worst of all: FAIL, else REVIEW, else PASS."""
        found = {check.status for check in self.checks}
        return "FAIL" if "FAIL" in found else "REVIEW" if "REVIEW" in found else "PASS"

    def of(self, status: Status) -> tuple[Check, ...]:
        """Checks of one status, in order."""
        return tuple(check for check in self.checks if check.status == status)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the stable format of ``bayescmr check data --json``."""
        return {
            "status": self.status,
            "source": self.source,
            "counts": {status: len(self.of(status)) for status in STATUSES},
            "checks": [asdict(check) for check in self.checks],
        }

    def __str__(self) -> str:
        counts = [f"{len(self.of(s))} {s}" for s in STATUSES if self.of(s)]
        return f"{self.status} ({', '.join(counts)})"


def design_review(
    runs: RunTable,
    target: Target | None = None,
    *,
    tolerance: float = 0.05,
    model: str | ModelSpec = "turning_point",
) -> DesignReview:
    """Say what is wrong or weak in a design before any fit, and which run to add.

    Parameters
    ----------
    runs : RunTable
        From :func:`bayescmr.read_runs`, which has refused what cannot be used at all.
    target : Target, optional
        What will be asked; without it, distances to it are not checked.
    tolerance : float
        Allowed rise in nats/token, where there is no target.
    model : str or ModelSpec
        What will be fitted.

    Returns
    -------
    DesignReview
        Checks with PASS, REVIEW, FAIL or NOT RUN, value, threshold, its source, and advice.

    Raises
    ------
    RunTableError, ModelError, TargetError
        ``runs`` is no run table, the model is unknown, or the target cannot be asked.
    """
    if not isinstance(runs, RunTable):
        raise RunTableError(
            f"runs: got a {type(runs).__name__}, expected a RunTable; use read_runs(path) or"
            " RunTable.from_frame(frame)"
        )
    if target is not None and not isinstance(target, Target):
        raise TargetError(f"target: got a {type(target).__name__}, expected a Target, or None")
    if not is_number(tolerance) or tolerance < 0:
        raise TargetError(f"tolerance: got {tolerance!r}, expected a number >= 0 (nats/token)")
    spec = model if isinstance(model, ModelSpec) else load_model(model)
    design = Design(runs, target, float(tolerance), spec)
    if target is not None and design.ends.empty:
        raise TargetError(
            "tolerance: names none of the general sets of the table, which are"
            f" {', '.join(runs.eval_sets('general'))}"
        )
    return DesignReview(tuple(check(design) for check in CHECKS), runs.source)
