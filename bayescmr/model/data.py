"""From a validated run table to the arrays of one block."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bayescmr.laws import Reference
from bayescmr.model.groups import Groups
from bayescmr.model.hierarchy import Hierarchy
from bayescmr.model.settings import Settings
from bayescmr.model.thinning import thin

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]


def reference_of(frame: pd.DataFrame) -> Reference:
    """Centre of the data: geometric means of sizes and tokens, median ratio inside (0, 1)."""
    ratios = np.unique(frame["ratio"].to_numpy(dtype=float))
    inside = ratios[(ratios > 0) & (ratios < 1)]
    sizes = np.unique(frame["size"].to_numpy(dtype=float))
    return Reference(
        size=float(np.exp(np.log(sizes).mean())),
        tokens=float(np.exp(np.log(frame["tokens"].to_numpy(dtype=float)).mean())),
        # Tables with only R = 0 or R = 1 still need a finite centre.
        ratio=float(np.median(inside)) if len(inside) else 0.5,
    )


def hierarchy_of(frame: pd.DataFrame, size_length: float, reference: Reference) -> Hierarchy:
    """Levels found in the rows of one block."""
    return Hierarchy(
        sizes=tuple(float(v) for v in np.unique(frame["size"].to_numpy(dtype=float))),
        domains=tuple(sorted(str(v) for v in frame["domain"].unique())),
        eval_sets=tuple(sorted(str(v) for v in frame["eval_set"].unique())),
        size_length=size_length,
        reference=reference,
    )


@dataclass(frozen=True)
class RunBlocks:
    """Runs sorted by checkpoint pattern, padded to rectangles.

    Parameters
    ----------
    y : ndarray, shape (runs, checkpoints)
        Change of loss, nats/token; padding is 0.
    x : ndarray, shape (patterns, checkpoints)
        ln(tokens / reference tokens).
    variance : ndarray, shape (patterns, checkpoints)
        Square of the stated standard error.
    averaged : ndarray, shape (patterns, checkpoints)
        How many losses each is the mean of; padding is 1.
    count : ndarray of int, shape (patterns,)
        Checkpoints in use; the rest of the row is padding.
    start : ndarray of int, shape (patterns + 1,)
        Runs ``start[p]:start[p + 1]`` have pattern p.
    no_replay : ndarray of int, shape (patterns,)
        1 where ratio = 1, a regime with a larger scatter of its own.
    """

    y: Float
    x: Float
    variance: Float
    averaged: Float
    count: Int
    start: Int
    no_replay: Int


@dataclass(frozen=True)
class BlockData:
    """Arrays of one block; a trajectory is one run on one evaluation set.

    Parameters
    ----------
    blocks : RunBlocks
        Losses and checkpoint patterns.
    tokens : ndarray, shape (trajectories, checkpoints)
        CPT tokens; padding repeats the last checkpoint.
    ratio : ndarray, shape (trajectories,)
        Domain share.
    groups : Groups
        How law parameters of trajectories depend on the anchors.
    labels : tuple of (str, str)
        Run and evaluation set of each trajectory.
    reference : Reference
        Where covariates are centred.
    """

    blocks: RunBlocks
    tokens: Float
    ratio: Float
    groups: Groups
    labels: tuple[tuple[str, str], ...]
    reference: Reference

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What the compiled model reads of the runs, by name."""
        blocks = {f.name: getattr(self.blocks, f.name) for f in fields(self.blocks)}
        return {
            "tokens": self.tokens,
            "ratio": self.ratio,
            "reference_tokens": np.array(self.reference.tokens),
            "reference_ratio": np.array(self.reference.ratio),
            **blocks,
        }


def block_data(
    frame: pd.DataFrame, hierarchy: Hierarchy, max_checkpoints: int = Settings.max_checkpoints
) -> BlockData:
    """Arrange the rows of one block (one role) by trajectory and checkpoint pattern.

    Trajectories of more than ``max_checkpoints`` are averaged; see
    :mod:`bayescmr.model.thinning`.

    The order depends on what was measured alone, not on the order of rows or the
    names of runs: sums in another order round differently, and a chain would
    take another path.
    """
    trajectories: list[dict[str, Any]] = []
    columns = ["run", "eval_set"]
    for (run, eval_set), rows in frame.sort_values("tokens").groupby(columns, sort=True):
        first = rows.iloc[0]
        trajectories.append(
            {
                "label": (str(run), str(eval_set)),
                "group": (float(first["size"]), str(first["domain"]), str(eval_set)),
                "ratio": float(first["ratio"]),
                **thin(
                    rows["tokens"].to_numpy(dtype=float),
                    rows["change"].to_numpy(dtype=float),
                    rows["se"].to_numpy(dtype=float),
                    max_checkpoints,
                )._asdict(),
            }
        )
    trajectories.sort(
        key=lambda t: (t["group"], t["ratio"], t["tokens"].tolist(), t["change"].tolist())
    )
    patterns: dict[tuple[bytes, bytes, bytes, bool], int] = {}
    index = np.array(
        [
            patterns.setdefault(
                (
                    t["tokens"].tobytes(),
                    t["variance"].tobytes(),
                    t["averaged"].tobytes(),
                    t["ratio"] == 1.0,
                ),
                len(patterns),
            )
            for t in trajectories
        ]
    )
    order = np.argsort(index, kind="stable")
    trajectories = [trajectories[i] for i in order]
    index = index[order]
    firsts = [trajectories[int(np.argmax(index == p))] for p in range(len(patterns))]
    width = max(len(t["tokens"]) for t in trajectories)

    def pad(values: Float, fill: float) -> Float:
        return np.concatenate([values, np.full(width - len(values), fill)])

    tokens = np.array([pad(t["tokens"], t["tokens"][-1]) for t in trajectories])
    scale = hierarchy.reference.tokens
    return BlockData(
        blocks=RunBlocks(
            y=np.array([pad(t["change"], 0.0) for t in trajectories]),
            x=np.array([np.log(pad(t["tokens"], t["tokens"][-1]) / scale) for t in firsts]),
            variance=np.array([pad(t["variance"], 0.0) for t in firsts]),
            averaged=np.array([pad(t["averaged"], 1.0) for t in firsts]),
            count=np.array([len(t["tokens"]) for t in firsts], dtype=np.int64),
            start=np.concatenate([[0], np.cumsum(np.bincount(index))]).astype(np.int64),
            no_replay=np.array([int(t["ratio"] == 1.0) for t in firsts], dtype=np.int64),
        ),
        tokens=tokens,
        ratio=np.array([t["ratio"] for t in trajectories]),
        groups=Groups.of(
            hierarchy.design([t["group"] for t in trajectories]), hierarchy.factor_columns
        ),
        labels=tuple(t["label"] for t in trajectories),
        reference=hierarchy.reference,
    )
