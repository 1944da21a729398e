"""What the numba kernels of this package share."""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import Any

import numpy as np
from numba.extending import register_jitable


def version(*functions: Any) -> int:
    """Return a number that changes whenever what the functions do is changed.

    PyTensor keeps compiled kernels on disk under such a number and never looks at the code.
    """
    texts = []
    for function in functions:
        # Numbers that a function encloses are compiled into it; two laws may share all else.
        enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
        numbers = [value for value in enclosed if isinstance(value, int | float)]
        texts.append((_text(function.__code__), numbers))
    return int(hashlib.sha256(repr(texts).encode()).hexdigest()[:12], 16)


def _text(code: CodeType) -> tuple[Any, ...]:
    """Return what a function does; the repr of a code within would be its place in memory."""
    consts = [_text(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.co_code.hex(), consts, code.co_names, code.co_varnames


@register_jitable
def cholesky(k, lower):
    """Write the Cholesky factor of k to the lower triangle; False where there is none."""
    for i in range(k.shape[0]):
        for j in range(i + 1):
            value = k[i, j]
            for m in range(j):
                value -= lower[i, m] * lower[j, m]
            if i == j:
                if not (value > 0.0 and value < np.inf):
                    return False
                lower[i, i] = np.sqrt(value)
            else:
                lower[i, j] = value / lower[j, j]
    return True


@register_jitable
def invert_lower(lower, inverse):
    """Write the inverse of a lower triangle to another."""
    for j in range(lower.shape[0]):
        inverse[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, lower.shape[0]):
            value = 0.0
            for m in range(j, i):
                value -= lower[i, m] * inverse[m, j]
            inverse[i, j] = value / lower[i, i]
