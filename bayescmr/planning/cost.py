"""What a run costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bayescmr.errors import DesignError
from bayescmr.values import is_number

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """FLOPs of a run: training, evaluation and set-up.

    Evaluation and set-up are a tenth to a half of a short run of a small model: without them a
    rule that divides by cost picks runs too short to tell anything.

    Parameters
    ----------
    training : float
        FLOPs for each parameter and training token, > 0: 6 for forward and backward.
    evaluation_tokens : float
        Tokens of all validation sets together, >= 0; a forward pass costs a third of training.
    setup : float
        FLOPs for starting a run or going on with it (queue, loading, compilation, at the speed
        of training), >= 0.
    """

    training: float = 6.0
    evaluation_tokens: float = 0.0
    setup: float = 0.0

    def __post_init__(self) -> None:
        if not (is_number(self.training) and self.training > 0):
            raise DesignError(
                f"cost: training: got {self.training!r}, expected FLOPs > 0 for each parameter and"
                " token, for example 6"
            )
        for name in ("evaluation_tokens", "setup"):
            value = getattr(self, name)
            if not (is_number(value) and value >= 0):
                raise DesignError(f"cost: {name}: got {value!r}, expected a number >= 0")

    def flops(self, size: float, start: float, checkpoints: Sequence[float]) -> Float:
        """FLOPs from ``start`` to each checkpoint, shape (checkpoints,).

        Parameters
        ----------
        size : float
            Non-embedding parameters (count).
        start : float
            Tokens trained already; a run that starts from 0 measures its base as well.
        checkpoints : sequence of float
            Tokens at which losses are measured, ascending.
        """
        tokens = np.asarray(checkpoints, dtype=float)
        measured = np.arange(1, len(tokens) + 1) + (start == 0)
        per_token = self.training * size
        evaluation = per_token / 3.0 * self.evaluation_tokens * measured
        return np.asarray(self.setup + per_token * (tokens - start) + evaluation)
