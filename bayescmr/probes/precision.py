"""In which precision a forward pass runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from bayescmr.probes.config import Precision


def forward_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of matrix products: ``auto`` is bfloat16 on a GPU and float32 on a CPU.

    On one CPU thread bfloat16 autocast was no faster at the sizes that a CPU can train.
    """
    if precision == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass; weights and optimiser stay float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype)
