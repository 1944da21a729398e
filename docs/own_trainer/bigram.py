"""A trainer of its own kind as the probe of a campaign: ``python bigram.py JOB.json``.

A bigram model of bytes, its base counted from the general text, then trained on the mixture by
stochastic gradients. Small, but all a probe must do is here.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

REACHED, DIVERGED, STOPPED = 0, 4, 75

path = Path(sys.argv[1])
job = json.loads(path.read_text(encoding="utf-8"))
settings, folder = job["settings"], path.parent
root = Path(job["root"] or folder)
texts = {
    role: np.frombuffer((root / settings[role]).read_bytes(), np.uint8).astype(int)
    for role in ("general", "domain")
}
train = {role: text[: len(text) * 9 // 10] for role, text in texts.items()}
held_out = {role: text[len(text) * 9 // 10 :] for role, text in texts.items()}
stop = False


def ask_to_stop(*_):
    global stop
    stop = True


signal.signal(signal.SIGTERM, ask_to_stop)


def log_softmax(logits):
    top = logits.max(axis=-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))


def evaluate(weights, role):
    text = held_out[role]
    return float(-log_softmax(weights)[text[:-1], text[1:]].mean())


def base():
    counts = np.ones((256, 256))
    half = train["general"][: len(train["general"]) // 2]  # replay is the other half
    np.add.at(counts, (half[:-1], half[1:]), 1)
    return np.log(counts / counts.sum(axis=1, keepdims=True))


def step(weights, tokens, size):
    """Go on for ``size`` tokens; which ones is a function of seed and tokens, not of the past."""
    draw = np.random.default_rng([job["seed"], tokens])
    from_domain = draw.random(size) < job["ratio"]
    half = len(train["general"]) // 2
    at = np.where(
        from_domain,
        draw.integers(0, len(train["domain"]) - 1, size),
        draw.integers(half, len(train["general"]) - 1, size),
    )
    first, second = (
        np.where(from_domain, train["domain"][np.minimum(at + k, len(train["domain"]) - 1)],
                 train["general"][np.minimum(at + k, len(train["general"]) - 1)])
        for k in (0, 1)
    )  # fmt: skip
    gradient = np.exp(log_softmax(weights[first]))
    gradient[np.arange(size), second] -= 1
    np.subtract.at(weights, first, settings["learning_rate"] * gradient)


def replace_file(name, write):
    """A file is there whole or not at all, whatever kills the process."""
    partial = folder / f".{name}.partial"
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / name)


def save(weights, tokens, lines):
    # First the state, then the losses that it can vouch for: none is ever measured twice.
    replace_file("state.npz", lambda f: np.savez(f, weights=weights, tokens=tokens, lines=lines))
    replace_file("losses.jsonl", lambda f: f.write("".join(lines).encode()))


if (folder / "state.npz").exists():
    with np.load(folder / "state.npz") as saved:
        weights, tokens, lines = saved["weights"], int(saved["tokens"]), list(saved["lines"])
else:
    weights, tokens, lines = base(), 0, []

marks = sorted({0, *job["checkpoints"]})
while True:
    stopping = stop  # asked once a turn, so that whoever ends as stopped has saved
    if tokens in marks and len(lines) <= marks.index(tokens):
        losses = {f"loss_{role}": evaluate(weights, role) for role in texts}
        if not max(losses.values()) < 2 * np.log(256):
            sys.exit(DIVERGED)
        lines.append(json.dumps({"tokens": tokens, **losses}) + "\n")
    if tokens in marks or stopping:
        save(weights, tokens, lines)
    if tokens >= job["until"]:
        sys.exit(REACHED)
    if stopping:
        sys.exit(STOPPED)
    size = min(256, min(mark for mark in marks if mark > tokens) - tokens)
    step(weights, tokens, size)
    tokens += size
