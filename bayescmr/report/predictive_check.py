"""What the posterior predicts of each run, against what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from bayescmr.comparison.loo import LeaveOneOut
from bayescmr.errors import CheckError
from bayescmr.model.scales import covariance
from bayescmr.posterior.block import BlockPosterior
from bayescmr.posterior.intervals import PROB, check_prob
from bayescmr.posterior.posterior import Posterior
from bayescmr.report import style
from bayescmr.words import LONGEST, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Float = npt.NDArray[np.float64]
_IN, _OUT = "#0072B2", "#D55E00"


def predictive_by_run(posterior: Posterior, *, prob: float = PROB) -> pd.DataFrame:
    """Last checkpoint of every run on every general set: measured, and predicted of a new run.

    Predictions are of another run at the same size, domain, ratio and tokens: run effect, drift
    and measurement error are drawn anew.

    Parameters
    ----------
    posterior : Posterior
        Draws and run table.
    prob : float
        Probability of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        run, size, domain, eval_set, ratio, tokens, change (measured), median, lower, upper
        (predicted; nats/token), inside, prob; by domain, size, ratio.
    """
    check_prob(prob)
    block = posterior.general
    rows = _last_checkpoints(posterior)
    rng = np.random.default_rng([block.seed, 5])
    noise = rng.standard_normal(block.n_draws)
    tail = (1.0 - prob) / 2.0
    quantiles = []
    for _, row in rows.iterrows():
        mean, sd = _prediction(block, row)
        quantiles.append(np.quantile(mean + sd * noise, [0.5, tail, 1.0 - tail]))
    rows[["median", "lower", "upper"]] = np.array(quantiles)
    return rows.assign(inside=rows["change"].between(rows["lower"], rows["upper"]), prob=prob)


def loo_pit(posterior: Posterior, loo: LeaveOneOut) -> pd.DataFrame:
    """Probability that each run's last checkpoint is exceeded downwards, given all other runs.

    Uniform where predictions are calibrated. Values share the other runs, so they are not quite
    independent.

    Parameters
    ----------
    posterior : Posterior
        Fit to the whole table.
    loo : LeaveOneOut
        Of this posterior.

    Returns
    -------
    DataFrame
        run, size, domain, eval_set, ratio, tokens, change (nats/token), pit (in [0, 1]), khat,
        exact (refitted without the run).

    Raises
    ------
    CheckError
        ``loo`` is of other runs.
    """
    rows = _last_checkpoints(posterior)
    known = loo.table.set_index("run")
    if set(rows["run"]) != set(known.index):
        raise CheckError(
            f"loo: got {len(known)} runs that are not the {rows['run'].nunique()} of the posterior;"
            " use leave_one_run_out(posterior)"
        )
    weights = dict(zip(known.index, np.exp(loo.log_weights), strict=True))
    pit = []
    for _, row in rows.iterrows():
        run = str(row["run"])
        refit = loo.refits.get(run)
        block = posterior.general if refit is None else refit.general
        mean, sd = _prediction(block, row)
        below = ndtr((float(row["change"]) - mean) / sd)
        pit.append(np.average(below, weights=weights[run] if refit is None else None))
    return rows.assign(
        pit=np.array(pit),
        khat=known.loc[rows["run"], "khat"].to_numpy(),
        exact=known.loc[rows["run"], "exact"].to_numpy(),
    )


def plot_predictive(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw measured minus predicted for every run, with the interval of the prediction.

    The ordinate is linear near 0 and logarithmic beyond: runs without replay scatter many times
    wider than the rest.

    Parameters
    ----------
    table : DataFrame
        From :func:`predictive_by_run`.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, style.PAGE, 2.8)[0, 0]
    x = np.arange(len(table))
    wide = min(3.0, 260.0 / max(len(table), 1))
    ax.vlines(
        x,
        table["lower"] - table["median"],
        table["upper"] - table["median"],
        color="0.78",
        linewidth=wide,
        label=f"{100 * float(table['prob'].iloc[0]):g} % predictive interval",
    )
    error = table["change"] - table["median"]
    for inside, colour, marker, words in (
        (True, _IN, "o", "measured, inside"),
        (False, _OUT, "X", "measured, outside"),
    ):
        part = (table["inside"] == inside).to_numpy()
        ax.plot(
            x[part],
            error[part],
            linestyle="none",
            marker=marker,
            markersize=3.0 if inside else 4.0,
            mew=0,
            color=colour,
            label=f"{words}: {int(part.sum())}",
        )
    ends = table[["lower", "upper"]].sub(table["median"], axis=0).abs().max(axis=1)
    _asinh_axis(
        ax, max(2.0 * float(ends.median()), 1e-9), float(np.maximum(ends, error.abs()).max())
    )
    _group_ticks(ax, table)
    ax.axhline(0.0, color=style.GREY, linewidth=0.5, zorder=0)
    ax.set_xlabel("runs, by domain, size and ratio")
    ax.set_ylabel("measured minus predicted\n(nats/token)")
    ax.set_xlim(-1.0, len(table))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    style.dress(ax)
    return ax


# -- parts ----------------------------------------------------------------------------------


def _last_checkpoints(posterior: Posterior) -> pd.DataFrame:
    """Last measured row of every run and general set."""
    frame = posterior.frame
    general = frame[frame["role"] == "general"].sort_values("tokens", kind="stable")
    last = general.groupby(["run", "eval_set"], sort=False).tail(1)
    order = ["domain", "size", "ratio", "run", "eval_set"]
    columns = ["run", "size", "domain", "eval_set", "ratio", "tokens", "change", "se"]
    return last.sort_values(order, ignore_index=True)[columns]


def _prediction(block: BlockPosterior, row: pd.Series) -> tuple[Float, Float]:
    """Mean and sd of a new run at one checkpoint, each of shape (draws,), nats/token."""
    ratio, tokens = float(row["ratio"]), float(row["tokens"])
    mean = block.change(float(row["size"]), str(row["domain"]), str(row["eval_set"]), tokens, ratio)
    x = np.log([tokens / block.hierarchy.reference.tokens])
    variance = np.array([float(row["se"]) ** 2])
    own = covariance(block.scales, x, variance, ratio == 1.0)
    return mean[:, 0], np.sqrt(own[:, 0, 0])


def _asinh_axis(ax: Axes, linear: float, reach: float) -> None:
    """Make the ordinate linear up to about ``linear`` and logarithmic up to ``reach``."""
    ax.set_yscale("asinh", linear_width=linear)
    ax.set_ylim(-1.15 * reach, 1.15 * reach)
    least, most = int(np.ceil(np.log10(linear / 2.0))), int(np.floor(np.log10(1.15 * reach)))
    decades = [10.0**k for k in range(min(least, most), most + 1)][-3:]
    ticks = [-d for d in reversed(decades)] + [0.0] + decades
    ax.set_yticks(
        ticks, [f"{tick:g}".replace("-", "−", 1) if tick < 0 else f"{tick:g}" for tick in ticks]
    )
    ax.minorticks_off()


def _group_ticks(ax: Axes, table: pd.DataFrame) -> None:
    """Say below which runs share domain and size; where these are many, which share a domain."""
    by = (
        ["domain", "size"] if table["domain"].nunique() * table["size"].nunique() <= 8 else "domain"
    )
    places, names = [], []
    for _, group in table.groupby(by, sort=False):
        places.append(float(np.mean(group.index)))
        ends = group.index[-1] + 0.5
        if ends < len(table) - 1:
            ax.axvline(ends, color="0.85", linewidth=0.5, zorder=0)
        first = group.iloc[0]
        domain = style.label(str(first["domain"]), 14 if isinstance(by, list) else LONGEST)
        names.append(f"{domain}\n{short(float(first['size']))}" if isinstance(by, list) else domain)
    crowded = not isinstance(by, list) and len(names) > 4
    ax.set_xticks(places, names, rotation=30 if crowded else 0, ha="right" if crowded else "center")
    ax.tick_params(axis="x", length=0)
