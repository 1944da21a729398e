"""The decoder: counts, causality, positions, initialisation, learning and memory."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from functools import partial

import pytest
import torch
import torch._dynamo.utils
from torch.nn import functional

from bayescmr.probes.language_model import new_model
from bayescmr.probes.losses import sequence_losses
from bayescmr.probes.sizes import SIZES, Architecture, architecture

SMALL = architecture("25k", 1024)
GROUPED = Architecture(256, 64, 2, heads=4, kv_heads=2, hidden=96, tied=False)


def ids(*shape: int, vocab_size: int = 1024, seed: int = 0) -> torch.Tensor:
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [SMALL, GROUPED, architecture("800k", 1024)])
def test_the_counts_are_those_of_the_weights(shape: Architecture) -> None:
    model = new_model(shape, seed=0)
    assert sum(p.numel() for p in model.parameters()) == shape.parameters
    embeddings = {id(p): p.numel() for p in (model.embedding.weight, model.output.weight)}
    assert model.non_embedding == shape.parameters - sum(embeddings.values())


def test_operations_of_a_token() -> None:
    matrices = 2 * (4 * 32 * 32 + 3 * 32 * 88) + 1024 * 32
    norms = 5 * 32
    attention = 2 * 2 * 2 * 32 * 128 / 2  # q k' and the weighted v, layers, width, half the square
    flops = new_model(SMALL, seed=0).flops_per_token(128)
    assert flops == pytest.approx(6 * (matrices + norms) + 3 * attention)


@pytest.mark.parametrize("shape", [SMALL, GROUPED])
def test_no_position_sees_what_follows_it(shape: Architecture) -> None:
    model = new_model(shape, seed=0)
    tokens = ids(2, 12, vocab_size=shape.vocab_size)
    changed = tokens.clone()
    changed[:, 7:] = (tokens[:, 7:] + 1) % shape.vocab_size
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


def test_against_plain_formulas() -> None:
    """Every operation written out once more in float64, heads one by one."""
    model = new_model(GROUPED, seed=1).double()
    tokens = ids(2, 9, vocab_size=GROUPED.vocab_size)
    head, half = GROUPED.head_width, GROUPED.head_width // 2

    def norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + GROUPED.norm_eps).sqrt() * weight

    def rotate(x: torch.Tensor) -> torch.Tensor:
        rate = 10_000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        turn = torch.polar(
            torch.ones(9, half, dtype=torch.float64), torch.arange(9.0)[:, None] * rate
        )
        turned = torch.complex(x[..., :half], x[..., half:]) * turn
        return torch.cat((turned.real, turned.imag), -1)

    x = model.embedding.weight[tokens]
    for block in model.block_list:
        y = norm(x, block.attention_norm.weight) @ block.qkv.weight.T
        q, k, v = (part.split(head, -1) for part in y.split([64, 32, 32], -1))
        outputs = []
        for i in range(4):
            scores = rotate(q[i]) @ rotate(k[i // 2]).mT / math.sqrt(head)
            hidden_from = torch.ones(9, 9).triu(1).bool()
            outputs.append(scores.masked_fill(hidden_from, -torch.inf).softmax(-1) @ v[i // 2])
        x = x + torch.cat(outputs, -1) @ block.attention_out.weight.T
        gate, up = (norm(x, block.hidden_norm.weight) @ block.gate_up.weight.T).chunk(2, -1)
        x = x + (gate * gate.sigmoid() * up) @ block.down.weight.T
    expected = norm(x, model.norm.weight) @ model.output.weight.T
    # The rotary table is float32.
    torch.testing.assert_close(model(tokens), expected, rtol=1e-6, atol=1e-7)


def test_a_sequence_longer_than_the_rotary_table() -> None:
    model = new_model(SMALL, seed=0)
    tokens = ids(1, 1100)
    with torch.no_grad():
        long = model(tokens)
        assert model.cos.shape[0] == 1100
        short = model(tokens[:, :64])
    torch.testing.assert_close(long[:, :64], short)


@pytest.mark.parametrize("size", ["25k", "100k", "800k", "3M"])
def test_an_untrained_model_knows_nothing(size: str) -> None:
    """Loss within 2 % of ln(vocab_size), for targets that differ from the token read or equal it.

    Per-token losses spread by about the logits' standard deviation, at most 0.1; over 1,024
    tokens that is a Monte Carlo error of 0.003 nats, far below 2 % of ln 1024 (0.14 nats).
    """
    model = new_model(architecture(size, 1024), seed=0)
    tokens = ids(8, 129)
    with torch.no_grad():
        loss = sequence_losses(model(tokens[:, :-1]), tokens[:, 1:]).mean()
    assert float(loss) == pytest.approx(math.log(1024), rel=0.02)


def test_a_seed_decides_the_weights_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (new_model(SMALL, seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.embedding.weight, second.embedding.weight)
    assert not torch.equal(first.embedding.weight, other.embedding.weight)


def test_it_overfits_one_batch() -> None:
    """Random tokens can only be learnt by heart."""
    model = new_model(architecture("100k", 64), seed=0)
    tokens = ids(4, 17, vocab_size=64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(200):
        loss = sequence_losses(model(tokens[:, :-1]), tokens[:, 1:]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert float(loss.detach()) < 0.05  # from ln 64 = 4.16


def test_accumulated_gradients_are_those_of_the_large_batch() -> None:
    tokens = ids(6, 33)
    whole, parts = (new_model(SMALL, seed=0).double() for _ in range(2))
    sequence_losses(whole(tokens[:, :-1]), tokens[:, 1:]).mean().backward()
    for piece in tokens.split(2):
        (sequence_losses(parts(piece[:, :-1]), piece[:, 1:]).sum() / 6).backward()
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        # Losses are float32, everything else float64.
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-9)


def test_checkpointed_activations_give_the_same_gradients() -> None:
    tokens = ids(2, 17)
    plain, saving = new_model(SMALL, seed=0), new_model(SMALL, seed=0)
    saving.prepare_blocks(compiled=False, checkpointed=True)
    for model in (plain, saving):
        logits = model(tokens[:, :-1])
        functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def _saved_bytes(model: torch.nn.Module, tokens: torch.Tensor) -> int:
    saved: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        saved[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        loss = model(tokens).mean()
    loss.backward()
    return sum(saved.values())


def test_checkpointed_activations_take_less_memory() -> None:
    model, tokens = new_model(architecture("800k", 64), seed=0), ids(4, 64, vocab_size=64)
    whole = _saved_bytes(model, tokens)
    model.prepare_blocks(compiled=False, checkpointed=True)
    assert _saved_bytes(model, tokens) < whole / 3
    model.prepare_blocks(compiled=False, checkpointed=False)
    assert _saved_bytes(model, tokens) > whole / 1.1


@pytest.mark.parametrize("checkpointed", [False, True])
def test_compiled_blocks_are_traced_once_and_compute_the_same(
    checkpointed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tracer alone: generating and compiling C++ takes half a minute and is torch's."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    graphs: Counter[str] = torch._dynamo.utils.counters["stats"]
    torch._dynamo.reset()
    graphs.clear()
    tokens = ids(2, 17)
    plain, traced = new_model(SMALL, seed=0), new_model(SMALL, seed=0)
    traced.prepare_blocks(compiled=True, checkpointed=checkpointed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer's own, about its ways and Python's patch level
        for model in (plain, traced):
            sequence_losses(model(tokens[:, :-1]), tokens[:, 1:]).mean().backward()
    assert graphs["unique_graphs"] == 1
    assert graphs["calls_captured"] > 15
    for a, b in zip(plain.parameters(), traced.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_every_size_can_be_built() -> None:
    with torch.device("meta"):
        for size in SIZES:
            model = new_model(architecture(size, 1024), seed=0)
            assert len(model.blocks) == model.layers
