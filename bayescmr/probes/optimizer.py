"""AdamW as it is used for language models: matrices decay, gains do not."""

from __future__ import annotations

import torch

from bayescmr.probes.config import Training


def new_optimizer(model: torch.nn.Module, training: Training) -> torch.optim.AdamW:
    """Make the optimiser of a model; the rate is set at every step.

    Parameters
    ----------
    model : Module
        Weights that require a gradient are trained.
    training : Training
        Its moments, decay and first rate.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in weights if p.ndim >= 2], "weight_decay": training.weight_decay},
            {"params": [p for p in weights if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=training.learning_rate,
        betas=(training.beta1, training.beta2),
        eps=training.epsilon,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group of weights."""
    for group in optimizer.param_groups:
        group["lr"] = rate
