"""Training or validation, decided by the text itself; and what counts as the same text."""

from __future__ import annotations

import hashlib
import re
from typing import Literal, get_args

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = get_args(Split)

#: Paragraphs shorter than this many characters may come twice: `return None`, "Amen."
SHORTEST_DUPLICATE = 80
_RANGE = 2**64
_WORDS = re.compile(r"\w+")


def digest(data: str | bytes) -> int:
    """Return 64 bits that stand for a text (for its words, in any case) or for bytes (exactly).

    Among n different texts the chance that any two share them is n^2 / 2^65: 3e-4 for 10^8.
    """
    if isinstance(data, str):
        data = (" ".join(_WORDS.findall(data.casefold())) or data).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


def split_of(key: int, validation_share: float) -> Split:
    """Return the side of a document, from its digest alone: not from its place, nor from a seed.

    A growing corpus keeps its validation documents, and a larger share holds those of a smaller.
    """
    # The digest also serves to find duplicates, which leaves its value uniform.
    return "validation" if key < validation_share * _RANGE else "train"


class Duplicates:
    """Texts seen so far, as 64-bit digests: about 70 bytes of memory for each, however long.

    Attributes
    ----------
    documents, paragraphs : int
        How many were dropped.
    """

    def __init__(self) -> None:
        self.documents = 0
        self.paragraphs = 0
        # Apart, since a document may be one paragraph.
        self._documents: set[int] = set()
        self._paragraphs: set[int] = set()

    def drop(self, key: int) -> bool:
        """Return whether a document of this digest has come before; remember it."""
        old = key in self._documents
        self._documents.add(key)
        self.documents += old
        return old

    def strip(self, text: str) -> str:
        """Return a text without the long paragraphs that have come before, here or elsewhere."""
        kept = []
        for paragraph in text.split("\n\n"):
            if len(paragraph) >= SHORTEST_DUPLICATE:
                key = digest(paragraph)
                if key in self._paragraphs:
                    self.paragraphs += 1
                    continue
                self._paragraphs.add(key)
            kept.append(paragraph)
        return "\n\n".join(kept).strip()
