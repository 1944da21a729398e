"""Token arrays on disk: written as a stream, read as a memory map."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from bayescmr.errors import CorpusError


def smallest_dtype(vocab_size: int) -> str:
    """Return the little-endian type that holds the ids of a vocabulary."""
    return "<u2" if vocab_size <= 2**16 else "<u4"


class TokenWriter:
    """Appends token ids to a file, and digests what it has written."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._file = path.open("wb")
        self._dtype = np.dtype(dtype)
        self._hash = hashlib.sha256()
        self.n_tokens = 0
        self.documents = 0

    def append(self, document: np.ndarray) -> None:
        """Append one document, shape (its tokens,), its end of text included."""
        data = document.astype(self._dtype).tobytes()
        self._file.write(data)
        self._hash.update(data)
        self.n_tokens += len(document)
        self.documents += 1

    @property
    def sha256(self) -> str:
        """Digest of the file, in hexadecimal."""
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def map_tokens(path: Path, dtype: str, n_tokens: int) -> np.memmap:
    """Map a token file, read-only, shape (n_tokens,); nothing is read yet.

    Raises
    ------
    CorpusError
        The file is not there, or is not as long as it should be.
    """
    expected = n_tokens * np.dtype(dtype).itemsize
    got = path.stat().st_size if path.is_file() else None
    if got != expected:
        state = "is missing" if got is None else f"has {got} bytes, expected {expected}"
        raise CorpusError(f"corpus: {path} {state}; prepare the corpus again")
    return np.memmap(path, dtype=dtype, mode="r", shape=(n_tokens,))
