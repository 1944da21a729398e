"""Text to token ids: the committed BPE, bytes, or the tokenizer of a checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescmr.errors import CorpusError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

#: Name of the tokenizer that ships with the package, so that runs compare.
DEFAULT = "bpe1024"
#: One id for each byte, and one for the end of a text.
BYTES = "bytes"
END_OF_TEXT = "<|endoftext|>"

# What tokenizers in the wild call the end of a text, the likeliest first.
_ENDS = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]")
_HOW = (
    f"expected {DEFAULT!r}, {BYTES!r}, a tokenizer.json, or the folder of a checkpoint that holds"
    " one"
)


class Tokenizer:
    """Turns texts into arrays of ids.

    Attributes
    ----------
    name : str
        What was asked for: ``"bpe1024"``, ``"bytes"``, or the name of a file or folder.
    vocab_size : int
        Ids lie in [0, vocab_size).
    end_of_text : int
        Id that ends every document.
    fingerprint : str
        SHA-256, in hexadecimal, of all that decides the ids.
    """

    def __init__(
        self,
        name: str,
        vocab_size: int,
        end_of_text: int,
        fingerprint: str,
        encode: Callable[[Sequence[str]], list[np.ndarray]],
    ) -> None:
        self.name = name
        self.vocab_size = vocab_size
        self.end_of_text = end_of_text
        self.fingerprint = fingerprint
        self._encode = encode

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Return one array of ids for each text, shape (its tokens,), int64; no marks are added.

        Names of special tokens that occur in a text are read as text.
        """
        return self._encode(texts)

    def __repr__(self) -> str:
        return f"Tokenizer({self.name!r}, vocab_size={self.vocab_size})"


def load_tokenizer(which: str | Path = DEFAULT) -> Tokenizer:
    """Load a tokenizer; nothing is fetched from anywhere.

    Parameters
    ----------
    which : str or Path
        ``"bpe1024"``, ``"bytes"``, a ``tokenizer.json``, or a folder that holds one, such as a
        Hugging Face checkpoint.

    Raises
    ------
    CorpusError
        There is no such tokenizer, its file cannot be read, or it has no end of text.
    """
    if which == BYTES:
        fingerprint = hashlib.sha256(b"bytes, end of text 256").hexdigest()
        return Tokenizer(BYTES, 257, 256, fingerprint, _encode_bytes)
    if which == DEFAULT:
        shipped = files("bayescmr.probes") / "tokenizers" / f"{DEFAULT}.json"
        return _from_json(DEFAULT, shipped.read_text(encoding="utf-8"), DEFAULT, None)
    path = Path(which)
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        missing = f"no tokenizer.json in {path}" if path.is_dir() else f"no file {path}"
        raise CorpusError(f"tokenizer: {missing}; {_HOW}")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"tokenizer: {file} cannot be read ({error}); {_HOW}") from None
    end = _end_of_folder(path) if path.is_dir() else None
    return _from_json(path.resolve().name, text, str(file), end)


def train_bpe(texts: Iterable[str], vocab_size: int, out: Path) -> Tokenizer:
    """Train a byte-level BPE and write it to a file; every text can be encoded with it.

    Parameters
    ----------
    texts : iterable of str
        What to learn from. The same texts give the same tokenizer.
    vocab_size : int
        Number of ids, at least 257 (the bytes and the end of text).
    out : Path
        File to write, ending in ``.json``.

    Raises
    ------
    CorpusError
        The vocabulary is too small, or the texts hold too little for it.
    """
    if vocab_size < 257:
        raise CorpusError(f"vocab_size: got {vocab_size}, expected at least 257 (bytes and end)")
    _need_backend()
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        # Digits one by one: numbers are long and rare, and no merge should be spent on them.
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    _allow_threads()
    backend.train_from_iterator(texts, trainer)
    if backend.get_vocab_size() < vocab_size:
        raise CorpusError(
            f"vocab_size: the texts suffice for {backend.get_vocab_size()} ids, got {vocab_size};"
            " give more text or a smaller vocabulary"
        )
    out.write_text(backend.to_str(pretty=True) + "\n", encoding="utf-8")
    return load_tokenizer(out)


def _from_json(name: str, text: str, where: str, end: str | int | None) -> Tokenizer:
    _need_backend()
    from tokenizers import Tokenizer as Backend

    try:
        backend = Backend.from_str(text)
    except Exception as error:  # the Rust library raises bare Exception
        raise CorpusError(f"tokenizer: {where} is no tokenizer ({error}); {_HOW}") from None
    _allow_threads()
    backend.no_padding()
    backend.no_truncation()
    backend.encode_special_tokens = True
    vocab_size = backend.get_vocab_size(with_added_tokens=True)
    end_of_text = _find_end(backend, where, end)
    decides = json.dumps([json.loads(backend.to_str()), end_of_text], sort_keys=True)
    fingerprint = hashlib.sha256(decides.encode()).hexdigest()

    def encode(texts: Sequence[str]) -> list[np.ndarray]:
        found = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.asarray(encoding.ids, dtype=np.int64) for encoding in found]

    return Tokenizer(name, max(vocab_size, end_of_text + 1), end_of_text, fingerprint, encode)


def _find_end(backend: Backend, where: str, end: str | int | None) -> int:
    if isinstance(end, int):
        return end
    for word in (end,) if end is not None else _ENDS:
        found = backend.token_to_id(word)
        if found is not None:
            return found
    raise CorpusError(
        f"tokenizer: {where} has no token for the end of a text; expected one of"
        f" {', '.join(_ENDS)}, or an eos_token in tokenizer_config.json beside it"
    )


def _end_of_folder(folder: Path) -> str | int | None:
    """Token or id that ends a text, as the files of a checkpoint tell."""
    token = _read_json(folder / "tokenizer_config.json").get("eos_token")
    if isinstance(token, dict):
        token = token.get("content")
    if isinstance(token, str):
        return token
    number = _read_json(folder / "config.json").get("eos_token_id")
    if isinstance(number, list) and number:
        number = number[0]
    return number if isinstance(number, int) else None


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"tokenizer: {file} is not JSON ({error})") from None
    return found if isinstance(found, dict) else {}


def _need_backend() -> None:
    if find_spec("tokenizers") is None:
        raise CorpusError(
            "tokenizer: the package `tokenizers` is not installed; `pip install"
            f" 'bayescmr[probes]'`, or choose {BYTES!r}, which needs none"
        )


def _allow_threads() -> None:
    # Unset, the library would use threads all the same, but print a warning at every later fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


def _encode_bytes(texts: Sequence[str]) -> list[np.ndarray]:
    return [np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64) for text in texts]
