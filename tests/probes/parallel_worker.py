"""What each process of the tests of parallel training runs: ``worker.py FOLDER``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bayescmr.probes.interface import LanguageModel
from bayescmr.probes.language_model import new_model, save_model
from bayescmr.probes.losses import sequence_losses
from bayescmr.probes.parallel import Parallel
from bayescmr.probes.sizes import architecture

STEPS, SEQUENCES, LIMIT = 3, 5, 0.1


def fresh() -> LanguageModel:
    return new_model(architecture("25k", 64), seed=0)


def optimizer_of(model: LanguageModel) -> torch.optim.AdamW:
    # Where a gradient is zero but for rounding, Adam's first steps would amplify that rounding.
    return torch.optim.AdamW(model.parameters(), lr=1e-2, eps=1e-3, weight_decay=0.1)


def train(
    parallel: Parallel, model: LanguageModel, wrapped, optimizer, steps: range
) -> list[float]:
    """Each process takes two micro-batches of unequal sizes; returns the norms of the gradients."""
    norms = []
    for step in steps:
        tokens = torch.randint(64, (SEQUENCES, 17), generator=torch.Generator().manual_seed(step))
        own = tokens[parallel.rank :: parallel.world]
        for i, piece in enumerate((own[:-1], own[-1:])):
            with parallel.no_sync(wrapped, last=i == 1):
                losses = sequence_losses(wrapped(piece[:, :-1]), piece[:, 1:])
                (losses.sum() / SEQUENCES).backward()
        norms.append(float(parallel.clip_gradients(model, LIMIT)))
        optimizer.step()
        optimizer.zero_grad()
    return norms


def run(parallel: Parallel, folder: Path) -> None:
    model = fresh()
    wrapped = parallel.wrap(model)
    optimizer = optimizer_of(model)
    norms = train(parallel, model, wrapped, optimizer, range(STEPS))
    state = parallel.full_state(model, optimizer)
    weights = parallel.full_weights(model)
    assert bool(state) == bool(weights) == parallel.is_main
    if parallel.is_main:
        save_file(state, folder / "half.safetensors")
        save_model(model, folder / "model", weights)
    parallel.barrier()

    norms += train(parallel, model, wrapped, optimizer, range(STEPS, 2 * STEPS))
    whole = parallel.full_state(model, optimizer)

    model = fresh()
    model.prepare_blocks(compiled=False, checkpointed=True)  # must change nothing, sharded or not
    wrapped = parallel.wrap(model)
    optimizer = optimizer_of(model)
    parallel.load_full_state(model, optimizer, load_file(folder / "half.safetensors"))
    train(parallel, model, wrapped, optimizer, range(STEPS, 2 * STEPS))
    resumed = parallel.full_state(model, optimizer)

    if parallel.is_main:
        whole["norms"] = torch.tensor(norms)
        save_file(whole, folder / "whole.safetensors")
        save_file(resumed, folder / "resumed.safetensors")
    total = parallel.sum_over_ranks(torch.tensor([1.0, parallel.rank]))
    world = parallel.world
    assert total.tolist() == [world, world * (world - 1) / 2]


if __name__ == "__main__":
    # Both with the same processes: starting them is what takes time.
    parallel = Parallel.from_environment("cpu", "ddp")
    for strategy in ("ddp", "fsdp"):
        run(replace(parallel, strategy=strategy), Path(sys.argv[1], strategy))
    parallel.close()
