"""Losses: cross-entropy, self-constraint, and the same in pieces."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from bayescmr.errors import ProbeError
from bayescmr.probes import losses as module
from bayescmr.probes.language_model import new_model
from bayescmr.probes.losses import LossMode, divergence, sequence_losses, training_loss
from bayescmr.probes.sizes import architecture

IS_DOMAIN = torch.tensor([True, False, True, False, False])
REPLAY = ~IS_DOMAIN


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, reference logits of the replay, targets: five sequences of 7 tokens of 11."""
    draw = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 7, 11, generator=draw)
    return logits, torch.randn(3, 7, 11, generator=draw), torch.randint(11, (5, 7), generator=draw)


def test_cross_entropy_and_divergence_are_their_definitions(batch) -> None:
    logits, reference, targets = batch
    p = logits.double().exp() / logits.double().exp().sum(-1, keepdim=True)
    q = reference.double().exp() / reference.double().exp().sum(-1, keepdim=True)
    for i in range(5):
        expected = -sum(math.log(p[i, j, targets[i, j]]) for j in range(7)) / 7
        assert float(sequence_losses(logits, targets)[i]) == pytest.approx(expected, rel=1e-6)
    expected = (p[REPLAY] * (p[REPLAY] / q).log()).sum(-1).mean(-1)
    torch.testing.assert_close(divergence(logits[REPLAY], reference).double(), expected)


def test_modes_are_sums_of_the_two_parts(batch) -> None:
    logits, reference, targets = batch
    ce = sequence_losses(logits, targets)
    kl = torch.zeros(5)
    kl[REPLAY] = divergence(logits[REPLAY], reference)
    expected = {
        ("ce", 1.0): ce,
        ("ce", 3.0): torch.where(IS_DOMAIN, ce, 3 * ce),
        ("kl", 2.0): torch.where(IS_DOMAIN, ce, 2 * kl),
        ("ce+kl", 2.0): ce + 2 * kl,
    }
    for (mode, beta), loss in expected.items():
        got = training_loss(
            logits,
            targets,
            IS_DOMAIN,
            mode=mode,
            beta=beta,
            reference_logits=None if mode == "ce" else reference,
        )
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, loss)


@pytest.mark.parametrize("all_domain", [True, False])
def test_a_batch_of_one_kind(batch, all_domain: bool) -> None:
    logits, _, targets = batch
    reference = logits[:0] if all_domain else logits.clone()
    loss = training_loss(
        logits,
        targets,
        torch.full((5,), all_domain),
        mode="kl",
        beta=1.0,
        reference_logits=reference,
    )
    expected = sequence_losses(logits, targets) if all_domain else torch.zeros(5)
    torch.testing.assert_close(loss, expected)


def _gradients(mode: LossMode, beta: float, *, drop_replay: bool = False) -> list[torch.Tensor]:
    """Gradients of a model that has moved a little from its reference."""
    base, model = (new_model(architecture("25k", 64), seed=0) for _ in range(2))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.1)
    draw = torch.Generator().manual_seed(0)
    tokens = torch.randint(64, (5, 17), generator=draw)
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    if drop_replay:
        loss = sequence_losses(model(inputs[IS_DOMAIN]), targets[IS_DOMAIN])
    else:
        with torch.no_grad():
            reference = None if mode == "ce" else base(inputs[REPLAY])
        loss = training_loss(
            model(inputs), targets, IS_DOMAIN, mode=mode, beta=beta, reference_logits=reference
        )
    (loss.sum() / 5).backward()
    return [weight.grad for weight in model.parameters()]


@pytest.mark.parametrize("mode", ["ce", "kl"])
def test_with_beta_zero_replay_might_as_well_be_dropped(mode: LossMode) -> None:
    for a, b in zip(_gradients(mode, 0.0), _gradients(mode, 0.0, drop_replay=True), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-8)


def test_a_small_beta_changes_the_gradient_in_proportion() -> None:
    none, little, twice = (_gradients("kl", beta) for beta in (0.0, 1e-2, 2e-2))
    for a, b, c in zip(none, little, twice, strict=True):
        torch.testing.assert_close(c - a, 2 * (b - a), rtol=1e-2, atol=1e-7)


def test_at_the_base_the_divergence_and_its_gradient_are_zero() -> None:
    model = new_model(architecture("100k", 1024), seed=0)
    tokens = torch.randint(1024, (4, 65), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        reference = model(tokens[:, :-1])
    loss = training_loss(
        model(tokens[:, :-1]),
        tokens[:, 1:],
        torch.zeros(4, dtype=torch.bool),
        mode="kl",
        beta=1.0,
        reference_logits=reference,
    )
    loss.sum().backward()
    assert float(loss.detach().abs().max()) <= 1e-7
    assert max(float(weight.grad.abs().max()) for weight in model.parameters()) <= 1e-6


@pytest.mark.parametrize("mode", get_args(LossMode))
def test_pieces_change_neither_loss_nor_gradient(
    batch, mode: LossMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, reference, targets = batch
    results = []
    for piece in (2**24, 2 * 7 * 11):
        monkeypatch.setattr(module, "_PIECE", piece)
        leaf = logits.clone().requires_grad_()
        loss = training_loss(
            leaf,
            targets,
            IS_DOMAIN,
            mode=mode,
            beta=0.5,
            reference_logits=None if mode == "ce" else reference,
        )
        loss.sum().backward()
        with torch.no_grad():
            results.append((loss, leaf.grad, sequence_losses(logits, targets)))
    for whole, pieces in zip(*results, strict=True):
        torch.testing.assert_close(whole, pieces)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "mse"}, "expected one of ce, kl, ce\\+kl"),
        ({"beta": -1.0}, "got -1.0"),
        ({"beta": math.nan}, "got nan"),
        ({"reference_logits": None}, "needed in loss mode kl"),
        ({"mode": "ce"}, "of no use in loss mode ce"),
        ({"reference_logits": torch.zeros(5, 7, 11)}, "logits of the replay sequences"),
    ],
)
def test_what_does_not_fit_is_refused(batch, arguments: dict[str, object], message: str) -> None:
    logits, reference, targets = batch
    known = {"mode": "kl", "beta": 1.0, "reference_logits": reference, **arguments}
    with pytest.raises(ProbeError, match=message):
        training_loss(logits, targets, IS_DOMAIN, **known)
