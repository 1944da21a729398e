"""What a law is: a named, stateless formula for the change of a loss during continued pre-training.

One formula serves the sampler (PyTensor), predictions (numpy) and plots: every
method takes the array namespace ``xp`` (``numpy`` or ``pytensor.tensor``) last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

#: numpy array or PyTensor variable: laws run unchanged on both.
Array = Any
Support = Literal["real", "positive", "unit"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law, on its natural scale.

    Parameters
    ----------
    name, symbol, unit, meaning : str
        Name in code and tables, symbol in equations, unit, one-line meaning.
    support : {"real", "positive", "unit"}
        ``positive`` is sampled as its logarithm, ``unit`` (0, 1) as its logit.
    """

    name: str
    symbol: str
    unit: str
    support: Support
    meaning: str

    def natural(self, value: Array, xp: Any = np) -> Array:
        """Map from the unconstrained scale to the natural one."""
        if self.support == "positive":
            return xp.exp(value)
        if self.support == "unit":
            return 1.0 / (1.0 + xp.exp(-value))
        return value


@dataclass(frozen=True)
class Reference:
    """The point at which covariates are centred, so that parameters are well determined there.

    Parameters
    ----------
    size : float
        Non-embedding parameters (count).
    tokens : float
        CPT tokens (count).
    ratio : float
        Domain share in (0, 1).
    """

    size: float
    tokens: float
    ratio: float

    def __post_init__(self) -> None:
        if not (self.size > 0 and self.tokens > 0 and 0 < self.ratio < 1):
            raise ValueError(f"reference must have size > 0, tokens > 0, 0 < ratio < 1, got {self}")


class Law(ABC):
    """Change of one loss (loss minus base, nats/token) against tokens and ratio.

    Subclasses are stateless; parameters arrive as a mapping from name to
    arrays (natural scale) that broadcast against ``tokens`` and ``ratio``.
    """

    name: ClassVar[str]
    role: ClassVar[Literal["general", "domain"]]
    title: ClassVar[str]
    equation: ClassVar[str]
    #: The same as TeX: the inside of ``aligned``, lines ended by a double backslash; empty for
    #: none. Only what matplotlib's mathtext knows, so that a page needs no TeX.
    equation_tex: ClassVar[str] = ""
    citation: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    #: True if the change never falls as ratio grows, for all parameter values.
    monotone_in_ratio: ClassVar[bool] = False
    #: False if a domain law knows nothing of the loss before CPT; others start at no change and
    #: never rise, for all parameter values.
    anchored: ClassVar[bool] = True
    #: Optional, for speed: ``curve(theta, x, ratio, reference_ratio, change, gradient)`` writes
    #: :meth:`change` of one run at x = ln(tokens / reference tokens), shape (n,), and its
    #: derivatives with respect to the natural parameters, shape (n, parameters), in scalar code
    #: that numba compiles; theta has shape (parameters,). Without it PyTensor differentiates.
    curve: ClassVar[Callable[..., None] | None] = None

    @abstractmethod
    def change(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        """Loss minus base, nats/token, at ``tokens >= 0`` (count) and ``0 <= ratio <= 1``."""

    @abstractmethod
    def slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> Array:
        """Derivative of :meth:`change` with respect to ln tokens, nats/token per e-fold."""

    def change_and_slope(
        self, theta: Mapping[str, Array], tokens: Array, ratio: Array, ref: Reference, xp: Any = np
    ) -> tuple[Array, Array]:
        """Both at once; a law in which they share most of their work may say so."""
        return (
            self.change(theta, tokens, ratio, ref, xp),
            self.slope(theta, tokens, ratio, ref, xp),
        )

    def turning_point(
        self, theta: Mapping[str, Array], ratio: Array, ref: Reference, xp: Any = np
    ) -> Array | None:
        """Tokens at which :meth:`change` peaks, where the law has a closed form; else None."""
        return None
