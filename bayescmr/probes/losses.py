"""Losses of sequences: cross-entropy, and the divergence from a frozen base on replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from bayescmr.errors import ProbeError

LossMode = Literal["ce", "kl", "ce+kl"]
_MODES = get_args(LossMode)

# Logits of one piece, as a float32 copy: 64 MB. A batch with more is worked off in pieces whose
# log-probabilities are computed again in the backward pass and never all held at once.
_PIECE = 2**24


def sequence_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of each sequence, in nats per token.

    Parameters
    ----------
    logits : Tensor
        (sequences, length, vocab_size), any floating type.
    targets : Tensor
        (sequences, length), ids.

    Returns
    -------
    Tensor
        (sequences,), float32.
    """
    return _by_pieces(_cross_entropy, logits, targets)


def training_loss(
    logits: Tensor,
    targets: Tensor,
    is_domain: Tensor,
    *,
    mode: LossMode,
    beta: float,
    reference_logits: Tensor | None,
) -> Tensor:
    """Loss of each sequence of a mixed batch, in nats per token.

    Domain sequences always get their cross-entropy. Replay gets ``beta`` times its cross-entropy
    (``ce``), ``beta`` times its divergence KL(model || reference), mean over tokens, from the
    frozen base (``kl``: Baichuan-M2's domain self-constraint, arXiv 2509.02208, eq. 1), or its
    cross-entropy and ``beta`` times that divergence (``ce+kl``). ``ce`` with the ``beta`` of a
    ``kl`` run is the control that tells a constraint from mere weight.

    Parameters
    ----------
    logits : Tensor
        (sequences, length, vocab_size).
    targets : Tensor
        (sequences, length), ids.
    is_domain : Tensor
        (sequences,), bool.
    mode : {"ce", "kl", "ce+kl"}
        What replay is trained on.
    beta : float
        Weight, at least 0.
    reference_logits : Tensor or None
        Logits of the base on the replay sequences only, in their order: (replay sequences,
        length, vocab_size), without gradient. None in mode ``ce``.

    Returns
    -------
    Tensor
        (sequences,), float32.

    Raises
    ------
    ProbeError
        If the mode is unknown, ``beta`` is negative, or the reference is missing, superfluous or
        of another shape.
    """
    if mode not in _MODES:
        raise ProbeError(f"loss mode: got {mode!r}, expected one of {', '.join(_MODES)}")
    if not beta >= 0:
        raise ProbeError(f"beta: got {beta}, expected a number of at least 0")
    if (reference_logits is None) != (mode == "ce"):
        raise ProbeError(
            f"reference logits: {'needed' if mode != 'ce' else 'of no use'} in loss mode {mode}"
        )
    if reference_logits is None:
        losses = sequence_losses(logits, targets)
        return losses if beta == 1.0 else torch.where(is_domain, losses, beta * losses)
    replay = (~is_domain).nonzero().squeeze(-1)
    expected = (len(replay), *logits.shape[1:])
    if tuple(reference_logits.shape) != expected:
        raise ProbeError(
            f"reference logits: got shape {tuple(reference_logits.shape)}, expected {expected},"
            " the logits of the replay sequences"
        )
    if mode == "kl":
        domain = is_domain.nonzero().squeeze(-1)
        losses = logits.new_zeros(len(logits), dtype=torch.float32)
        losses = losses.index_copy(0, domain, sequence_losses(logits[domain], targets[domain]))
    else:
        losses = sequence_losses(logits, targets)
    divergences = divergence(logits[replay], reference_logits)
    return losses.index_add(0, replay, divergences, alpha=beta)


def divergence(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """KL(model || reference) of each sequence, mean over its tokens, in nats.

    Parameters
    ----------
    logits, reference_logits : Tensor
        (sequences, length, vocab_size).

    Returns
    -------
    Tensor
        (sequences,), float32.
    """
    return _by_pieces(_divergence, logits, reference_logits)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    losses = functional.cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), reduction="none"
    )
    return losses.view_as(targets).mean(dim=1)


def _divergence(logits: Tensor, reference_logits: Tensor) -> Tensor:
    own = functional.log_softmax(logits, dim=-1, dtype=torch.float32)
    reference = functional.log_softmax(reference_logits, dim=-1, dtype=torch.float32)
    return (own.exp() * (own - reference)).sum(dim=-1).mean(dim=1)


def _by_pieces(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, other: Tensor) -> Tensor:
    if logits.numel() <= _PIECE:
        return loss(logits, other)
    rows = max(1, _PIECE // (logits.shape[1] * logits.shape[2]))
    pieces = zip(torch.split(logits, rows), torch.split(other, rows), strict=True)
    if not torch.is_grad_enabled():
        return torch.cat([loss(*piece) for piece in pieces])
    return torch.cat([checkpoint(loss, *piece, use_reentrant=False) for piece in pieces])
