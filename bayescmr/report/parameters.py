"""Law parameters of one group: prior against posterior, and the two that go together most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde, rankdata

from bayescmr.posterior.posterior import Posterior
from bayescmr.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PRIOR, _POSTERIOR = "#999999", "#0072B2"
#: A density is drawn so many prior sds to either side.
_REACH = 3.5
#: Height of a hill in rows, and draws shown of a pair.
_HILL, _SHOWN = 0.85, 1000


def prior_against_posterior(
    posterior: Posterior,
    prior: Posterior,
    *,
    size: float,
    domain: str,
    eval_set: str | None = None,
) -> pd.DataFrame:
    """Densities of the general loss's law parameters at one group, before and after the runs.

    Parameters
    ----------
    posterior, prior : Posterior
        Draws of one model at one design; ``prior`` from :func:`bayescmr.prior_predictive`.
    size : float
        Parameters (count); need not have been probed.
    domain : str
        Domain; need not have been probed.
    eval_set : str, optional
        Needed only where there are several general sets.

    Returns
    -------
    DataFrame
        parameter, z (value on the sampled scale, in prior sds from the prior mean), value (on the
        natural scale), prior, posterior (densities in z), sd_ratio (posterior over prior sd).
    """
    chosen = posterior.only_set("general", eval_set)
    after = posterior.general.sampled(size, domain, chosen)
    before = prior.general.sampled(size, domain, chosen)
    tables = []
    for parameter in posterior.general.spec.law.parameters:
        own = before[parameter.name]
        centre, spread = float(own.mean()), float(own.std())
        z = (after[parameter.name] - centre) / spread
        at = np.linspace(min(-_REACH, z.min()), max(_REACH, z.max()), 401)
        tables.append(
            pd.DataFrame(
                {
                    "parameter": parameter.name,
                    "z": at,
                    "value": parameter.natural(centre + spread * at),
                    "prior": gaussian_kde((own - centre) / spread)(at),
                    "posterior": gaussian_kde(z)(at),
                    "sd_ratio": float(z.std()),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def plot_prior_posterior(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a row for each parameter: its prior in grey, its posterior in colour.

    Rows share the prior's scale, so that a narrow hill is what the runs have told, and a shifted
    one a surprise. Each posterior is drawn as high as its row.

    Parameters
    ----------
    table : DataFrame
        From :func:`prior_against_posterior`.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    names = list(dict.fromkeys(table["parameter"]))
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 1.0 + 0.4 * len(names))[0, 0]
    for row, name in enumerate(names):
        part = table[table["parameter"] == name]
        for column, colour in (("prior", _PRIOR), ("posterior", _POSTERIOR)):
            top = row - _HILL * part[column] / part[column].max()
            ax.fill_between(part["z"], row, top, color=colour, alpha=0.35, linewidth=0)
            ax.plot(part["z"], top, color=colour, linewidth=0.9, label=column if row == 0 else "_")
        ax.annotate(
            f"sd × {part['sd_ratio'].iloc[0]:.2f}",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(3, 1),
            textcoords="offset points",
            fontsize="small",
            color=style.GREY,
            annotation_clip=False,
        )
    ax.axvline(0.0, color=style.GREY, linewidth=0.5, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.9, -1.0)
    ax.set_xlim(float(table["z"].min()), float(table["z"].max()))
    ax.set_xlabel("distance from the prior mean (prior sds, sampled scale)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    style.dress(ax)
    ax.spines["left"].set_visible(False)
    return ax


def most_correlated_pair(
    posterior: Posterior, *, size: float, domain: str, eval_set: str | None = None
) -> pd.DataFrame:
    """Draws of the two law parameters of one group that are most correlated.

    Parameters
    ----------
    posterior : Posterior
        Draws.
    size, domain, eval_set
        The group, as in :func:`prior_against_posterior`.

    Returns
    -------
    DataFrame
        Two columns named after the parameters (natural scale), and correlation (of the ranks of
        all draws); one row for each of 1000 draws spread evenly over the chains.
    """
    chosen = posterior.only_set("general", eval_set)
    theta = posterior.general.theta(size, domain, chosen)
    names = list(theta)
    ranks = np.array([rankdata(theta[name]) for name in names])
    correlation = np.corrcoef(ranks)
    above = np.triu(np.abs(correlation), k=1)
    first, second = np.unravel_index(int(above.argmax()), above.shape)
    n = posterior.general.n_draws
    shown = np.unique(np.linspace(0, n - 1, min(n, _SHOWN)).round().astype(int))
    return pd.DataFrame(
        {
            names[first]: theta[names[first]][shown],
            names[second]: theta[names[second]][shown],
            "correlation": correlation[first, second],
        }
    )


def plot_pair(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the joint posterior of two parameters.

    Parameters
    ----------
    table : DataFrame
        From :func:`most_correlated_pair`.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    if ax is None:
        ax = style.own_axes(1, 1, 3.4, 3.0)[0, 0]
    x, y = table.columns[:2]
    ax.plot(
        table[x],
        table[y],
        linestyle="none",
        marker="o",
        markersize=2.2,
        mew=0,
        alpha=0.35,
        color=_POSTERIOR,
    )
    ax.set_xlabel(str(x))
    ax.set_ylabel(str(y))
    ax.locator_params(nbins=5)
    ax.set_title(f"rank correlation {float(table['correlation'].iloc[0]):.2f}")
    style.dress(ax)
    return ax
