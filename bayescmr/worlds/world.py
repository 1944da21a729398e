"""What a rule of design is tried in: runs that can be had, and a truth that it is to find."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from bayescmr.cmr import Target
from bayescmr.laws import Reference
from bayescmr.planning.space import Space

Float = npt.NDArray[np.float64]


class World(Protocol):
    """Runs, each with losses of its own whoever makes it, and the critical ratio behind them."""

    @property
    def space(self) -> Space:
        """What can be run."""
        ...

    @property
    def target(self) -> Target:
        """Where the CMR is asked."""
        ...

    @property
    def reference(self) -> Reference:
        """Point at which priors are stated: one for all fits in this world, however few runs."""
        ...

    @property
    def truth(self) -> float:
        """Tolerance CMR of the mean of all runs at the target."""
        ...

    def losses(self, size: float, ratio: float, seed: int) -> Float:
        """Change of the general loss at every checkpoint of a run, nats/token.

        A run is its size, ratio and seed: the same numbers however often it is asked for, by
        whatever policy, and to whatever length.

        Parameters
        ----------
        size : float
            One of the space's.
        ratio : float
            Domain share.
        seed : int
            Of the data order.

        Returns
        -------
        ndarray, shape (checkpoints,)
            At ``space.checkpoints[size]``.
        """
        ...

    def se(self, size: float, ratio: float, seed: int) -> Float:
        """Standard error stated with every loss of a run, nats/token; 0 where none is.

        Parameters
        ----------
        size, ratio, seed
            As for :meth:`losses`.

        Returns
        -------
        ndarray, shape (checkpoints,)
            At ``space.checkpoints[size]``.
        """
        ...
