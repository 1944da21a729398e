"""A good design, and ways to spoil it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayescmr.laws import Reference, get_law

THETA = dict(c=0.01, a=0.06, s=0.5, delta=0.0, mu=2.0, kappa=0.2, nu=0.0, e=0.02)


@pytest.fixture(scope="session")
def good() -> pd.DataFrame:
    """Three sizes, six ratios, eight checkpoints, three repeats, one recipe, a known base."""
    law = get_law("turning_point")
    tokens = np.geomspace(1e6, 64e6, 8)
    rng = np.random.default_rng(1)
    rows = []
    for size in (1e6, 4e6, 16e6):
        for ratio in (0.0, 0.1, 0.3, 0.5, 0.8, 1.0):
            for seed in (1, 2) if ratio == 0.3 else (1,):
                theta = {name: np.float64(value) for name, value in THETA.items()}
                rise = law.change(theta, tokens, np.float64(ratio), Reference(4e6, 8e6, 0.3))
                rise = rise + rng.normal(0, 0.002, len(tokens))
                for t, value in zip([0.0, *tokens], [0.0, *rise], strict=True):
                    rows.append((f"{size:g}-{ratio}-{seed}", size, ratio, t, 3.0 + value, seed))
    frame = pd.DataFrame(rows, columns=["run", "size", "ratio", "tokens", "loss_general", "seed"])
    return frame.assign(
        domain="law",
        lr=3e-4,
        schedule="constant, warm-up 1000 tokens",
        loss_mode="ce",
        unique_domain_tokens=32e6,
    )
