"""Base models on disk: what CPT starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescmr.errors import ProbeError
from bayescmr.probes.record import CONFIG, write_json

if TYPE_CHECKING:
    import torch

#: Facts about the training of a base that this package made.
FACTS = "base.json"
MOMENTS = "optimizer.safetensors"

_FACTS = {"last_learning_rate", "context", "tokenizer", "corpora"}


@dataclass(frozen=True)
class Base:
    """A base model in a folder.

    Parameters
    ----------
    folder : Path
        Where it is.
    name : str
        Name of the folder.
    fingerprint : str
        SHA-256 of weights and moments.
    facts : dict or None
        How it was trained: tokens, learning rate at the end, corpora and their parts,
        tokenizer. None for a checkpoint of others.
    """

    folder: Path
    name: str
    fingerprint: str
    facts: dict[str, Any] | None

    @property
    def last_learning_rate(self) -> float | None:
        """Rate of the last step of pre-training, None where it is not known."""
        return None if self.facts is None else float(self.facts["last_learning_rate"])

    def part_used(self, corpus_fingerprint: str) -> tuple[float, float] | None:
        """Return the part of a corpus that the base was trained on, None if it was not."""
        for use in [] if self.facts is None else self.facts["corpora"]:
            if use["fingerprint"] == corpus_fingerprint:
                return (float(use["part"][0]), float(use["part"][1]))
        return None

    def moments(self) -> dict[str, torch.Tensor]:
        """Load AdamW's state, ``optimizer.NAME.KEY``; empty where it was not saved."""
        from safetensors.torch import load_file

        path = self.folder / MOMENTS
        return load_file(path) if path.exists() else {}


def open_base(folder: str | Path) -> Base:
    """Look at a base model without loading it.

    Parameters
    ----------
    folder : str or Path
        Written by `bayescmr probe base`, or a Hugging Face checkpoint in safetensors.

    Raises
    ------
    ProbeError
        There is no model, or its facts cannot be read.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.safetensors"))
    if not any(file.name != MOMENTS for file in files):
        raise ProbeError(
            f"base: no weights (*.safetensors) in {str(folder)!r}; make a base with"
            " `bayescmr probe base`, or give the folder of a Hugging Face checkpoint"
        )
    facts = None
    path = folder / FACTS
    if path.exists():
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ProbeError(f"{path}: cannot be read ({error}); make the base again") from None
        missing = _FACTS - set(facts) if isinstance(facts, dict) else _FACTS
        if missing:
            raise ProbeError(
                f"{path}: {', '.join(sorted(missing))} not found; make the base again with this"
                " version"
            )
    elif (folder / CONFIG).exists():
        raise ProbeError(
            f"base: {str(folder)!r} is not finished ({FACTS} is missing); run the command that"
            " made it again"
        )
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return Base(folder, folder.resolve().name, total.hexdigest(), facts)


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts of a base; last, for a folder with facts is a finished base."""
    write_json(folder / FACTS, facts)
