"""Powers of a share or of a token count that may be exactly zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayescmr.laws.base import Array


def power(base: Array, exponent: Array, xp: Any = np) -> Array:
    """Return ``base ** exponent`` for ``base >= 0`` and ``exponent > 0``; 0 where base is 0.

    Parameters
    ----------
    base, exponent : array
        Broadcast against each other; numpy arrays or PyTensor variables.
    xp : module
        ``numpy`` or ``pytensor.tensor``.

    Notes
    -----
    ``0 ** p`` has an infinite derivative in the base for p < 1 and a
    ``0 * log(0)`` in the derivative with respect to p. The inner ``where``
    keeps the logarithm finite on the branch that is not taken, because a
    gradient multiplies that branch by zero and 0 * inf is nan. At base = 0 all
    derivatives are therefore reported as 0: exact for the exponent, a
    convention for the base.
    """
    begun = base > 0
    safe = xp.where(begun, base, 1.0)
    return xp.where(begun, xp.exp(exponent * xp.log(safe)), 0.0)
