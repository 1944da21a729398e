"""A corpus: a folder of token files and the sheet, ``corpus.json``, that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.split import SPLITS, Split
from bayescmr.probes.corpora.token_files import map_tokens

#: Format of ``corpus.json``; a reader refuses any other.
SCHEMA = 1
SHEET = "corpus.json"
_HOW = "make one with `bayescmr probe prepare`, or the embedded ones with `bayescmr probe corpora`"


@dataclass(frozen=True)
class SplitFacts:
    """What one token file holds.

    Attributes
    ----------
    documents : int
        Documents, each ended by the end of text.
    tokens : int
        Token ids, those ends included.
    sha256 : str
        Digest of the file, in hexadecimal.
    """

    documents: int
    tokens: int
    sha256: str


@dataclass(frozen=True)
class Corpus:
    """Token ids of one corpus, in a training and a validation part that share no document.

    Attributes
    ----------
    name : str
        Label of the corpus: the ``domain`` of the run table.
    folder : Path
        Where its files are.
    fingerprint : str
        SHA-256 of its tokens and of their tokenizer, in hexadecimal; not of its name.
    tokenizer : str
        Name of the tokenizer that made the ids.
    tokenizer_fingerprint : str
        SHA-256 of what decides the ids.
    vocab_size : int
        Ids lie in [0, vocab_size).
    dtype : str
        Type of the ids on disk, ``"<u2"`` or ``"<u4"``.
    splits : mapping of str to SplitFacts
        What ``"train"`` and ``"validation"`` hold.
    details : mapping
        The rest of ``corpus.json``: sources, licences, what was dropped, how it was made.
    """

    name: str
    folder: Path
    tokenizer: str
    tokenizer_fingerprint: str
    vocab_size: int
    dtype: str
    splits: Mapping[Split, SplitFacts]
    details: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:  # noqa: D102 (documented with the attributes)
        parts = [self.tokenizer_fingerprint, self.dtype, *(self.splits[s].sha256 for s in SPLITS)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def tokens(self, split: Split) -> np.memmap:
        """Return the ids of a split, mapped and read-only, shape (n_tokens(split),)."""
        return map_tokens(self.folder / f"{split}.bin", self.dtype, self.n_tokens(split))

    def n_tokens(self, split: Split) -> int:
        """Return the number of ids of a split."""
        return self.splits[split].tokens

    def to_dict(self) -> dict[str, Any]:
        """Return what ``corpus.json`` holds."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "tokenizer": {
                "name": self.tokenizer,
                "fingerprint": self.tokenizer_fingerprint,
                "vocab_size": self.vocab_size,
            },
            "dtype": self.dtype,
            "splits": {name: vars(facts) for name, facts in self.splits.items()},
            **self.details,
        }


def open_corpus(folder: str | Path) -> Corpus:
    """Open a corpus; its tokens are mapped when they are asked for.

    Parameters
    ----------
    folder : str or Path
        A folder that ``bayescmr probe prepare`` or ``bayescmr probe corpora`` has made.

    Raises
    ------
    CorpusError
        There is no such corpus, or its files are not what ``corpus.json`` says.
    """
    folder = Path(folder)
    sheet = folder / SHEET
    if not sheet.is_file():
        state = f"{folder} has no {SHEET}" if folder.is_dir() else f"no folder {folder}"
        raise CorpusError(f"corpus: {state}; {_HOW}")
    try:
        data = json.loads(sheet.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise CorpusError(
                f"corpus: {sheet} has schema {data['schema']}, expected {SCHEMA}; prepare the"
                " corpus again with this version"
            )
        known = ("schema", "name", "tokenizer", "dtype", "splits")
        corpus = Corpus(
            name=data["name"],
            folder=folder,
            tokenizer=data["tokenizer"]["name"],
            tokenizer_fingerprint=data["tokenizer"]["fingerprint"],
            vocab_size=int(data["tokenizer"]["vocab_size"]),
            dtype=data["dtype"],
            splits={split: SplitFacts(**data["splits"][split]) for split in SPLITS},
            details={key: value for key, value in data.items() if key not in known},
        )
    except CorpusError:
        raise
    except (ValueError, KeyError, TypeError, OSError) as error:
        what = f"{type(error).__name__}: {error}"
        raise CorpusError(f"corpus: {sheet} cannot be read ({what}); {_HOW}") from None
    for split in SPLITS:
        corpus.tokens(split)  # missing or cut files are told here, not in the middle of a run
    return corpus
