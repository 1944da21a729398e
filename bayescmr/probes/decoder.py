"""A compact Llama-style decoder: RMSNorm, rotary positions, gated feed-forward, no biases."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bayescmr.probes.interface import LanguageModel
from bayescmr.probes.sizes import Architecture

#: Files of a saved decoder.
ARCHITECTURE_FILE, WEIGHTS_FILE = "architecture.json", "model.safetensors"

_INIT_STD = 0.02
# Positions of the rotary table at first; it grows where a sequence is longer.
_POSITIONS = 1024


class Block(nn.Module):
    """Attention and gated feed-forward layer, each added to the residual stream.

    Queries, keys and values are one matrix, and gate and up-projection another: at the smallest
    sizes the time of a step is mostly the number of operations.
    """

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self._heads, self._kv_heads = shape.heads, shape.kv_heads
        self._head_width = shape.head_width
        attended = (shape.heads + 2 * shape.kv_heads) * shape.head_width
        self.attention_norm = nn.RMSNorm(shape.width, shape.norm_eps)
        self.qkv = nn.Linear(shape.width, attended, bias=False)
        self.attention_out = nn.Linear(shape.width, shape.width, bias=False)
        self.hidden_norm = nn.RMSNorm(shape.width, shape.norm_eps)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Stream (sequences, length, width) after this block."""
        x = x + self._attend(self.attention_norm(x), cos, sin)
        gate, up = self.gate_up(self.hidden_norm(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)  # type: ignore[no-any-return]

    def _attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rotated = self._heads + self._kv_heads
        parts = self.qkv(x).unflatten(-1, (-1, self._head_width))
        # Rotary positions (Su et al. 2021, arXiv 2104.09864), pairs half a head apart as in
        # Llama: a roll by half swaps them, and the sign of the pair is in `sin`.
        qk = parts[:, :, :rotated]
        qk = torch.addcmul(qk * cos, qk.roll(self._head_width // 2, -1), sin).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(
            qk[:, : self._heads],
            qk[:, self._heads :],
            parts[:, :, rotated:].transpose(1, 2),
            is_causal=True,
            enable_gqa=self._kv_heads < self._heads,
        )
        return self.attention_out(attended.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Decoder(LanguageModel):
    """Decoder of an `Architecture`, with weights drawn from torch's global generator.

    Matrices have standard deviation 0.02, those that write into the residual stream less by the
    square root of their number, as in GPT-2. The output matrix has min(0.02, 2 / width), a width
    rule as in muP (Yang et al. 2022, arXiv 2203.03466): tied to the embedding it would else
    predict the token just read, and no size would start at a loss of ln(vocab_size).

    Parameters
    ----------
    architecture : Architecture
        Its shape.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocab_size = architecture.vocab_size
        self.layers, self.width = architecture.layers, architecture.width
        self.context_limit = None
        self.embedding = nn.Embedding(self.vocab_size, self.width)
        self.block_list = nn.ModuleList(Block(architecture) for _ in range(architecture.layers))
        self.norm = nn.RMSNorm(self.width, architecture.norm_eps)
        self.output = nn.Linear(self.width, self.vocab_size, bias=False)
        if architecture.tied:
            self.output.weight = self.embedding.weight
        self._initialise()
        cos, sin = _rotary_table(architecture, _POSITIONS)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def _initialise(self) -> None:
        residual = _INIT_STD / math.sqrt(2 * self.layers)
        for name, weight in self.named_parameters():  # a tied matrix comes once, as embedding
            if weight.ndim == 1:
                continue
            std = residual if name.endswith(("attention_out.weight", "down.weight")) else _INIT_STD
            if weight is self.output.weight:
                std = min(_INIT_STD, 2 / self.width)
            nn.init.normal_(weight, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (sequences, length, vocab_size) of ids (sequences, length)."""
        length = tokens.shape[1]
        if length > self.cos.shape[0]:
            cos, sin = _rotary_table(self.architecture, length)
            self.cos, self.sin = cos.to(self.cos), sin.to(self.sin)
        cos, sin = self.cos[:length], self.sin[:length]
        x = self.embedding(tokens)
        for block in self.block_list:
            x = block(x, cos, sin)
        return self.output(self.norm(x))  # type: ignore[no-any-return]

    @property
    def non_embedding(self) -> int:
        """Parameters without embedding and output matrix."""
        return self.architecture.non_embedding

    @property
    def blocks(self) -> nn.ModuleList:
        """Blocks in their order."""
        return self.block_list

    def save(self, folder: Path, weights: dict[str, Tensor]) -> None:
        """Write ``architecture.json`` and ``model.safetensors`` into an existing folder."""
        from safetensors.torch import save_file

        save_file(weights, folder / WEIGHTS_FILE)
        text = json.dumps(self.architecture.to_dict(), indent=2)
        (folder / ARCHITECTURE_FILE).write_text(text + "\n", encoding="utf-8")


def _rotary_table(shape: Architecture, positions: int) -> tuple[Tensor, Tensor]:
    """Cosine and signed sine, each (positions, 1, head width)."""
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.float64) / shape.head_width
    angles = torch.outer(
        torch.arange(positions, dtype=torch.float64), float(shape.rope_theta) ** -pairs
    )
    cos = torch.cat((angles.cos(), angles.cos()), dim=-1)
    sin = torch.cat((-angles.sin(), angles.sin()), dim=-1)
    return cos[:, None].float(), sin[:, None].float()
