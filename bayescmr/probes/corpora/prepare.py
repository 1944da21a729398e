"""Make a corpus: from documents, from files, or from token shards of the user."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.corpus import SHEET, Corpus, SplitFacts, open_corpus
from bayescmr.probes.corpora.documents import Document, cut, find_files, read_documents
from bayescmr.probes.corpora.split import SPLITS, Duplicates, Split, digest, split_of
from bayescmr.probes.corpora.token_files import TokenWriter, smallest_dtype
from bayescmr.probes.tokenizer import Tokenizer

#: Characters that are encoded together; memory grows with it, speed hardly.
_BATCH = 2**20
#: Longer documents are encoded in pieces, cut at an end of line.
_PIECE = 2**18


#: Where shards have no end of text, documents are this long.
_LONGEST_SHARD_DOCUMENT = 2**16


def prepare_corpus(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    name: str,
    tokenizer: Tokenizer,
    validation_share: float = 0.02,
    text_field: str = "text",
    max_tokens: int | None = None,
    licence: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Turn texts into a corpus, one document after the other.

    Equal documents are kept once, and so are equal paragraphs of 80 characters or more, up to
    case, blanks and punctuation: no long paragraph is on both sides of the split.

    Parameters
    ----------
    paths : sequence of str or Path
        Text files, JSON lines, Parquet files, or folders of them.
    out : str or Path
        Folder to make. It appears when all is done, or not at all.
    name : str
        Label of the corpus.
    tokenizer : Tokenizer
        From `load_tokenizer`.
    validation_share : float
        Share of the documents that is kept for validation, in (0, 1).
    text_field : str
        Field of JSON lines, or column of Parquet, that holds the text.
    max_tokens : int, optional
        Stop after the document that reaches this many tokens, in the order of reading.
    licence : str, optional
        Licence of the texts, for the record.
    progress : callable, optional
        Called now and then with the number of tokens written so far.

    Returns
    -------
    Corpus
        The corpus, opened.

    Raises
    ------
    CorpusError
        A file cannot be read, ``out`` exists or cannot be written, or a split would be empty.
    """
    files = find_files([Path(path) for path in paths])
    return write_corpus(
        read_documents(files, text_field),
        out,
        name=name,
        tokenizer=tokenizer,
        validation_share=validation_share,
        max_tokens=max_tokens,
        sources={source: {"files": len(files[source]), "licence": licence} for source in files},
        progress=progress,
    )


