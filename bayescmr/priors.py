"""A prior as data: a family, two numbers, and back to YAML.

Every prior is a normal on the scale that is sampled: the value itself
(``normal``), its logarithm (``lognormal``) or its logit (``logitnormal``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import expit, logit, ndtri

from bayescmr.errors import ModelError

Family = Literal["normal", "lognormal", "logitnormal"]
_SUPPORT: dict[str, str] = {"normal": "real", "lognormal": "positive", "logitnormal": "unit"}


@dataclass(frozen=True)
class Prior:
    """A prior of one quantity.

    Parameters
    ----------
    family : {"normal", "lognormal", "logitnormal"}
        Which transform of the quantity is normal: none, log, logit.
    centre : float
        Median, on the natural scale.
    scale : float
        Standard deviation on the sampled scale (value, log or logit), > 0.
    """

    family: Family
    centre: float
    scale: float

    def __post_init__(self) -> None:
        if self.family not in get_args(Family):
            raise ModelError(
                f"prior family: got {self.family!r}, expected one of {', '.join(get_args(Family))}"
            )
        if not (np.isfinite(self.centre) and np.isfinite(self.scale) and self.scale > 0):
            raise ModelError(f"prior: got {self}, expected a finite centre and a scale > 0")
        if self.family == "lognormal" and self.centre <= 0:
            raise ModelError(f"prior: got {self}, expected a centre > 0 for lognormal")
        if self.family == "logitnormal" and not 0 < self.centre < 1:
            raise ModelError(f"prior: got {self}, expected a centre in (0, 1) for logitnormal")

    @classmethod
    def from_dict(cls, data: Any, where: str) -> Prior:
        """Read ``{family: [centre, scale]}``; errors name ``where`` it stood."""
        expected = "expected {family: [centre, scale]}, for example {normal: [0, 1]}"
        if not (isinstance(data, Mapping) and len(data) == 1):
            raise ModelError(f"{where}: got {data!r}, {expected}")
        family, numbers = next(iter(data.items()))
        if not (
            isinstance(numbers, list)
            and len(numbers) == 2
            and all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers)
        ):
            raise ModelError(f"{where}: got {data!r}, {expected}")
        try:
            return cls(family, float(numbers[0]), float(numbers[1]))
        except (ModelError, OverflowError) as error:
            raise ModelError(f"{where}: {error}") from None

    def to_dict(self) -> dict[str, list[float]]:
        """Return the form that :meth:`from_dict` reads."""
        return {self.family: [self.centre, self.scale]}

    @property
    def support(self) -> str:
        """``real``, ``positive`` or ``unit``."""
        return _SUPPORT[self.family]

    @property
    def mean(self) -> float:
        """Mean on the sampled scale."""
        if self.family == "lognormal":
            return float(np.log(self.centre))
        if self.family == "logitnormal":
            return float(logit(self.centre))
        return self.centre

    def interval(self, prob: float) -> tuple[float, float]:
        """Equal-tailed interval of probability ``prob`` on the natural scale."""
        ends = np.asarray(self.mean + self.scale * ndtri([0.5 - prob / 2, 0.5 + prob / 2]))
        if self.family == "lognormal":
            ends = np.exp(ends)
        elif self.family == "logitnormal":
            ends = expit(ends)
        return float(ends[0]), float(ends[1])

    def __str__(self) -> str:
        names = {"normal": "Normal", "lognormal": "LogNormal", "logitnormal": "LogitNormal"}
        return f"{names[self.family]}({self.centre:g}, {self.scale:g})"
