"""What is to be learnt, as columns of draws: the CMR, and the loss where it may cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.design.outlook import Outlook

Float = npt.NDArray[np.float64]

#: Ratios at which the loss is looked at. They lie at quantiles of the weights, so that a few
#: stand for a fine grid.
MAX_RATIOS = 24
#: Share of draws with a CMR of 0 or 1 beyond which their variance no longer measures what is
#: known: a draw that says "above 1" is silent on by how much.
MAX_CENSORED = 0.05


@dataclass(frozen=True)
class Targets:
    """Columns to be learnt, and how they are weighed.

    Parameters
    ----------
    draws : ndarray, shape (draws, columns)
        The CMR first; then, in loss space, the excess of the general loss at some ratios.
    weights : ndarray, shape (columns - 1,)
        Of these ratios; they sum to 1. Empty where loss space is not asked for.
    """

    draws: Float
    weights: Float

    @property
    def weighing(self) -> Float:
        """Weights of all columns: those in loss space where there are any, the CMR otherwise."""
        return np.concatenate([[0.0 if len(self.weights) else 1.0], self.weights])

    @classmethod
    def of(cls, outlook: Outlook, weights: Float | None) -> Targets:
        """Columns of an outlook.

        Parameters
        ----------
        outlook : Outlook
            Draws.
        weights : ndarray, shape (ratios,), or None
            How much the excess at each ratio of the outlook's grid matters, with sum 1; None to
            look at the CMR alone.
        """
        if weights is None:
            return cls(outlook.cmr[:, None], np.empty(0))
        index, shares = _representatives(weights)
        return cls(np.column_stack([outlook.cmr, outlook.excess[:, index]]), shares)


def crossing_weights(outlook: Outlook) -> Float:
    """How much each ratio of the grid matters: how likely the loss crosses its tolerance there.

    Parameters
    ----------
    outlook : Outlook
        Draws of the excess.

    Returns
    -------
    ndarray, shape (ratios,)
        Sums to 1. The Gaussian density of the excess at zero (targeted IMSE, Picheny et al. 2010,
        doi 10.1115/1.4001873), times the width of a ratio's cell. Unlike a histogram of the CMR it
        says something where most draws cross beyond 0 or 1.
    """
    mean, sd = outlook.excess.mean(0), outlook.excess.std(0, ddof=1)
    # A ratio where all draws agree crosses or does not; there is nothing to learn.
    known = sd <= 1e-12 * max(float(sd.max()), 1e-300)
    sd = np.where(known, 1.0, sd)
    log = -0.5 * (mean / sd) ** 2 - np.log(sd)
    log[known] = -np.inf
    cell = np.gradient(outlook.grid) if len(outlook.grid) > 1 else np.ones(1)
    if known.all():
        return even_weights(outlook)
    weight = np.exp(log - log.max()) * cell
    return np.asarray(weight / weight.sum())


def even_weights(outlook: Outlook) -> Float:
    """All ratios of the grid alike, shape (ratios,); sums to 1."""
    return np.full(len(outlook.grid), 1.0 / len(outlook.grid))


def _representatives(weights: Float) -> tuple[npt.NDArray[np.intp], Float]:
    """Few of the grid's points, at quantiles of its weights, with the share each stands for."""
    level = (np.arange(MAX_RATIOS) + 0.5) / MAX_RATIOS
    at = np.minimum(np.searchsorted(np.cumsum(weights), level), len(weights) - 1)
    index, count = np.unique(at, return_counts=True)
    return index, count / MAX_RATIOS
