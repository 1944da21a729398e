"""Saving and loading our own models."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import torch

from bayescmr.errors import ProbeError
from bayescmr.probes.language_model import load_model, new_model, save_model
from bayescmr.probes.sizes import Architecture, architecture

UNTIED = Architecture(256, 64, 2, heads=4, kv_heads=2, hidden=96, tied=False)


@pytest.mark.parametrize("shape", [architecture("25k", 1024), UNTIED])
def test_round_trip(tmp_path: Path, shape: Architecture) -> None:
    model = new_model(shape, seed=5)
    save_model(model, tmp_path / "base")
    loaded = load_model(tmp_path / "base")
    tokens = torch.arange(12)[None]
    assert torch.equal(model(tokens), loaded(tokens))
    assert (loaded.embedding.weight is loaded.output.weight) == shape.tied
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"]
    assert stat.S_IMODE((tmp_path / "base").stat().st_mode) == 0o755


def test_saving_again_replaces(tmp_path: Path) -> None:
    for seed in (1, 2):
        save_model(new_model(architecture("25k", 64), seed=seed), tmp_path / "base")
    tokens = torch.arange(12)[None]
    expected = new_model(architecture("25k", 64), seed=2)(tokens)
    assert torch.equal(load_model(tmp_path / "base")(tokens), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_failed_save_leaves_the_old_model_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = new_model(architecture("25k", 64), seed=1)
    save_model(model, tmp_path / "base")

    def full_disk(folder: Path, _: object) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_model(model, tmp_path / "base")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    load_model(tmp_path / "base")


def test_what_is_not_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r"is not a folder with architecture.json"):
        load_model(tmp_path / "none")
    with pytest.raises(ProbeError, match=r"holds neither architecture.json"):
        load_model(tmp_path)


def test_broken_files_are_named(tmp_path: Path) -> None:
    base = tmp_path / "base"
    save_model(new_model(architecture("25k", 64), seed=1), base)
    text = json.loads((base / "architecture.json").read_text())
    (base / "architecture.json").write_text(json.dumps({**text, "hidden": 96}))
    with pytest.raises(
        ProbeError,
        match=r"4 weights do not fit .* block_list.0.down.weight: got .*88.*, expected .*96",
    ):
        load_model(base)
    (base / "architecture.json").write_text(json.dumps({"width": 3}))
    with pytest.raises(ProbeError, match=r"architecture.json: architecture: missing .*heads"):
        load_model(base)
    (base / "architecture.json").write_text("{")
    with pytest.raises(ProbeError, match="not JSON"):
        load_model(base)
    (base / "architecture.json").write_text("[1]")
    with pytest.raises(ProbeError, match="expected an object"):
        load_model(base)
    (base / "architecture.json").write_text(json.dumps(text))
    (base / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ProbeError, match="weights cannot be read"):
        load_model(base)
