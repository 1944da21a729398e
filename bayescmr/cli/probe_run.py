"""``bayescmr probe run``: continue the pre-training of a base on a mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bayescmr.cli import probe_options as o
from bayescmr.cli.options import choice, naming_options, number, share
from bayescmr.cli.probe_train import train_and_tell


def run_command(
    base: Annotated[
        Path,
        typer.Option(
            "--base", metavar="FOLDER", help="From `probe base`, or a Hugging Face checkpoint."
        ),
    ],
    domain_corpus: Annotated[
        list[Path],
        typer.Option("--domain-corpus", metavar="FOLDER", help="Corpus of the domain."),
    ],
    general: o.General,
    ratio: Annotated[
        float, typer.Option("--ratio", parser=number("0.25"), help="Domain share, in [0, 1].")
    ],
    tokens: o.Tokens,
    seed: o.Seed = 1,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="The run gets a folder in it, named by hash."),
    ] = Path("probes"),
    domain: Annotated[
        str | None,
        typer.Option("--domain", help="Label in the run table; default: name of the corpus."),
    ] = None,
    replay_part: Annotated[
        Any,
        typer.Option(
            "--replay-part",
            parser=o.part,
            metavar="FROM:TO",
            help="Share of the general corpus; default: what the base has not been trained on.",
        ),
    ] = None,
    learning_rate: o.LearningRate = None,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            **choice("constant", "cosine", "wsd"),
            help="With constant every checkpoint is a valid shorter run.",
        ),
    ] = "constant",
    final_learning_rate: o.FinalLearningRate = None,
    decay_share: Annotated[
        float,
        typer.Option("--decay-share", parser=share("0.3"), help="Share of the run that wsd falls."),
    ] = 0.3,
    warmup_tokens: o.Warmup = None,
    weight_decay: Annotated[
        float, typer.Option("--weight-decay", parser=number("0.1"), help="Of AdamW.")
    ] = 0.1,
    optimizer_state: Annotated[
        str,
        typer.Option(
            "--optimizer-state",
            **choice("keep", "fresh"),
            help="Go on with the base's moments where they are saved, or start anew.",
        ),
    ] = "keep",
    loss_mode: Annotated[
        str,
        typer.Option(
            "--loss-mode",
            **choice("ce", "kl", "ce+kl"),
            help="Loss of replay tokens: cross-entropy, divergence from the base, or both.",
        ),
    ] = "ce",
    beta: Annotated[
        float,
        typer.Option(
            "--beta",
            parser=number("1"),
            help="Weight of the replay loss (ce, kl), or of its divergence (ce+kl).",
        ),
    ] = 1.0,
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
    save_model: Annotated[
        bool, typer.Option("--save-model", help="Keep the weights at the end, in model/.")
    ] = False,
    json_mode: o.JsonMode = False,
) -> None:
    """Continue the pre-training of a base on a mixture, and measure both losses on the way.

    A run that is there already is not made again; one that was stopped goes on.

    [bold]Examples[/bold]

      bayescmr probe run --base 100k --general web --domain-corpus law --ratio .25 --tokens 524k

      torchrun --nproc-per-node 8 -m bayescmr probe run --strategy fsdp --base llama ...

    Exit codes: 0 done, 2 wrong input, 4 diverged, 75 stopped and saved: run it again.
    """
    from bayescmr.probes.config import CorpusUse, Execution, ProbeConfig
    from bayescmr.probes.defaults import probe_training

    with naming_options(o.NAMES):
        training = o.changed_training(
            probe_training(base, tokens, learning_rate),
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
        config = ProbeConfig(
            base=str(base),
            domain=domain if domain is not None else "+".join(p.name for p in domain_corpus),
            domain_corpora=tuple(CorpusUse(str(folder)) for folder in domain_corpus),
            general=tuple(CorpusUse(str(folder), part=replay_part) for folder in general),
            ratio=ratio,
            tokens=tokens,
            seed=seed,
            training=training,
            optimizer_state=cast(Any, optimizer_state),
            loss_mode=cast(Any, loss_mode),
            beta=beta,
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
            save_model=save_model,
        )
    train_and_tell(config, out, execution, json_mode=json_mode)
