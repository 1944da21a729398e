"""How fast this machine multiplies matrices: what model FLOP utilisation is a share of."""

from __future__ import annotations

import time

import torch


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Measure the highest rate of a large matrix product.

    Parameters
    ----------
    device : torch.device
        Where.
    dtype : torch.dtype
        Type of the matrices.
    seconds : float
        How long to try; the best of at least 3 trials counts, for others use the machine too.

    Returns
    -------
    float
        Floating-point operations per second, with the threads that torch uses in this process.
    """
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    best, trials, began = float("inf"), 0, time.perf_counter()
    while trials < 3 or time.perf_counter() - began < seconds:
        started = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        # The first trial wakes threads up and fills caches.
        if trials:
            best = min(best, time.perf_counter() - started)
        trials += 1
    return 2 * n**3 / best
