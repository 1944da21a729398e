"""Tables and the way from a table to what the engine takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from bayescmr import gu2024
from bayescmr.model.data import BlockData, block_data, hierarchy_of, reference_of
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.spec import BlockSpec, Role, load_model
from bayescmr.runs import RunTable

Prepared = tuple[BlockSpec, Hierarchy, BlockData]
Prepare = Callable[..., Prepared]


@pytest.fixture(scope="session")
def prepare() -> Prepare:
    """Block, hierarchy and data of the rows of one role."""

    def prepare(
        frame: pd.DataFrame, model: str = "turning_point", role: Role = "general"
    ) -> Prepared:
        block = load_model(model).blocks[role]
        hierarchy = hierarchy_of(frame, block.size_length, reference_of(frame))
        return block, hierarchy, block_data(frame, hierarchy)

    return prepare


@pytest.fixture(scope="session")
def gu_table() -> pd.DataFrame:
    """General losses of Gu et al. (2024), 24 runs of 8 checkpoints, as canonical rows."""
    wide = gu2024.trajectories(8)
    long = wide.rename(columns={"change_general": "change", "se_general": "se"})
    long = long.drop(columns=["change_domain", "se_domain"])
    long = long.assign(eval_set="general", role="general")
    return RunTable.from_frame(long, source="gu2024").select("general")


@pytest.fixture(scope="session")
def simulated() -> Callable[..., pd.DataFrame]:
    """Ragged runs of two sizes, two domains and two sets; R = 1 and R = 0 among them."""

    def simulated(seed: int, runs: int = 9, shift: float = 1.0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        parts = []
        for i in range(runs):
            grid = 1e8 * shift * np.geomspace(1, 30, 3 + (i + seed) % 4)
            for eval_set in ("code", "web")[: 1 + i % 2]:
                parts.append(
                    pd.DataFrame(
                        {
                            "run": f"run{i:02}",
                            "size": (3e8, 1e9)[i % 2],
                            "domain": ("law", "med")[i // 2 % 2],
                            "ratio": (0.25, 1.0, 0.5, 0.0, 0.75)[i % 5],
                            "tokens": np.rint(grid),
                            "eval_set": eval_set if runs > 1 else "web",
                            "role": "general",
                            "change": rng.normal(0.02, 0.02, len(grid)),
                            "se": (0.0, 0.01)[i % 2],
                        }
                    )
                )
        return RunTable.from_frame(pd.concat(parts, ignore_index=True)).select("general")

    return simulated
