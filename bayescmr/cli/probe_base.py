"""``bayescmr probe base``: pre-train a base model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bayescmr.cli import probe_options as o
from bayescmr.cli.options import choice, naming_options, number, share
from bayescmr.cli.probe_train import train_and_tell


def base_command(
    size: Annotated[
        str, typer.Option("--size", help="Architecture: 25k, 100k, 330k, 800k, 3M ... 1B.")
    ],
    general: o.General,
    tokens: o.Tokens,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the base goes.")],
    seed: o.Seed = 1,
    part: Annotated[
        Any,
        typer.Option(
            "--part",
            parser=o.part,
            metavar="FROM:TO",
            help="Share of the corpus to train on; replay then takes the rest.",
        ),
    ] = "0:0.7",
    learning_rate: o.LearningRate = None,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            **choice("constant", "cosine", "wsd"),
            help="wsd: constant, then a linear fall to the rate that CPT will hold.",
        ),
    ] = "wsd",
    final_learning_rate: o.FinalLearningRate = None,
    decay_share: Annotated[
        float,
        typer.Option("--decay-share", parser=share("0.3"), help="Share of the run that wsd falls."),
    ] = 0.3,
    warmup_tokens: o.Warmup = None,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", parser=number("0.1"), help="Of AdamW.")
    ] = 0.1,
    context: o.Context = 128,
    sequences: o.Sequences = 16,
    precision: o.Precision = "auto",
    checkpoints: o.Checkpoints = 8,
    validation_tokens: o.ValidationTokens = 32_768,
    device: o.Device = "auto",
    strategy: o.Strategy = "none",
    micro_sequences: o.MicroSequences = None,
    compile_model: o.Compile = False,
    checkpoint_activations: o.CheckpointActivations = False,
    save_minutes: o.SaveMinutes = 5.0,
    json_mode: o.JsonMode = False,
) -> None:
    """Pre-train a base model on general text.

    The default rate falls, over the last 30 % of the tokens, to the rate that `probe run` holds.

    [bold]Examples[/bold]

      bayescmr probe corpora --out corpora

      bayescmr probe base --size 100k --general corpora/general --tokens 2.5M --out bases/100k

    Exit codes: 0 done, 2 wrong input, 4 diverged, 75 stopped and saved: run it again.
    """
    from bayescmr.probes.config import BaseConfig, CorpusUse, Execution
    from bayescmr.probes.defaults import base_training
    from bayescmr.probes.sizes import architecture

    with naming_options(o.NAMES):
        training = o.changed_training(
            base_training(architecture(size, 2).non_embedding, tokens, learning_rate),
            {
                "schedule": schedule,
                "final_learning_rate": final_learning_rate,
                "decay_share": decay_share,
                "warmup_tokens": warmup_tokens,
                "weight_decay": weight_decay,
                "context": context,
                "sequences": sequences,
                "precision": precision,
            },
        )
        config = BaseConfig(
            size=size,
            general=tuple(CorpusUse(str(folder), part=part) for folder in general),
            tokens=tokens,
            seed=seed,
            training=training,
            validation_tokens=validation_tokens,
            checkpoints=checkpoints,
        )
        execution = Execution(
            device=cast(Any, device),
            strategy=cast(Any, strategy),
            micro_sequences=micro_sequences,
            compile=compile_model,
            checkpoint_activations=checkpoint_activations,
            save_minutes=save_minutes,
        )
    train_and_tell(config, out, execution, json_mode=json_mode)
