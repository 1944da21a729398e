"""Folders of Hugging Face: tiny random models, made here, never the network."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch

from bayescmr.errors import ProbeError
from bayescmr.probes.language_model import load_model, save_model
from bayescmr.probes.losses import sequence_losses

transformers = pytest.importorskip("transformers")

TOKENS = torch.randint(96, (2, 17), generator=torch.Generator().manual_seed(0))


def llama(**changes: object):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        **changes,
    )
    return transformers.LlamaForCausalLM(config)


def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=96, n_embd=32, n_layer=3, n_head=2, n_positions=64)
    return transformers.GPT2LMHeadModel(config)


# Attention (queries and output, keys and values), gated layer, two norms; and the last norm.
LLAMA_SIZE = 3 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48 + 2 * 32) + 32
# Attention, four times as wide a layer, their biases, two norms with bias; and the last norm.
GPT2_SIZE = 3 * (4 * 32 * 32 + 4 * 32 + 8 * 32 * 32 + 5 * 32 + 4 * 32) + 2 * 32
KINDS = {
    "llama": (llama, LLAMA_SIZE),
    "llama, tied": (lambda: llama(tie_word_embeddings=True), LLAMA_SIZE),
    "gpt2": (gpt2, GPT2_SIZE),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_loads_as_transformers_has_it(tmp_path: Path, kind: str) -> None:
    make, size = KINDS[kind]
    original = make().eval()
    original.save_pretrained(tmp_path / "checkpoint")
    model = load_model(tmp_path / "checkpoint")
    with torch.no_grad():
        expected = original(input_ids=TOKENS).logits
        torch.testing.assert_close(model(TOKENS), expected)
    assert model.non_embedding == size
    assert (model.vocab_size, model.layers, model.width, model.context_limit) == (96, 3, 32, 64)
    assert len(model.blocks) == 3
    assert model.flops_per_token(16) == 6 * (size + 96 * 32) + 6 * 3 * 32 * 16


def test_weights_of_half_precision_are_trained_in_float32(tmp_path: Path) -> None:
    llama().bfloat16().save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", KINDS)
def test_training_saving_and_loading(tmp_path: Path, kind: str) -> None:
    KINDS[kind][0]().save_pretrained(tmp_path / "checkpoint")
    model = load_model(tmp_path / "checkpoint")
    losses = []
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(3):
        loss = sequence_losses(model(TOKENS[:, :-1]), TOKENS[:, 1:]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses == sorted(losses, reverse=True)
    save_model(model, tmp_path / "trained")
    again = load_model(tmp_path / "trained")
    with torch.no_grad():
        assert torch.equal(again(TOKENS), model(TOKENS))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_checkpointed_activations_give_the_same_gradients(tmp_path: Path, kind: str) -> None:
    KINDS[kind][0]().save_pretrained(tmp_path)
    plain, saving = load_model(tmp_path), load_model(tmp_path)
    saving.prepare_blocks(compiled=False, checkpointed=True)
    for model in (plain, saving):
        sequence_losses(model(TOKENS[:, :-1]), TOKENS[:, 1:]).mean().backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_dropout_stays_off(tmp_path: Path) -> None:
    gpt2().save_pretrained(tmp_path)
    model = load_model(tmp_path)
    model.eval()
    model.train()
    assert model.training
    with torch.no_grad():
        assert torch.equal(model(TOKENS), model(TOKENS))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    model = llama()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ProbeError, match=r"got pytorch_model\.bin; pickled weights can run code"):
        load_model(tmp_path)


def test_a_folder_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(ProbeError, match=r"not a causal language model to load \(Unrecognized"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    with pytest.raises(ProbeError, match="unheard-of"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ProbeError, match="not a causal language model to load"):
        load_model(tmp_path)


def test_half_a_weight_file_is_refused(tmp_path: Path) -> None:
    llama().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ProbeError, match="not a causal language model to load"):
        load_model(tmp_path)


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    """`transformers` would draw them at random, with a warning."""
    model = llama()
    weights = model.state_dict()
    del weights["model.layers.1.mlp.up_proj.weight"]
    model.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(ProbeError, match=r"1 weights are missing.*layers\.1\.mlp\.up_proj"):
        load_model(tmp_path)
