"""Train the tokenizer that ships: `python tools/train_bpe1024.py` writes it where it belongs.

It learns from 4 million characters of each embedded corpus, so that no domain is favoured, and
only from documents that are not kept for validation. Needs the extras `probes` and `corpora`.
The same versions of the packages give the same file; with others, corpora and models made with
the former one no longer fit, so it is not trained anew without need.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bayescmr.probes
from bayescmr.probes.corpora.embedded import RECIPES, embedded_texts
from bayescmr.probes.corpora.embedded.make import VALIDATION_SHARE
from bayescmr.probes.corpora.split import Duplicates, digest, split_of
from bayescmr.probes.tokenizer import train_bpe

CHARACTERS = 4_000_000
VOCAB_SIZE = 1024
OUT = Path(bayescmr.probes.__file__).parent / "tokenizers" / "bpe1024.json"


def sample() -> Iterator[str]:
    """Texts of each corpus, in the order of their digests: a sample of its documents."""
    for recipe in RECIPES.values():
        duplicates = Duplicates()
        keyed = {digest(document.text): document.text for document in embedded_texts(recipe)}
        size = 0
        for key in sorted(keyed):
            if split_of(key, VALIDATION_SHARE) == "train" and size < CHARACTERS:
                text = duplicates.strip(keyed[key])[: CHARACTERS - size]
                size += len(text)
                yield text
        print(f"{recipe.name}: {size} characters of {len(keyed)} documents")


if __name__ == "__main__":
    made = train_bpe(sample(), VOCAB_SIZE, OUT)
    print(f"wrote {OUT}: {made.vocab_size} ids, fingerprint {made.fingerprint}")
