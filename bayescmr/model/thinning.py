"""Many checkpoints of one run as few: averages over steps of ln tokens, which lose next to nothing.

A log with an evaluation every few hundred steps has hundreds of checkpoints, and the
cost of a run grows with their cube. Its curve and its drift are smooth in ln tokens, so
within a short step only the errors of measurement differ, and of these the mean and
its number tell all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.model.settings import Settings

Float = npt.NDArray[np.float64]


class Checkpoints(NamedTuple):
    """Checkpoints of one trajectory, in order of tokens, each field of shape (n,).

    Parameters
    ----------
    tokens : ndarray
        CPT tokens (count); of an average, their geometric mean.
    change : ndarray
        Change of loss, nats/token; of an average, the mean.
    variance : ndarray
        Square of the stated standard error of ``change``.
    averaged : ndarray
        How many losses were averaged.
    """

    tokens: Float
    change: Float
    variance: Float
    averaged: Float


def thin(
    tokens: Float, change: Float, se: Float, most: int = Settings.max_checkpoints
) -> Checkpoints:
    """Average the checkpoints of one trajectory within equal steps of ln tokens.

    Parameters
    ----------
    tokens, change, se : ndarray, shape (checkpoints,)
        Ascending CPT tokens (count > 0), change of loss and its stated standard
        error (nats/token).
    most : int
        Trajectories of at most this many checkpoints stay as they are.

    Returns
    -------
    Checkpoints
        At most ``most`` of them.
    """
    if len(tokens) <= most:
        return Checkpoints(tokens, change, se**2, np.ones(len(tokens)))
    x = np.log(tokens)
    step = np.minimum(((x - x[0]) / (x[-1] - x[0]) * most).astype(int), most - 1)
    first = np.flatnonzero(np.diff(step, prepend=-1))
    n = np.diff(first, append=len(x)).astype(float)

    def mean(values: Float) -> Float:
        return np.asarray(np.add.reduceat(values, first) / n)

    return Checkpoints(np.exp(mean(x)), mean(change), mean(se**2) / n, n)


def thinning_notes(frame: pd.DataFrame, most: int) -> tuple[str, ...]:
    """Say how many trajectories of a canonical table are averaged; nothing where none is."""
    lengths = frame.groupby(["run", "eval_set", "role"]).size()
    crowded = int((lengths > most).sum())
    if not crowded:
        return ()
    return (
        f"{crowded} of {len(lengths)} trajectories have more than {most} checkpoints, up to"
        f" {lengths.max()}: averaged within {most} equal steps of ln tokens (max_checkpoints)",
    )
