"""DDP and FSDP2 of two real processes (gloo) do what one process does."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from bayescmr.errors import ProbeError
from bayescmr.probes.language_model import load_model, new_model
from bayescmr.probes.parallel import Parallel
from bayescmr.probes.sizes import architecture

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("parallel_worker.py")
worker = SimpleNamespace(**runpy.run_path(str(WORKER)))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("none")
    worker.run(Parallel.from_environment("cpu"), folder)
    return folder


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("launched")
    for strategy in ("ddp", "fsdp"):
        (folder / strategy).mkdir()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    # Port 0: the system picks a free one.
    launcher += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    done = subprocess.run(
        [*launcher, str(WORKER), str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def together(request: pytest.FixtureRequest, launched: Path) -> Path:
    return launched / request.param


@pytest.mark.parametrize("file", ["half.safetensors", "whole.safetensors"])
def test_two_processes_train_as_one(alone: Path, together: Path, file: str) -> None:
    """Weights, moments and gradient norms after 3 and 6 clipped AdamW steps with accumulation."""
    expected, got = load_file(alone / file), load_file(together / file)
    assert expected.keys() == got.keys()
    for name in expected:
        # Sums of 5 losses in another order: rounding of float32, carried through 6 steps.
        scale = float(expected[name].abs().max())
        torch.testing.assert_close(got[name], expected[name], rtol=0.0, atol=1e-5 * scale)


def test_gradients_are_clipped_in_that_test(alone: Path) -> None:
    assert float(load_file(alone / "whole.safetensors")["norms"].min()) > worker.LIMIT


def test_resuming_is_exact(alone: Path, together: Path) -> None:
    for folder in (alone, together):
        whole = load_file(folder / "whole.safetensors")
        resumed = load_file(folder / "resumed.safetensors")
        assert all(torch.equal(resumed[name], whole[name]) for name in resumed)
        assert whole.keys() - resumed.keys() == {"norms"}


def test_a_state_moves_from_two_processes_to_one(alone: Path, together: Path) -> None:
    parallel = Parallel.from_environment("cpu")
    model = worker.fresh()
    optimizer = worker.optimizer_of(model)
    parallel.load_full_state(model, optimizer, load_file(together / "half.safetensors"))
    worker.train(parallel, model, model, optimizer, range(worker.STEPS, 2 * worker.STEPS))
    expected = load_file(alone / "whole.safetensors")
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[f"model.{name}"], rtol=0, atol=1e-6)


def test_a_sharded_model_is_saved_whole(together: Path) -> None:
    model = load_model(together / "model")
    expected = load_file(together / "half.safetensors")
    for name, weight in model.named_parameters():
        assert torch.equal(weight.detach(), expected[f"model.{name}"])


def test_a_state_of_another_model_is_refused() -> None:
    parallel = Parallel.from_environment("cpu")
    small, large = (new_model(architecture(size, 64), seed=0) for size in ("25k", "100k"))
    optimizers = [torch.optim.AdamW(model.parameters()) for model in (small, large)]
    state = parallel.full_state(small, optimizers[0])
    with pytest.raises(ProbeError, match="checkpoint: of another model; 14 weights do not fit"):
        parallel.load_full_state(large, optimizers[1], state)


def test_a_start_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ProbeError, match="torchrun --nproc-per-node"):
        Parallel.from_environment("cpu", "ddp")
    with pytest.raises(ProbeError, match="strategy: got 'dp', expected one of none, ddp, fsdp"):
        Parallel.from_environment("cpu", "dp")
    with pytest.raises(ProbeError, match="device: got 'tpu'"):
        Parallel.from_environment("tpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ProbeError, match="torchrun started 2 processes"):
        Parallel.from_environment("cpu", "none")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Parallel.from_environment("auto").device == torch.device("cpu")
    with pytest.raises(ProbeError, match="device: cuda asked for, and torch sees none"):
        Parallel.from_environment("cuda")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in (("RANK", "2"), ("LOCAL_RANK", "2"), ("WORLD_SIZE", "3")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ProbeError, match=r"process 2 of this machine has no GPU .* sees 2"):
        Parallel.from_environment("auto", "ddp")