def write_corpus(
    documents: Iterable[Document],
    out: str | Path,
    *,
    name: str,
    tokenizer: Tokenizer,
    validation_share: float,
    max_tokens: int | None = None,
    sources: Mapping[str, Mapping[str, Any]],
    details: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Turn a stream of documents into a corpus: `prepare_corpus` once the files are read.

    Parameters
    ----------
    documents : iterable of Document
        Texts; each names one of ``sources``.
    out, name, tokenizer, validation_share, max_tokens, progress
        As of `prepare_corpus`.
    sources : mapping of str to mapping
        What is known of each source, such as its licence.
    details : mapping, optional
        More for ``corpus.json``.
    """
    _check_share(validation_share)
    if max_tokens is not None and max_tokens < 1:
        raise CorpusError(f"max_tokens: got {max_tokens}, expected at least 1")
    duplicates = Duplicates()
    used = {source: _Use() for source in sources}

    def kept() -> Iterator[tuple[Document, Split]]:
        for document in documents:
            key = digest(document.text)
            if duplicates.drop(key):
                continue
            text = duplicates.strip(document.text)
            if text:
                yield Document(text, document.source), split_of(key, validation_share)

    with _building(Path(out), tokenizer) as (folder, writers):
        for document, split, ids in _encode(kept(), tokenizer):
            writers[split].append(ids)
            used[document.source].add(split, ids, document.text)
            written = sum(writer.n_tokens for writer in writers.values())
            if progress is not None:
                progress(written)
            if max_tokens is not None and written >= max_tokens:
                break
        _finish(
            folder,
            writers,
            name=name,
            tokenizer=tokenizer,
            details={
                "sources": {key: {**sources[key], **vars(used[key])} for key in sources},
                "dropped": {
                    "equal_documents": duplicates.documents,
                    "equal_paragraphs": duplicates.paragraphs,
                },
                "validation_share": validation_share,
                "max_tokens": max_tokens,
                **(details or {}),
            },
        )
    return open_corpus(out)


def adopt_shards(
    shards: Sequence[str | Path],
    out: str | Path,
    *,
    name: str,
    tokenizer: Tokenizer,
    dtype: str,
    validation_share: float = 0.02,
    licence: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Corpus:
    """Turn pre-tokenised shards into a corpus; the ids are copied as they are.

    A document ends with the end of text of the tokenizer; where none comes, after 65,536 ids.
    Equal documents are kept once.

    Parameters
    ----------
    shards : sequence of str or Path
        ``.npy`` arrays of one dimension, or raw ``.bin`` files without a header.
    out, name, validation_share, licence, progress
        As of `prepare_corpus`.
    tokenizer : Tokenizer
        The one that made the ids. That it did cannot be checked, other than by their range.
    dtype : str
        Type of the ids in raw files, such as ``"uint16"``; also checked against ``.npy`` files.

    Raises
    ------
    CorpusError
        A shard is not of this type, or holds ids beyond the vocabulary; else as
        `prepare_corpus`.
    """
    _check_share(validation_share)
    arrays = [(str(path), _map_shard(Path(path), dtype)) for path in shards]
    if not arrays:
        raise CorpusError("shards: got none, expected .bin or .npy files")
    duplicates = Duplicates()
    used = {path: _Use() for path, _ in arrays}
    with _building(Path(out), tokenizer) as (folder, writers):
        for path, array in arrays:
            for ids in _documents_of(path, array, tokenizer):
                key = digest(ids.astype("<u4").tobytes())
                if duplicates.drop(key):
                    continue
                split = split_of(key, validation_share)
                writers[split].append(ids)
                used[path].add(split, ids)
                if progress is not None:
                    progress(sum(writer.n_tokens for writer in writers.values()))
        _finish(
            folder,
            writers,
            name=name,
            tokenizer=tokenizer,
            details={
                "sources": {path: {"licence": licence, **vars(used[path])} for path in used},
                "dropped": {"equal_documents": duplicates.documents},
                "validation_share": validation_share,
            },
        )
    return open_corpus(out)


class _Use:
    """What a source gave to each split."""

    def __init__(self) -> None:
        self.documents = dict.fromkeys(SPLITS, 0)
        self.tokens = dict.fromkeys(SPLITS, 0)
        self.characters = dict.fromkeys(SPLITS, 0)

    def add(self, split: Split, ids: np.ndarray, text: str = "") -> None:
        self.documents[split] += 1
        self.tokens[split] += len(ids)
        self.characters[split] += len(text)


def _finish(
    folder: Path,
    writers: Mapping[Split, TokenWriter],
    *,
    name: str,
    tokenizer: Tokenizer,
    details: Mapping[str, Any],
) -> None:
    """Check that both splits hold something, and write the sheet."""
    for split, writer in writers.items():
        if writer.documents == 0:
            counts = ", ".join(f"{w.documents} for {s}" for s, w in writers.items())
            raise CorpusError(
                f"corpus {name!r}: the {split} split would be empty (documents: {counts}); give"
                f" more documents, or another share for validation ({details['validation_share']})"
            )
    corpus = Corpus(
        name=name,
        folder=folder,
        tokenizer=tokenizer.name,
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        dtype=smallest_dtype(tokenizer.vocab_size),
        splits={s: SplitFacts(w.documents, w.n_tokens, w.sha256) for s, w in writers.items()},
        details=details,
    )
    text = json.dumps(corpus.to_dict(), indent=2, ensure_ascii=False)
    (folder / SHEET).write_text(text + "\n", encoding="utf-8")


def _check_share(validation_share: float) -> None:
    if not 0 < validation_share < 1:
        raise CorpusError(f"validation_share: got {validation_share}, expected a number in (0, 1)")


def _encode(
    documents: Iterable[tuple[Document, Split]], tokenizer: Tokenizer
) -> Iterator[tuple[Document, Split, np.ndarray]]:
    """Encode documents some at a time; each ends with the end of text."""
    end = np.array([tokenizer.end_of_text])
    for batch in _batches(documents):
        pieces = [_pieces(document.text) for document, _ in batch]
        ids = iter(tokenizer.encode_batch([piece for parts in pieces for piece in parts]))
        for (document, split), parts in zip(batch, pieces, strict=True):
            yield document, split, np.concatenate([*(next(ids) for _ in parts), end])


def _batches(
    documents: Iterable[tuple[Document, Split]],
) -> Iterator[list[tuple[Document, Split]]]:
    batch: list[tuple[Document, Split]] = []
    size = 0
    for document, split in documents:
        batch.append((document, split))
        size += len(document.text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pieces(text: str) -> list[str]:
    return [text] if len(text) <= _PIECE else list(cut(text.splitlines(keepends=True), _PIECE))


def _map_shard(path: Path, dtype: str) -> np.ndarray:
    try:
        wanted = np.dtype(dtype).newbyteorder("<")
    except TypeError:
        wanted = np.dtype("f8")
    if wanted.kind not in "ui":
        raise CorpusError(f"dtype: got {dtype!r}, expected uint16, uint32, int32 or int64")
    try:
        if path.suffix == ".npy":
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            if array.ndim != 1 or array.dtype != wanted:
                raise CorpusError(
                    f"{path}: holds {array.dtype} of shape {array.shape}, expected one dimension"
                    f" of {wanted}"
                )
            return array
        if path.suffix != ".bin":
            raise CorpusError(f"{path}: got {path.suffix or 'no ending'}, expected .bin or .npy")
        size = path.stat().st_size
        if size == 0 or size % wanted.itemsize:
            raise CorpusError(
                f"{path}: {size} bytes are no whole number of {wanted} ids; give another dtype"
            )
        return np.memmap(path, dtype=wanted, mode="r")
    except (OSError, ValueError) as error:
        if isinstance(error, CorpusError):
            raise
        raise CorpusError(f"{path}: cannot be read ({error})") from None


def _documents_of(path: str, array: np.ndarray, tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    """Cut a shard into documents; ids beyond the vocabulary are told with their place."""
    start = 0
    while start < len(array):
        window = np.asarray(array[start : start + _LONGEST_SHARD_DOCUMENT], dtype=np.int64)
        wrong = np.flatnonzero((window < 0) | (window >= tokenizer.vocab_size))
        if wrong.size:
            raise CorpusError(
                f"{path}: id {window[wrong[0]]} at position {start + wrong[0]}, expected less than"
                f" {tokenizer.vocab_size} ({tokenizer.name}); give the tokenizer, and the dtype,"
                " that made the shards"
            )
        # The last document of a window may go on behind it, unless it fills the window.
        ends = np.flatnonzero(window == tokenizer.end_of_text) + 1
        if not ends.size or start + len(window) == len(array):
            ends = np.append(ends, len(window))
        yield from (part for part in np.split(window[: ends[-1]], ends[:-1]) if part.size)
        start += int(ends[-1])


@contextmanager
def _building(out: Path, tokenizer: Tokenizer) -> Iterator[tuple[Path, dict[Split, TokenWriter]]]:
    """Give a folder beside ``out`` to write to; it takes that name at the end, or is removed."""
    if out.exists():
        raise CorpusError(f"{out}: exists already; remove it, or choose another folder")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        raise CorpusError(f"{out}: cannot be made ({error.strerror or error})") from None
    try:
        with ExitStack() as stack:
            dtype = smallest_dtype(tokenizer.vocab_size)
            writers = {s: TokenWriter(folder / f"{s}.bin", dtype) for s in SPLITS}
            for writer in writers.values():
                stack.enter_context(writer)
            yield folder, writers
        folder.chmod(0o755)
        folder.rename(out)
    except OSError as error:
        raise CorpusError(
            f"{out}: cannot be written ({error.strerror or error}); nothing was kept"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
