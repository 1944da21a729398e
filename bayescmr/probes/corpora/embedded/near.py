"""Near duplicates: paragraphs that say what has been said, but for some words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

#: Words in a row that are compared.
_ROW = 8
#: A paragraph goes where more than this share of its rows of words has come before.
_MOST_KNOWN = 0.25
#: What is left of a text must be at least this long, in characters.
_SHORTEST_TEXT = 200
_WORDS = re.compile(r"\w+")
# Odd multipliers: sums of products with them stand for rows of words, 64 bits each.
_FACTORS = np.array([pow(0x9E3779B97F4A7C15, i + 1, 2**64) for i in range(_ROW)], dtype=np.uint64)


def without_near_duplicates(texts: Iterable[str]) -> Iterator[str]:
    """Drop paragraphs most of which has come before, in this text or an earlier one.

    Exact duplicates are not enough where texts are variants of each other, as licences are: a
    validation text would be known but for a name. Memory: one integer of a
    Python set for each word, so for corpora of a few million words.
    """
    seen: set[int] = set()
    for text in texts:
        kept = []
        for paragraph in text.split("\n\n"):
            rows = _rows(paragraph)
            if not rows or sum(row in seen for row in rows) <= _MOST_KNOWN * len(rows):
                kept.append(paragraph)
            seen.update(rows)
        left = "\n\n".join(kept)
        if len(left) >= _SHORTEST_TEXT:
            yield left


def _rows(paragraph: str) -> list[int]:
    words = _WORDS.findall(paragraph.casefold())
    if len(words) < _ROW:
        return []
    codes = np.array([zlib.crc32(word.encode()) for word in words], dtype=np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(codes, _ROW)
    found: list[int] = (windows * _FACTORS).sum(axis=1, dtype=np.uint64).tolist()
    return found
