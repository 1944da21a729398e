"""Does the answer hang on the runs that are least like the target? Refits without them."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from bayescmr.design.model_check import ModelCheck
from bayescmr.design.outlook import Float
from bayescmr.errors import DesignError

# Above this an answer moves more than the runs left out explain: two-sided 5 % of a normal.
LIMIT = 2.0
# Share of an sd that a refit may move for nothing: of the posterior's, for approximations and Monte
# Carlo error, or of that of an answer as precise as was asked for, if it is larger: no law is
# right to any precision, and what moves by less than matters is no reason against an answer.
_FLOOR = 0.3


def hausman(full: Float, sub: Float, asked: float = 0.0) -> float:
    """By how many standard errors an answer moves when runs are left out.

    If the model is right, both fits aim at the same value, and their difference has the variance
    that the left-out runs took away: ``var(sub) - var(full)``.

    Parameters
    ----------
    full : ndarray, shape (draws,)
        CMR from all runs.
    sub : ndarray, shape (other draws,)
        The same, from the fit without some of the runs.
    asked : float
        Standard deviation that would be precise enough; 0 where no precision was asked for.

    Returns
    -------
    float
        ``(mean(full) - mean(sub)) / sqrt(max(var(sub) - var(full), (0.3 max(sd(full),
        asked))**2))``; 0 where both are the same single value.

    Raises
    ------
    DesignError
        Unless there are two or more finite draws of each.

    References
    ----------
    Hausman 1978, Econometrica 46(6). The floor keeps a refit that is hardly wider from dividing
    by nothing.
    """
    for name, draws in (("full", full), ("sub", sub)):
        if draws.ndim != 1 or len(draws) < 2 or not np.isfinite(draws).all():
            raise DesignError(
                f"refit: {name}: got shape {draws.shape}, expected two or more finite draws"
            )
    moved = float(full.mean() - sub.mean())
    v_full, v_sub = float(full.var(ddof=1)), float(sub.var(ddof=1))
    scale = np.sqrt(max(v_sub - v_full, _FLOOR**2 * max(v_full, asked**2)))
    if scale > 0:
        return float(moved / scale)
    return 0.0 if moved == 0 else float(np.copysign(np.inf, moved))


def refit_check(
    name: str, full: Float, sub: Float | None, *, prob: float = 0.9, width: float | None = None
) -> ModelCheck:
    """Judge a refit without some of the runs.

    The test alone is weak: where few runs are left, a refit may say anything. So what it says
    counts as well: its interval is in the span.

    Parameters
    ----------
    name : str
        `SMALLEST_SIZE_OUT`, `FAR_RATIOS_OUT` or another.
    full : ndarray, shape (draws,)
        CMR from all runs.
    sub : ndarray, shape (other draws,) or None
        CMR from the refit; None where too few runs are left to fit.
    prob : float
        Of the equal-tailed intervals in the span.
    width : float or None
        Of such an interval, where one was asked for.
    """
    if sub is None:
        return ModelCheck(
            name, None, float("nan"), f"{name}: cannot be checked, too few runs would be left"
        )
    asked = 0.0 if width is None else width / (2.0 * NormalDist().inv_cdf(0.5 + prob / 2.0))
    z = hausman(full, sub, asked)
    passed = abs(z) <= LIMIT
    tails = 0.5 - prob / 2, 0.5 + prob / 2
    ends = np.array([np.quantile(draws, tails) for draws in (full, sub)])
    span = float(ends[:, 0].min()), float(ends[:, 1].max())
    return ModelCheck(
        name,
        passed,
        z,
        f"{name}: the CMR goes from {full.mean():.3g} to {sub.mean():.3g}, {abs(z):.1f} standard"
        f" errors ({'at most' if passed else 'more than'} {LIMIT:g}); the {prob:.0%} intervals"
        f" (eti) with and without are within {span[0]:.3g} to {span[1]:.3g}",
        span,
    )
