"""Tokenizers: the one that ships, bytes, those of checkpoints, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import CorpusError
from bayescmr.probes.tokenizer import END_OF_TEXT, load_tokenizer, train_bpe

Backend = pytest.importorskip("tokenizers").Tokenizer

Write = Callable[[str, str | bytes], Path]
SHIPPED = str(files("bayescmr.probes") / "tokenizers" / "bpe1024.json")
#: Corpora and models of users were made with this one: another is another tokenizer.
FINGERPRINT = "36abe8601a50931ede53cef3fc12df6d440472eb637a81143e39a8a242897620"
TEXTS = ["the cat sat on the mat", "a dog sat on the log, and a frog", "cats and dogs: 1234567890"]


def test_shipped_tokenizer_is_the_one_that_corpora_were_made_with() -> None:
    tokenizer = load_tokenizer()
    assert (tokenizer.name, tokenizer.vocab_size, tokenizer.end_of_text) == ("bpe1024", 1024, 0)
    assert tokenizer.fingerprint == FINGERPRINT
    (ids,) = tokenizer.encode_batch(["The license of 2026."])
    assert ids.dtype == np.int64
    assert [Backend.from_file(SHIPPED).id_to_token(i) for i in ids.tolist()] == [
        *("The", "Ġlicense", "Ġof", "Ġ", "2", "0", "2", "6", "."),
    ]


@given(st.lists(st.text(), max_size=5))
def test_every_text_comes_back_from_its_ids(texts: list[str]) -> None:
    backend = Backend.from_file(SHIPPED)
    for which in ("bpe1024", "bytes"):
        tokenizer = load_tokenizer(which)
        found = tokenizer.encode_batch(texts)
        assert len(found) == len(texts)
        for text, ids in zip(texts, found, strict=True):
            assert ((ids >= 0) & (ids < tokenizer.vocab_size)).all()
            assert tokenizer.end_of_text not in ids
            if which == "bytes":
                assert bytes(ids.astype(np.uint8)).decode() == text
            else:
                assert backend.decode(ids.tolist(), skip_special_tokens=False) == text


def test_names_of_special_tokens_in_a_text_are_text() -> None:
    (ids,) = load_tokenizer().encode_batch([f"a {END_OF_TEXT} b"])
    assert 0 not in ids
    assert len(ids) > 8


def test_training_gives_the_same_file_again_and_reads_it_back(tmp_path: Path) -> None:
    one = train_bpe(iter(TEXTS), 280, tmp_path / "one.json")
    other = train_bpe(iter(TEXTS), 280, tmp_path / "other.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert one.fingerprint == other.fingerprint
    assert (one.name, one.vocab_size) == ("one.json", 280)
    assert sum(map(len, one.encode_batch(TEXTS))) < sum(map(len, TEXTS))


@pytest.mark.parametrize(
    ("vocab_size", "message"), [(256, "got 256, expected at least 257"), (5000, "texts suffice")]
)
def test_training_refuses_what_it_cannot_do(tmp_path: Path, vocab_size: int, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        train_bpe(TEXTS, vocab_size, tmp_path / "bpe.json")
    assert not list(tmp_path.iterdir())


# --- checkpoints ------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A folder as Hugging Face writes it: its own end of text, padding switched on."""
    backend = Backend.from_file(SHIPPED)
    backend.add_special_tokens(["<stop>"])
    backend.enable_padding()
    backend.enable_truncation(4)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    backend.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("tokenizer_config.json", {"eos_token": "<stop>"}, 1024),
        ("tokenizer_config.json", {"eos_token": {"content": "<stop>"}}, 1024),
        ("config.json", {"eos_token_id": 7}, 7),
        ("config.json", {"eos_token_id": [9, 7]}, 9),
        ("config.json", {"eos_token_id": None}, 0),
        ("other.json", {}, 0),
    ],
)
def test_end_of_text_of_a_checkpoint(
    checkpoint: Path, file: str, content: dict[str, object], expected: int
) -> None:
    (checkpoint / file).write_text(json.dumps(content))
    tokenizer = load_tokenizer(checkpoint)
    assert tokenizer.name == "checkpoint"
    assert tokenizer.end_of_text == expected
    assert tokenizer.vocab_size == 1025
    short, long = tokenizer.encode_batch(["a", "a b c d e f g h"])
    assert len(short) == 1 and len(long) == 8, "padded or truncated"


def test_fingerprint_is_of_what_decides_the_ids(checkpoint: Path) -> None:
    first = load_tokenizer(checkpoint)
    (checkpoint / "config.json").write_text(json.dumps({"eos_token_id": 7}))
    assert load_tokenizer(checkpoint).fingerprint != first.fingerprint
    moved = checkpoint.rename(checkpoint.with_name("moved"))
    (moved / "config.json").unlink()
    assert load_tokenizer(moved).fingerprint == first.fingerprint
    shipped = json.loads(Path(SHIPPED).read_text())
    (moved / "compact.json").write_text(json.dumps(shipped))
    assert load_tokenizer(moved / "compact.json").fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "is no tokenizer"),
        ("not json", "is no tokenizer"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_files_that_are_no_tokenizers(write: Write, content: str | bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        load_tokenizer(write("tokenizer.json", content))


def test_tokenizer_without_an_end_of_text(write: Write) -> None:
    data = json.loads(Path(SHIPPED).read_text())
    data["added_tokens"] = []
    data["model"]["vocab"]["<other>"] = data["model"]["vocab"].pop(END_OF_TEXT)
    with pytest.raises(CorpusError, match="has no token for the end of a text"):
        load_tokenizer(write("tokenizer.json", json.dumps(data)))


@pytest.mark.parametrize("which", ["bpe2048", "", "."])
def test_unknown_tokenizer(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=r"expected 'bpe1024', 'bytes', a tokenizer\.json"):
        load_tokenizer(which)


def test_forking_after_encoding_prints_no_warning() -> None:
    code = (
        "import os, bayescmr.probes.tokenizer as t\n"
        "t.load_tokenizer().encode_batch(['a b'] * 100)\n"
        "pid = os.fork()\n"
        "os._exit(0) if pid == 0 else os.waitpid(pid, 0)\n"
    )
    # Python itself warns of forks in a process with threads: not what is asked here.
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
