"""``bayescmr probe prepare``: texts or token shards of the user in, a corpus out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.options import naming_options, number, share
from bayescmr.cli.output import print_json, progress_wanted, screen, stderr
from bayescmr.cli.probe_corpora import corpus_dict
from bayescmr.errors import CorpusError

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.probes.corpora import Corpus

_SHARDS = {".bin", ".npy"}
_OPTIONS = {
    "validation_share": "--validation-share",
    "max_tokens": "--max-tokens",
    "tokenizer": "--tokenizer",
    "dtype": "--dtype",
}


def prepare_command(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Text files, .jsonl, .parquet, folders of them; with --dtype: .bin, .npy shards.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Folder to make.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Label of the corpus; default: the name of the folder."),
    ] = None,
    tokenizer: Annotated[
        str,
        typer.Option(
            "--tokenizer",
            help="bpe1024, bytes, a tokenizer.json, or the folder of a checkpoint.",
        ),
    ] = "bpe1024",
    validation_share: Annotated[
        float,
        typer.Option(
            "--validation-share",
            parser=share("0.02"),
            help="Share of the documents that is never trained on.",
        ),
    ] = 0.02,
    text_field: Annotated[
        str | None,
        typer.Option(
            "--text-field",
            help="Field of JSON lines, or column of Parquet, that holds the text; default: text.",
        ),
    ] = None,
    max_tokens: Annotated[
        float | None,
        typer.Option(
            "--max-tokens", parser=number("5e6"), help="Stop after the document that reaches this."
        ),
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", help="Licence of the texts, for the record.")
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option("--dtype", help="The paths are token shards of this type, such as uint16."),
    ] = None,
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn texts, or shards that are tokens already, into a corpus for probes.

    Files are read one document at a time and never held as a whole. Equal documents and equal
    long paragraphs are kept once. Which documents are for validation is decided by their text.
    The folder appears when all is done, or not at all.

    [bold]Examples[/bold]

      bayescmr probe prepare notes/ more.jsonl --out corpora/notes

      bayescmr probe prepare law.parquet --text-field body --out corpora/law --licence CC-BY-4.0

      bayescmr probe prepare shards/*.bin --dtype uint16 --tokenizer checkpoint/ --out corpora/web
    """
    from bayescmr.probes.corpora import adopt_shards, prepare_corpus
    from bayescmr.probes.tokenizer import load_tokenizer

    shards = [path for path in paths if path.suffix in _SHARDS]
    if dtype is None and shards:
        raise CorpusError(
            f"--dtype: missing, since {shards[0]} is a token shard; give the type of its ids, such"
            " as uint16, and the --tokenizer that made them"
        )
    if dtype is not None and (text_field is not None or max_tokens is not None):
        raise CorpusError("--dtype: shards know neither --text-field nor --max-tokens; leave out")
    console = screen(json_mode=json_mode)
    started = time.perf_counter()
    with naming_options(_OPTIONS), _progress() as progress:
        words = load_tokenizer(tokenizer)
        if dtype is None:
            corpus = prepare_corpus(
                paths,
                out,
                name=name or out.resolve().name,
                tokenizer=words,
                validation_share=validation_share,
                text_field=text_field or "text",
                max_tokens=None if max_tokens is None else int(max_tokens),
                licence=licence,
                progress=progress,
            )
        else:
            corpus = adopt_shards(
                paths,
                out,
                name=name or out.resolve().name,
                tokenizer=words,
                dtype=dtype,
                validation_share=validation_share,
                licence=licence,
                progress=progress,
            )
    _print_corpus(console, corpus, time.perf_counter() - started)
    if json_mode:
        print_json(corpus_dict(corpus))


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Give a function that shows the tokens written so far, if anybody looks."""
    if not progress_wanted():
        yield None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} tokens"), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda tokens: bar.update(task, completed=tokens)


def _print_corpus(console: Console, corpus: Corpus, seconds: float) -> None:
    for split, facts in corpus.splits.items():
        console.print(
            f"{split}: {facts.tokens:,} tokens in {facts.documents:,} documents",
            soft_wrap=True,
        )
    dropped = corpus.details["dropped"]
    told = ", ".join(f"{number:,} {what.replace('_', ' ')}" for what, number in dropped.items())
    console.print(f"dropped: {told}", soft_wrap=True)
    console.print(f"wrote {corpus.folder} in {seconds:.1f} s", soft_wrap=True)
