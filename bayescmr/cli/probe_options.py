"""Options that the training commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescmr.cli.options import choice, number, whole

if TYPE_CHECKING:
    from bayescmr.probes.config import Training

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


def count(example: str) -> Any:
    """Make a parser of counts such as 524k, 2.5M or 1e9."""

    def parse(text: str) -> int:
        found = re.fullmatch(r"\s*([0-9.eE+]+?)\s*([kKmMbBgGtT]?)\s*", str(text))
        try:
            value = float(found[1]) * _UNITS[found[2].lower()] if found else math.nan
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 1):
            raise typer.BadParameter(f"got {text!r}, expected a count >= 1, for example {example}")
        return round(value)

    return parse


def part(text: str) -> tuple[float, float]:
    """Read ``FROM:TO``."""
    first, colon, last = str(text).partition(":")
    try:
        found = (float(first), float(last)) if colon else (math.nan, math.nan)
    except ValueError:
        found = (math.nan, math.nan)
    if not 0 <= found[0] < found[1] <= 1:
        raise typer.BadParameter(
            f"got {text!r}, expected FROM:TO with 0 <= FROM < TO <= 1, for example 0:0.7"
        )
    return found


Tokens = Annotated[
    int, typer.Option("--tokens", parser=count("524k"), help="Tokens to train for: 524k, 2.5M.")
]
Seed = Annotated[int, typer.Option("--seed", parser=whole(0, 2**32 - 1), help="Of the data order.")]
LearningRate = Annotated[
    float | None, typer.Option("--learning-rate", parser=number("1e-3"), help="Peak rate.")
]
FinalLearningRate = Annotated[
    float | None,
    typer.Option(
        "--final-learning-rate", parser=number("1e-4"), help="Rate at the end of cosine and wsd."
    ),
]
Warmup = Annotated[
    int | None,
    typer.Option("--warmup-tokens", parser=whole(0, 10**15), help="Default: 2 % of the tokens."),
]
Context = Annotated[
    int, typer.Option("--context", parser=whole(2, 10**7), help="Tokens in a sequence.")
]
Sequences = Annotated[
    int, typer.Option("--sequences", parser=whole(1, 10**7), help="Sequences in a step.")
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        **choice("auto", "float32", "bfloat16"),
        help="auto: bfloat16 on a GPU, else float32.",
    ),
]
Checkpoints = Annotated[
    int,
    typer.Option("--checkpoints", parser=whole(1, 10**4), help="Evaluations, evenly in ln tokens."),
]
ValidationTokens = Annotated[
    int,
    typer.Option("--validation-tokens", parser=count("32k"), help="Of each validation set."),
]
Device = Annotated[
    str, typer.Option("--device", **choice("auto", "cpu", "cuda"), help="Where to train.")
]
Strategy = Annotated[
    str,
    typer.Option(
        "--strategy",
        **choice("none", "ddp", "fsdp"),
        help="How processes started by torchrun share the work.",
    ),
]
MicroSequences = Annotated[
    int | None,
    typer.Option(
        "--micro-sequences",
        parser=whole(1, 10**7),
        help="Sequences in one forward pass; fewer need less memory and change nothing else.",
    ),
]
Compile = Annotated[bool, typer.Option("--compile", help="Compile the model with torch.compile.")]
CheckpointActivations = Annotated[
    bool,
    typer.Option("--checkpoint-activations", help="Less memory for a third more arithmetic."),
]
SaveMinutes = Annotated[
    float,
    typer.Option("--save-minutes", parser=number("5"), help="Minutes between two saves."),
]
JsonMode = Annotated[bool, typer.Option("--json", help="Print JSON.")]
General = Annotated[
    list[Path],
    typer.Option("--general", metavar="FOLDER", help="General corpus; may be given repeatedly."),
]


def changed_training(training: Training, changes: Mapping[str, Any]) -> Training:
    """Return a training with what the user gave in place of the defaults.

    Parameters
    ----------
    training : Training
        The defaults.
    changes : mapping of str to object
        Fields; None means "not given".

    Raises
    ------
    ProbeError
        The values do not go together.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    # The default final rate belongs to a rate that falls; a constant rate has none, and a rate
    # that falls in spite of a constant default needs one from the user.
    if given.get("schedule") == "constant":
        given.setdefault("final_learning_rate", None)
    return replace(training, **given)


#: Fields of the configuration, as the options are called.
NAMES = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "base", "domain", "general", "ratio", "tokens", "seed", "size", "learning_rate",
        "final_learning_rate", "warmup_tokens", "schedule", "decay_share", "context", "sequences",
        "precision", "checkpoints", "validation_tokens", "loss_mode", "beta", "micro_sequences",
        "save_minutes", "optimizer_state", "part", "strategy",
    )
} | {"domain_corpora": "--domain-corpus"}  # fmt: skip
