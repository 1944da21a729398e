"""Training speed of a probe against a minimal hand-tuned torch loop of the same model.

    python case_studies/benchmarks/probes.py --corpora build/cpu_probes/corpora

Both in turn in one process, on one thread, in CPU seconds; medians of the repetitions, in
probes.json. The loop has the model written out by hand, batches drawn at random from an array in
memory, fused AdamW and clipping; no log, no evaluation, no checkpoint, no accounting. Ours is
`bayescmr.probes.run`, its training seconds and, for a whole probe, everything.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from bayescmr.probes import BaseConfig, CorpusUse, Execution, Training, open_corpus, run
from bayescmr.probes.peak import matmul_peak
from bayescmr.probes.record import processor
from bayescmr.probes.sizes import Architecture, architecture

HERE = Path(__file__).parent
CONTEXT, SEQUENCES, STEPS = 128, 16, 256


class Minimal:
    """Llama-style decoder as bare tensors: what one would write by hand for speed."""

    def __init__(self, shape: Architecture) -> None:
        self.shape = shape
        width, hidden = shape.width, shape.hidden

        def matrix(rows: int, columns: int) -> torch.Tensor:
            return torch.randn(rows, columns).mul_(0.02).requires_grad_()

        self.embedding = matrix(shape.vocab_size, width)
        self.blocks = [
            (
                torch.ones(width, requires_grad=True), matrix(3 * width, width),
                matrix(width, width), torch.ones(width, requires_grad=True),
                matrix(2 * hidden, width), matrix(width, hidden),
            )
            for _ in range(shape.layers)
        ]  # fmt: skip
        self.norm = torch.ones(width, requires_grad=True)
        half = width // shape.heads // 2
        angles = torch.outer(torch.arange(CONTEXT), 1e4 ** -(torch.arange(half) / half))
        self.cos, self.sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        self.sin[:, :half] *= -1

    def weights(self) -> list[torch.Tensor]:
        """Return everything that is trained."""
        return [self.embedding, *(w for block in self.blocks for w in block), self.norm]

    def loss(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy of (sequences, context + 1) ids."""
        heads, width = self.shape.heads, self.shape.width
        x = F.embedding(tokens[:, :-1], self.embedding)
        n, length, _ = x.shape
        for norm1, qkv, out, norm2, gate_up, down in self.blocks:
            parts = F.linear(F.rms_norm(x, (width,), norm1, 1e-5), qkv)
            q, k, v = parts.view(n, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
            q, k = (t * self.cos + t.roll(t.shape[-1] // 2, -1) * self.sin for t in (q, k))
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + F.linear(attended.transpose(1, 2).reshape(n, length, width), out)
            gate, up = F.linear(F.rms_norm(x, (width,), norm2, 1e-5), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        logits = F.linear(F.rms_norm(x, (width,), self.norm, 1e-5), self.embedding)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))


def minimal(shape: Architecture, tokens: torch.Tensor) -> float:
    """Return tokens per CPU second of the hand-written loop."""
    model = Minimal(shape)
    weights = model.weights()
    optimizer = torch.optim.AdamW(weights, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    window = torch.arange(CONTEXT + 1)
    began = time.process_time()
    for _ in range(STEPS):
        starts = torch.randint(len(tokens) - CONTEXT - 1, (SEQUENCES, 1))
        model.loss(tokens[starts + window]).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return STEPS * CONTEXT * SEQUENCES / (time.process_time() - began)


def ours(size: str, corpus: Path, checkpoints: int) -> dict[str, float]:
    """Return tokens per CPU second of a run of ours, evaluations left out and taken in."""
    config = BaseConfig(
        size=size,
        general=(CorpusUse(str(corpus)),),
        tokens=STEPS * CONTEXT * SEQUENCES,
        seed=1,
        training=Training(learning_rate=1e-3, context=CONTEXT, sequences=SEQUENCES),
        checkpoints=checkpoints,
    )
    with tempfile.TemporaryDirectory() as folder:
        began, wall = time.process_time(), time.perf_counter()
        data = run(config, Path(folder) / "run", Execution(device="cpu")).data
        total, wall = time.process_time() - began, time.perf_counter() - wall
    # CPU seconds of training alone: of the loop, the share that its clock gives to training.
    seconds = data["seconds"]
    share = seconds["training"] / (seconds["training"] + seconds["evaluation"])
    return {
        "training": data["tokens"] / (share * seconds["cpu"]),
        "everything": data["tokens"] / total,
        "wall_seconds": wall,
        "flops_per_token": data["flops"]["training_per_token"],
    }


def measure(size: str, corpus: Path, repetitions: int) -> dict[str, Any]:
    """Race the two, in turn."""
    opened = open_corpus(corpus)
    shape = architecture(size, opened.vocab_size)
    tokens = torch.from_numpy(opened.tokens("train")[:2_000_000].astype("int64"))
    by_hand, by_us = [], []
    for i in range(repetitions + 1):
        hand, us = minimal(shape, tokens), ours(size, corpus, 8)
        if i:  # the first warms both up
            by_hand.append(hand)
            by_us.append(us)
    speed = statistics.median(us["training"] for us in by_us)
    peak = matmul_peak(torch.device("cpu"), torch.float32)
    return {
        "size": shape.non_embedding,
        "ratio": statistics.median(
            us["training"] / hand for us, hand in zip(by_us, by_hand, strict=True)
        ),
        "ratio_with_evaluations": statistics.median(
            us["everything"] / hand for us, hand in zip(by_us, by_hand, strict=True)
        ),
        "ratios": [us["training"] / hand for us, hand in zip(by_us, by_hand, strict=True)],
        "tokens_per_cpu_second": speed,
        "utilisation": by_us[0]["flops_per_token"] * speed / peak,
        "probe_cpu_seconds": STEPS * CONTEXT * SEQUENCES
        / statistics.median(us["everything"] for us in by_us),
    }  # fmt: skip


def main() -> None:
    """Measure and write probes.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpora", type=Path, default=Path("build/cpu_probes/corpora"))
    parser.add_argument("--sizes", default="25k,100k,330k")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "probes.json")
    words = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {
        "schema": 1,
        "machine": {"processor": processor(), "torch": torch.__version__,
                    "python": platform.python_version()},
        "repetitions": words.repetitions,
        "tokens": STEPS * CONTEXT * SEQUENCES,
        "sizes": {},
    }  # fmt: skip
    for size in words.sizes.split(","):
        found["sizes"][size] = measure(size, words.corpora / "general", words.repetitions)
        print(size, found["sizes"][size], file=sys.stderr)
        words.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
