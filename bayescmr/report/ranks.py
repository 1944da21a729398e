"""Rank plots: whether the chains of a posterior agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, in an order in which neighbours differ most.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7")
#: Largest departure from 1 that a row has room for.
_REACH = 1.0


def chain_ranks(
    quantities: Mapping[str, npt.NDArray[np.float64]], *, bins: int = 20
) -> pd.DataFrame:
    """How often the draws of each chain fall in each part of all draws, over how often they should.

    Parameters
    ----------
    quantities : mapping from name to ndarray, shape (chains, draws)
        Ties, as at an atom, are broken at random, the same way each time. A quantity that is the
        same in all draws has no ranks and is left out.
    bins : int
        Parts of equal probability.

    Returns
    -------
    DataFrame
        quantity, chain (from 1), low, high (share of all draws), frequency (1 where chains agree).
    """
    tables = []
    edges = np.linspace(0.0, 1.0, bins + 1)
    rng = np.random.default_rng(bins)
    for name, draws in quantities.items():
        if np.ptp(draws) == 0:
            continue
        order = np.lexsort([rng.random(draws.size), draws.ravel()])
        ranks = np.empty(draws.size)
        ranks[order] = np.arange(draws.size)
        share = ((ranks + 0.5) / draws.size).reshape(draws.shape)
        for chain, own in enumerate(share, 1):
            counts = np.histogram(own, bins=edges)[0]
            tables.append(
                pd.DataFrame(
                    {
                        "quantity": name,
                        "chain": chain,
                        "low": edges[:-1],
                        "high": edges[1:],
                        "frequency": counts * bins / len(own),
                    }
                )
            )
    columns = ["quantity", "chain", "low", "high", "frequency"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def plot_ranks(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a row for each quantity, a line for each chain; chains that agree run level.

    Parameters
    ----------
    table : DataFrame
        From :func:`chain_ranks`.
    ax : Axes, optional
        Where to draw; default: a new figure.
    """
    names = list(dict.fromkeys(table["quantity"]))
    if ax is None:
        ax = style.own_axes(1, 1, 5.0, 1.0 + 0.4 * max(len(names), 2))[0, 0]
    for row, name in enumerate(names):
        part = table[table["quantity"] == name]
        ax.axhline(row, color="0.8", linewidth=0.5, zorder=0)
        for chain, own in part.groupby("chain"):
            height = np.clip((own["frequency"].to_numpy() - 1.0) / _REACH, -1.0, 1.0)
            ax.stairs(
                row - 0.45 * height,
                [*own["low"], float(own["high"].iloc[-1])],
                baseline=None,
                color=_COLOURS[(int(str(chain)) - 1) % len(_COLOURS)],
                linewidth=0.9,
                label=f"chain {chain}" if row == 0 else "_",
            )
    ax.set_yticks(range(len(names)), [style.label(name, 40) for name in names])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0.0, 1.0)
    style.percent_axis(ax.xaxis)
    ax.set_xlabel("rank among the draws of all chains (%)")
    if names:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    style.dress(ax)
    ax.spines["left"].set_visible(False)
    return ax
