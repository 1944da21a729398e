"""Causal language models of Hugging Face folders: safetensors only, never the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from bayescmr.errors import ProbeError
from bayescmr.probes.interface import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class HuggingFaceModel(LanguageModel):
    """A causal model of `transformers` behind the interface of the probes.

    Parameters
    ----------
    model : PreTrainedModel
        With a head of logits over the vocabulary.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        config = model.config.get_text_config()
        self.vocab_size = config.vocab_size
        self.layers, self.width = config.num_hidden_layers, config.hidden_size
        self.context_limit = getattr(config, "max_position_embeddings", None)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (sequences, length, vocab_size) of ids (sequences, length)."""
        return self.model(input_ids=tokens, use_cache=False).logits  # type: ignore[no-any-return]

    @property
    def non_embedding(self) -> int:
        """Parameters but for embeddings (of tokens and of positions) and the output matrix."""
        left_out = [m for m in self.model.modules() if isinstance(m, nn.Embedding)]
        output = self.model.get_output_embeddings()
        embeddings = {p for m in (*left_out, output) for p in m.parameters()}
        return sum(p.numel() for p in self.model.parameters() if p not in embeddings)

    @property
    def blocks(self) -> nn.ModuleList:
        """Blocks in their order: the longest list of modules there is."""
        lists = [m for m in self.model.modules() if isinstance(m, nn.ModuleList)]
        return max(lists, key=len)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of this module only: dropout stays off, as the decoder here has none."""
        super().train(mode)
        self.model.eval()
        return self

    def save(self, folder: Path, weights: dict[str, Tensor]) -> None:
        """Write ``config.json`` and safetensors into an existing folder."""
        own = {name.removeprefix("model."): weight for name, weight in weights.items()}
        self.model.save_pretrained(folder, state_dict=own)


def load_checkpoint(folder: Path) -> HuggingFaceModel:
    """Load a checkpoint folder on the CPU in float32, without code or weights from elsewhere.

    Parameters
    ----------
    folder : Path
        Holds ``config.json`` and ``*.safetensors``.

    Raises
    ------
    ProbeError
        If `transformers` is missing, the weights are not safetensors, or nothing there is a
        causal language model that this version of `transformers` knows.
    """
    if not any(folder.glob("*.safetensors")):
        others = sorted(path.name for path in folder.glob("*.bin"))
        raise ProbeError(
            f"{folder}: weights as safetensors expected, got {', '.join(others) or 'none'};"
            " pickled weights can run code and are not read: convert them with"
            " `save_pretrained(folder, safe_serialization=True)`"
        )
    try:
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise ProbeError(
            f"{folder}: a Hugging Face checkpoint needs the package transformers; install"
            " bayescmr[huggingface]"
        ) from error
    try:
        loaded: tuple[PreTrainedModel, dict[str, set[str]]]
        loaded = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0]
        raise ProbeError(f"{folder}: not a causal language model to load ({first})") from error
    model, info = loaded
    missing = sorted(info["missing_keys"])
    if missing:  # transformers has drawn them at random
        raise ProbeError(
            f"{folder}: {len(missing)} weights are missing, the first is {missing[0]}; is the"
            " checkpoint whole, and one of a causal language model?"
        )
    return HuggingFaceModel(model)
