"""Where a stopped run can go on: weights and moments in safetensors, counters in JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file

from bayescmr.atomic import whole_folder
from bayescmr.errors import ProbeError

if TYPE_CHECKING:
    import torch

_PREFIX = "checkpoint-"


@dataclass(frozen=True)
class Checkpoint:
    """A saved state.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights and moments, on the CPU.
    state : dict
        Step, evaluations and whatever else the trainer counts.
    """

    tensors: dict[str, torch.Tensor]
    state: dict[str, Any]


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, torch.Tensor],
    state: Mapping[str, Any],
) -> None:
    """Save a state, then delete older ones.

    Raises
    ------
    OSError
        Nothing is lost: the older state is still there.
    """
    target = folder / f"{_PREFIX}{step:09d}"
    if not target.exists():
        with whole_folder(target) as partial:
            save_file(dict(tensors), partial / "tensors.safetensors")
            (partial / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for old in _saved(folder):
        if old != target:
            shutil.rmtree(old)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest state, or None where there is none.

    Raises
    ------
    ProbeError
        It is damaged.
    """
    saved = _saved(folder)
    if not saved:
        return None
    try:
        return Checkpoint(
            tensors=load_file(saved[-1] / "tensors.safetensors"),
            state=json.loads((saved[-1] / "state.json").read_text(encoding="utf-8")),
        )
    except Exception as error:  # safetensors raises types of its own
        raise ProbeError(
            f"{saved[-1]}: damaged checkpoint ({error}); delete it to start the run anew"
        ) from None


def delete_checkpoints(folder: Path) -> None:
    """Delete every saved state of a run."""
    for old in _saved(folder):
        shutil.rmtree(old)


def _saved(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_PREFIX}*"))
