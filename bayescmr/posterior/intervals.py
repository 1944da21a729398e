"""The one interval policy: probability and kind are always explicit."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from bayescmr.errors import TargetError
from bayescmr.values import is_number

Kind = Literal["eti"]

#: Default probability of every interval in the package.
PROB = 0.9
#: Kind of every interval: equal-tailed.
KIND: Kind = "eti"


def check_prob(prob: float, name: str = "prob", example: str = "0.9") -> float:
    """Return ``prob`` if it is a number in (0, 1); raise TargetError otherwise."""
    if not (is_number(prob) and 0 < prob < 1):
        raise TargetError(
            f"{name}: got {prob!r}, expected a probability in (0, 1), for example {example}"
        )
    return float(prob)


def interval(draws: npt.ArrayLike, prob: float = PROB) -> tuple[float, float]:
    """Equal-tailed interval of draws.

    Parameters
    ----------
    draws : array_like
        Flattened.
    prob : float
        Probability in (0, 1).

    Raises
    ------
    TargetError
        ``prob`` is not in (0, 1).
    """
    tail = (1.0 - check_prob(prob)) / 2.0
    lower, upper = np.quantile(np.asarray(draws, dtype=float), [tail, 1.0 - tail])
    return float(lower), float(upper)
