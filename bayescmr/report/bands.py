"""The numbers behind the figures, as tables: what is drawn can be checked and drawn anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.cmr import CMR, ESTIMANDS, Estimand, Target
from bayescmr.errors import TargetError
from bayescmr.posterior.answers import Answers
from bayescmr.posterior.intervals import PROB

Float = npt.NDArray[np.float64]

#: Points of a curve.
_POINTS = 60
#: Half-width over which a density is smoothed at least: a constant CMR is a spike, not an error.
_LEAST_WIDTH = 1e-4


def probed(posterior: Answers, domain: str) -> pd.DataFrame:
    """Rows of the general loss of one domain.

    Raises
    ------
    TargetError
        No run of this domain was fitted.
    """
    frame = posterior.frame
    rows = frame[(frame["role"] == "general") & (frame["domain"] == domain)]
    if rows.empty:
        known = ", ".join(sorted(frame["domain"].unique()))
        raise TargetError(f"domain: got {domain!r}, expected one that was probed: {known}")
    return rows


def trajectory_points(
    posterior: Answers,
    *,
    domain: str,
    sizes: Sequence[float] | None = None,
    eval_set: str | None = None,
) -> pd.DataFrame:
    """Measured changes of the general loss.

    Parameters
    ----------
    posterior : Answers
        Holds the run table.
    domain : str
        A probed domain.
    sizes : sequence of float, optional
        Sizes (count); default: all that were probed.
    eval_set : str, optional
        Needed only where there are several general sets.

    Returns
    -------
    DataFrame
        size, domain, eval_set, ratio, run, tokens, change (nats/token).
    """
    rows = probed(posterior, domain)
    rows = rows[rows["eval_set"] == posterior.only_set("general", eval_set)]
    if sizes is not None:
        rows = rows[rows["size"].isin(list(sizes))]
    columns = ["size", "domain", "eval_set", "ratio", "run", "tokens", "change"]
    return rows[columns].sort_values(["size", "ratio", "run", "tokens"], ignore_index=True)


def trajectory_bands(
    posterior: Answers,
    *,
    domain: str,
    sizes: Sequence[float] | None = None,
    ratios: Sequence[float] | None = None,
    tokens: Sequence[float] | None = None,
    eval_set: str | None = None,
    prob: float = PROB,
) -> pd.DataFrame:
    """Rise of the general loss against tokens: the mean curve of all runs of a ratio.

    Parameters
    ----------
    posterior : Answers
        Draws.
    domain : str
        A probed domain.
    sizes : sequence of float, optional
        Sizes (count), probed or not; default: all that were probed.
    ratios : sequence of float, optional
        Domain shares; default: for each size those that were probed, and for a
        size that was not probed those of the domain.
    tokens : sequence of float, optional
        CPT tokens (count); default: 60 points over the probed range.
    eval_set : str, optional
        Needed only where there are several general sets.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        size, domain, eval_set, ratio, tokens, median, lower, upper (nats/token), prob.
    """
    rows = probed(posterior, domain)
    chosen = posterior.only_set("general", eval_set)
    grid = _grid(tokens, rows["tokens"])
    tables = []
    for size in _ascending(rows["size"] if sizes is None else sizes):
        here = rows[rows["size"] == size]
        known = (here if len(here) else rows)["ratio"]
        for ratio in _ascending(known if ratios is None else ratios):
            table = posterior.predict(
                "general",
                size=size,
                domain=domain,
                tokens=grid,
                ratio=ratio,
                eval_set=chosen,
                prob=prob,
            )
            tables.append(table.assign(size=size, domain=domain, eval_set=chosen))
    columns = ["size", "domain", "eval_set", "ratio", "tokens", "median", "lower", "upper", "prob"]
    return pd.concat(tables, ignore_index=True)[columns]


def cmr_densities(cmr: CMR, *, points: int = 512) -> pd.DataFrame:
    """Density of each estimand strictly between 0 and 1; the rest lies in the atoms.

    Parameters
    ----------
    cmr : CMR
        Answer at one target.
    points : int
        Points at which a density is evaluated.

    Returns
    -------
    DataFrame
        estimand, ratio, density, p_none, p_all. The density integrates to
        ``1 - p_none - p_all`` over [0, 1].
    """
    tables = []
    for name in ESTIMANDS:
        summary = cmr.summary(name)
        draws = cmr.draws[name].ravel()
        ratio, density = _density(draws[(draws > 0) & (draws < 1)], points)
        weight = 1.0 - summary.p_none - summary.p_all
        table = pd.DataFrame({"ratio": ratio, "density": weight * density})
        tables.append(table.assign(estimand=name, p_none=summary.p_none, p_all=summary.p_all))
    columns = ["estimand", "ratio", "density", "p_none", "p_all"]
    return pd.concat(tables, ignore_index=True)[columns]


def cmr_against_tokens(
    posterior: Answers,
    *,
    domain: str,
    sizes: Sequence[float] | None = None,
    tolerance: float | Mapping[str, float] = 0.05,
    tokens: Sequence[float] | None = None,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
) -> pd.DataFrame:
    """Critical mixture ratio against the token budget.

    Parameters
    ----------
    posterior : Answers
        Draws.
    domain : str
        A probed domain.
    sizes : sequence of float, optional
        Sizes (count), probed or not; default: all that were probed.
    tolerance : float or mapping from eval_set to float
        Allowed rise, nats/token.
    tokens : sequence of float, optional
        Budgets (count); default: 60 points over the probed range.
    estimand : {"tolerance", "turning_point", "gu"}
        Which ratio.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        size, domain, tokens, estimand, median, lower, upper, prob, p_none, p_all.
    """
    rows = probed(posterior, domain)
    return _cmrs(
        posterior,
        (
            Target(size, domain, budget, tolerance)
            for size in _ascending(rows["size"] if sizes is None else sizes)
            for budget in _grid(tokens, rows["tokens"])
        ),
        estimand,
        prob,
    )


def cmr_against_size(
    posterior: Answers,
    *,
    domain: str,
    tokens: float,
    sizes: Sequence[float] | None = None,
    tolerance: float | Mapping[str, float] = 0.05,
    estimand: Estimand = "tolerance",
    prob: float = PROB,
) -> pd.DataFrame:
    """Critical mixture ratio against model size, within the probed sizes and beyond.

    Parameters
    ----------
    posterior : Answers
        Draws.
    domain : str
        A probed domain.
    tokens : float
        Budget (count).
    sizes : sequence of float, optional
        Sizes (count); default: every probed size, and 60 points from half the
        smallest to four times the largest.
    tolerance, estimand, prob
        As in :func:`cmr_against_tokens`.

    Returns
    -------
    DataFrame
        size, domain, tokens, estimand, median, lower, upper, prob, p_none, p_all.
    """
    if sizes is None:
        known = probed(posterior, domain)["size"]
        ends = np.geomspace(known.min() / 2, known.max() * 4, _POINTS)
        # Bands are narrowest at the probed sizes: they must not fall between two points.
        sizes = [*ends, *known.unique()]
    targets = (Target(size, domain, tokens, tolerance) for size in _ascending(sizes))
    return _cmrs(posterior, targets, estimand, prob)


def _cmrs(
    posterior: Answers, targets: Iterable[Target], estimand: Estimand, prob: float
) -> pd.DataFrame:
    found = []
    for target in targets:
        summary = posterior.cmr(target).summary(estimand, prob)
        found.append(
            {
                "size": target.size,
                "domain": target.domain,
                "tokens": target.tokens,
                "estimand": estimand,
                "median": summary.median,
                "lower": summary.lower,
                "upper": summary.upper,
                "prob": prob,
                "p_none": summary.p_none,
                "p_all": summary.p_all,
            }
        )
    return pd.DataFrame(found)


def _ascending(values: Iterable[float]) -> list[float]:
    return sorted({float(v) for v in values})


def _grid(tokens: Sequence[float] | None, measured: pd.Series) -> Float:
    if tokens is not None:
        return np.asarray(_ascending(tokens))
    return np.geomspace(float(measured.min()), float(measured.max()), _POINTS)


def _density(draws: Float, points: int) -> tuple[Float, Float]:
    """Gaussian kernel density on [0, 1], reflected at both ends so that no mass leaks out."""
    if len(draws) == 0:
        return np.linspace(0.0, 1.0, points), np.zeros(points)
    spread = min(float(draws.std()), float(np.subtract(*np.quantile(draws, [0.75, 0.25])) / 1.34))
    width = max(0.9 * spread * len(draws) ** -0.2, _LEAST_WIDTH)
    low, high = max(0.0, draws.min() - 4 * width), min(1.0, draws.max() + 4 * width)
    ratio = np.linspace(low, high, points)
    # Binned first: 10^5 draws cost no more than a thousand.
    edges = np.linspace(low, high, 8 * points + 1)
    counts = np.histogram(draws, bins=edges)[0] / len(draws)
    at = 0.5 * (edges[1:] + edges[:-1])
    used = counts > 0
    at, counts = at[used], counts[used]
    mirrored = np.concatenate([at, -at, 2.0 - at])
    z = (ratio[:, None] - mirrored[None, :]) / width
    kernel = np.exp(-0.5 * z**2) / (width * np.sqrt(2 * np.pi))
    return ratio, np.asarray(kernel @ np.tile(counts, 3))
