"""Training or validation, decided by the text itself; and what counts as the same text."""

from __future__ import annotations

import hashlib
import re
from array import array
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


class DigestSet:
    """A set of 64-bit digests in 16 to 32 bytes each, half as much again while it grows.

    A set of Python takes about 150: of the parts of a corpus' preparation, only this one grows
    with the corpus.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: int) -> bool:
        """Add a digest; return whether it is new."""
        key = key or 1  # 0 marks a free slot
        slots, mask = self._slots, len(self._slots) - 1
        place = key & mask
        while (found := slots[place]) and found != key:
            place = (place + 1) & mask
        if found:
            return False
        slots[place] = key
        self._size += 1
        if 2 * self._size > len(slots):
            self._slots, self._size = array("Q", bytes(16 * len(slots))), 0
            for old in filter(None, slots):
                self.add(old)
        return True


class Duplicates:
    """What has been seen of a corpus so far.

    Attributes
    ----------
    documents, paragraphs : int
        How many were dropped.
    """

    def __init__(self) -> None:
        self.documents = 0
        self.paragraphs = 0
        # Apart, since a document may be one paragraph.
        self._documents = DigestSet()
        self._paragraphs = DigestSet()

    def drop(self, key: int) -> bool:
        """Return whether a document of this digest has come before; remember it."""
        new = self._documents.add(key)
        self.documents += not new
        return not new

    def strip(self, text: str) -> str:
        """Return a text without the long paragraphs that have come before, here or elsewhere."""
        kept = []
        for paragraph in text.split("\n\n"):
            if len(paragraph) < SHORTEST_DUPLICATE or self._paragraphs.add(digest(paragraph)):
                kept.append(paragraph)
            else:
                self.paragraphs += 1
        return "\n\n".join(kept).strip()
