"""What training asks of a language model, whoever made it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class LanguageModel(nn.Module, ABC):
    """A causal language model: token ids in, logits of the next token out.

    Calling it with ids (sequences, length) returns logits (sequences, length, vocab_size), where
    position i has seen the ids up to and including i.

    Attributes
    ----------
    vocab_size : int
        Number of logits.
    layers, width : int
        Number of blocks and width of the residual stream.
    context_limit : int or None
        Longest sequence, None where positions have no limit.
    """

    vocab_size: int
    layers: int
    width: int
    context_limit: int | None

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (sequences, length, vocab_size) of ids (sequences, length)."""

    @property
    @abstractmethod
    def non_embedding(self) -> int:
        """Parameters without embeddings and output matrix: the `size` of a run table."""

    @property
    @abstractmethod
    def blocks(self) -> Iterable[nn.Module]:
        """Blocks in their order: the units that FSDP shards and `torch.compile` compiles."""

    @abstractmethod
    def save(self, folder: Path, weights: dict[str, Tensor]) -> None:
        """Write configuration and these weights (safetensors) into an existing folder."""

    def prepare_blocks(self, *, compiled: bool, checkpointed: bool) -> None:
        """Say how the blocks run; the last call counts.

        Parameters
        ----------
        compiled : bool
            With `torch.compile`: one compilation serves all blocks.
        checkpointed : bool
            Keep only what enters each block and compute the rest again in the backward pass: less
            memory, more time.
        """
        for block in self.blocks:
            block.__dict__.pop("forward", None)
            # `forward` and not the block: what FSDP does around a block stays outside, and is
            # not done twice. Compiled inside: torch.compile skips what begins with a checkpoint.
            if compiled:
                block.forward = torch.compile(block.forward)
            if checkpointed:
                block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def flops_per_token(self, context: int) -> float:
        """Operations of forward and backward pass for one token.

        Six for each weight that a token is multiplied with, the output matrix included
        (Kaplan et al. 2020, section 2.1), and six times layers, width and context for the
        attention that a causal mask leaves: half of the square.

        Parameters
        ----------
        context : int
            Tokens of a sequence.
        """
        weights = self.non_embedding + self.vocab_size * self.width
        return 6.0 * weights + 6.0 * self.layers * self.width * context
