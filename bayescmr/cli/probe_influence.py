"""``bayescmr probe influence``: the first-order critical ratio of a base, before any run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from bayescmr.cli import probe_options as o
from bayescmr.cli.options import choice, naming_options, whole
from bayescmr.cli.output import print_json, screen


def influence_command(
    base: Annotated[Path, typer.Option("--base", metavar="FOLDER", help="Base model.")],
    domain_corpus: Annotated[
        list[Path], typer.Option("--domain-corpus", metavar="FOLDER", help="Corpus of the domain.")
    ],
    general: o.General,
    batches: Annotated[
        int,
        typer.Option("--batches", parser=whole(8, 10**4), help="Batches of each kind of text."),
    ] = 16,
    sequences: Annotated[
        int, typer.Option("--sequences", parser=whole(1, 10**6), help="Sequences in a batch.")
    ] = 32,
    context: o.Context = 128,
    preconditioner: Annotated[
        str,
        typer.Option(
            "--preconditioner",
            **choice("adam", "identity"),
            help="adam: by the base's saved second moments, as its next steps will be.",
        ),
    ] = "adam",
    seed: o.Seed = 1,
    device: o.Device = "auto",
    json_mode: o.JsonMode = False,
) -> None:
    """Domain share above which the first CPT steps raise the general loss.

    A few gradients of the base, no training. What later steps do, only a probe can tell.

    [bold]Example[/bold]

      bayescmr probe influence --base bases/100k --general general --domain-corpus legal
    """
    from bayescmr.probes.config import CorpusUse, ProbeConfig, Training
    from bayescmr.probes.influence import influence

    prob = 0.9
    with naming_options(o.NAMES):
        found = influence(
            ProbeConfig(
                base=str(base),
                domain="+".join(folder.name for folder in domain_corpus),
                domain_corpora=tuple(CorpusUse(str(folder)) for folder in domain_corpus),
                general=tuple(CorpusUse(str(folder)) for folder in general),
                ratio=0.5,
                tokens=1,
                seed=seed,
                training=Training(learning_rate=1.0, context=context, sequences=sequences),
            ),
            batches=batches,
            sequences=sequences,
            preconditioner=cast(Any, preconditioner),
            device=cast(Any, device),
        )
    low, high = found.interval(prob)
    console = screen(json_mode=json_mode)
    console.print(
        f"first-order critical ratio: {found.ratio:.3f}"
        f" [{low:.3f}, {high:.3f}] ({prob:.0%} bootstrap interval, equal-tailed)"
    )
    console.print(meaning(found.ratio))
    console.print(
        "It is the limit of very small steps. Real steps, by AdamW at the rate of CPT, raised the"
        " loss at far smaller shares in case_studies/cpu_probes: do not train by it."
    )
    console.print(
        f"{found.tokens:,} tokens, {found.seconds:.1f} s, preconditioner {preconditioner}"
    )
    if json_mode:
        print_json(
            {
                "ratio": found.ratio,
                "lower": low,
                "upper": high,
                "prob": prob,
                "kind": "bootstrap, equal-tailed",
                "preconditioner": preconditioner,
                "tokens": found.tokens,
                "seconds": found.seconds,
            }
        )


def meaning(ratio: float) -> str:
    """Say in a sentence what a first-order critical ratio says."""
    if ratio == 0:
        return "Even replay does not lower the general loss at first."
    if ratio == 1:
        return "No domain share raises the general loss at first: the constraint does not bind."
    return "At first the general loss falls for smaller domain shares and rises for larger ones."
