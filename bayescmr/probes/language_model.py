"""Language models by size or from a folder: made, loaded and saved."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from bayescmr.errors import ProbeError
from bayescmr.probes.decoder import ARCHITECTURE_FILE, WEIGHTS_FILE, Decoder
from bayescmr.probes.interface import LanguageModel
from bayescmr.probes.sizes import Architecture

__all__ = ["LanguageModel", "load_model", "new_model", "save_model"]


def new_model(architecture: Architecture, seed: int) -> Decoder:
    """Untrained decoder, on the CPU in float32.

    Parameters
    ----------
    architecture : Architecture
        Its shape.
    seed : int
        Decides the weights; torch's global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Decoder(architecture)


def load_model(folder: str | Path) -> LanguageModel:
    """Model of a folder, on the CPU in float32; the network is never asked.

    Parameters
    ----------
    folder : str or Path
        Written by `save_model`, or a checkpoint in the layout of Hugging Face: ``config.json``
        and weights as safetensors (needs the extra ``huggingface``).

    Raises
    ------
    ProbeError
        If the folder is neither, or what it holds does not fit.
    """
    folder = Path(folder)
    if (folder / ARCHITECTURE_FILE).is_file():
        return _load_decoder(folder)
    if (folder / "config.json").is_file():
        from bayescmr.probes.huggingface import load_checkpoint

        return load_checkpoint(folder)
    problem = "holds neither" if folder.is_dir() else "is not a folder with"
    raise ProbeError(
        f"{folder}: {problem} {ARCHITECTURE_FILE} (made by `bayescmr probe base`) or config.json"
        " (a Hugging Face checkpoint)"
    )


def save_model(
    model: LanguageModel, folder: str | Path, weights: dict[str, Tensor] | None = None
) -> None:
    """Write a model so that `load_model` reads it; a reader never sees half of it.

    Parameters
    ----------
    model : LanguageModel
        Its configuration, and its weights where it holds all of them.
    folder : str or Path
        Replaced if there is one.
    weights : dict of str to Tensor, optional
        Whole weights of a model in shards, of `Parallel.full_weights`.
    """
    if weights is None:
        # Parameters and not `state_dict`: a tied matrix is written once.
        weights = {name: weight.detach().cpu() for name, weight in model.named_parameters()}
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        model.save(written, weights)
        written.chmod(0o755)  # mkdtemp's folders are private
        if folder.exists():
            # A folder cannot be replaced in one move: the old one goes only once the new is whole.
            old = written.with_name(written.name + ".old")
            folder.rename(old)
            written.rename(folder)
            shutil.rmtree(old)
        else:
            written.rename(folder)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def _load_decoder(folder: Path) -> Decoder:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    text = folder / ARCHITECTURE_FILE
    try:
        values = json.loads(text.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ProbeError(f"{text}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise ProbeError(f"{text}: expected an object of an architecture's values")
    try:
        model = new_model(Architecture.from_dict(values), seed=0)
    except ProbeError as error:
        raise ProbeError(f"{text}: {error}") from error
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
    except (FileNotFoundError, SafetensorError) as error:
        raise ProbeError(f"{path}: weights cannot be read ({error})") from error
    expected = {name: weight.shape for name, weight in model.named_parameters()}
    got = {name: weight.shape for name, weight in weights.items()}
    if got != expected:
        wrong = sorted(
            name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name)
        )
        raise ProbeError(
            f"{path}: {len(wrong)} weights do not fit {ARCHITECTURE_FILE}, the first is {wrong[0]}:"
            f" got {got.get(wrong[0])}, expected {expected.get(wrong[0])}"
        )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(weights[name])
    return model
