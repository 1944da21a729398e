"""Make an embedded corpus from its recipe, once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.corpus import Corpus, open_corpus
from bayescmr.probes.corpora.documents import Document
from bayescmr.probes.corpora.embedded.recipe import Installed, Recipe, find_installed
from bayescmr.probes.corpora.prepare import write_corpus
from bayescmr.probes.tokenizer import Tokenizer

#: Share of the documents of an embedded corpus that is kept for validation.
VALIDATION_SHARE = 0.05


@dataclass(frozen=True)
class Made:
    """An embedded corpus, and whether it was there already.

    Attributes
    ----------
    corpus : Corpus
        The corpus, opened.
    state : {"made", "kept"}
        Made now, or found as this call would have made it.
    """

    corpus: Corpus
    state: Literal["made", "kept"]


def embedded_texts(recipe: Recipe) -> Iterator[Document]:
    """Yield the cleaned texts of a recipe; each names its package.

    Raises
    ------
    CorpusError
        A package is not installed, or holds no texts where they are expected.
    """
    return _documents(recipe, _installed(recipe))


def make_embedded(recipe: Recipe, out: Path, tokenizer: Tokenizer) -> Made:
    """Make an embedded corpus, unless the same one is there.

    Parameters
    ----------
    recipe : Recipe
        Which one.
    out : Path
        Folder to make.
    tokenizer : Tokenizer
        From `load_tokenizer`.

    Raises
    ------
    CorpusError
        A package is not installed, or ``out`` holds something else.
    """
    packages = _installed(recipe)
    versions = {name: installed.version for name, installed in packages.items()}
    made_of = {
        "recipe": recipe.name,
        "edition": recipe.edition,
        "packages": versions,
        "tokenizer": tokenizer.fingerprint,
    }
    signature = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    if out.exists():
        corpus = open_corpus(out)
        if corpus.details.get("signature") == signature:
            return Made(corpus, "kept")
        raise CorpusError(
            f"{out}: holds a corpus from other packages, another tokenizer or another version of"
            " bayescmr; remove it, or choose another folder (models trained on it need it as it"
            " is)"
        )
    corpus = write_corpus(
        _documents(recipe, packages),
        out,
        name=recipe.name,
        tokenizer=tokenizer,
        validation_share=VALIDATION_SHARE,
        sources={
            part.package: {
                "version": packages[part.package].version,
                "licence": packages[part.package].licence,
                "rights": part.rights,
            }
            for part in recipe.ingredients
        },
        details={"description": recipe.description, "signature": signature},
    )
    return Made(corpus, "made")


def _installed(recipe: Recipe) -> dict[str, Installed]:
    return {part.package: find_installed(part.package) for part in recipe.ingredients}


def _documents(recipe: Recipe, packages: Mapping[str, Installed]) -> Iterator[Document]:
    for part in recipe.ingredients:
        installed = packages[part.package]
        number = 0
        for text in part.texts(installed.root):
            number += 1
            yield Document(text, part.package)
        if number == 0:
            raise CorpusError(
                f"{part.package} {installed.version}: no text was found under {installed.root};"
                " install the version that the extra `corpora` asks for"
            )
