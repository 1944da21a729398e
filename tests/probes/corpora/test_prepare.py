"""From files to a corpus: every format, the split, duplicates, accounts, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora import Corpus, adopt_shards, open_corpus, prepare_corpus
from bayescmr.probes.corpora import documents as documents_module
from bayescmr.probes.corpora.documents import cut
from bayescmr.probes.corpora.split import DigestSet, Duplicates, digest, split_of
from bayescmr.probes.tokenizer import load_tokenizer

Write = Callable[[str, str | bytes], Path]
BYTES = load_tokenizer("bytes")


def texts(n: int, seed: int = 0, length: int = 200) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefgh ijk", k=length)).strip() for _ in range(n)]


def prepare(paths: Path | list[Path], out: Path, **change: object) -> Corpus:
    arguments = {"name": "mine", "tokenizer": BYTES, "validation_share": 0.3} | change
    paths = paths if isinstance(paths, list) else [paths]
    return prepare_corpus(paths, out, **arguments)  # type: ignore[arg-type]


def decoded(corpus: Corpus, split: str) -> list[str]:
    """Documents of a split of bytes, read from the file itself."""
    ids = np.fromfile(corpus.folder / f"{split}.bin", "<u2")
    parts = np.split(ids, np.flatnonzero(ids == 256) + 1)
    assert parts.pop().size == 0, "the last document has no end"
    return [bytes(part[:-1].astype(np.uint8)).decode() for part in parts]


def every(corpus: Corpus) -> list[str]:
    return sorted(decoded(corpus, "train") + decoded(corpus, "validation"))


# --- formats ----------------------------------------------------------------------------


def test_all_formats_give_the_same_corpus(write: Write, tmp_path: Path) -> None:
    told = texts(20)
    lines = "".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(told))
    for i, text in enumerate(told):
        write(f"folder/deep/{i:02}.txt", text)
    write("lines.jsonl", lines)
    write("lines.ndjson.gz", gzip.compress(lines.encode()))
    pq.write_table(pa.table({"text": told, "id": range(20)}), tmp_path / "rows.parquet")
    sources = ["folder", "lines.jsonl", "lines.ndjson.gz", "rows.parquet"]
    made = [prepare(tmp_path / name, tmp_path / f"out{i}") for i, name in enumerate(sources)]
    assert every(made[0]) == sorted(told)
    assert len({corpus.fingerprint for corpus in made}) == 1


def test_folder_gives_known_files_in_the_order_of_names_and_passes_over_the_rest(
    write: Write, tmp_path: Path
) -> None:
    told = texts(12)
    for i, text in enumerate(told[:10]):
        write(f"folder/{i}.md", text)
    write("folder/image.png", b"\x89PNG\0")
    write("folder/.hidden/x.txt", told[10])
    write("folder/z.py", told[11])
    corpus = prepare(tmp_path / "folder", tmp_path / "out")
    assert every(corpus) == sorted([*told[:10], told[11]])
    order = [t for t in (*told[:10], told[11]) if t in decoded(corpus, "train")]
    assert decoded(corpus, "train") == order
    (source,) = corpus.details["sources"].values()
    assert source["files"] == 11


def test_field_is_chosen_and_blank_texts_and_missing_values_are_passed_over(
    write: Write, tmp_path: Path
) -> None:
    told = texts(10)
    rows = [{"body": text} for text in [*told, "", " \n\t"]]
    write("a.jsonl", "\n\n".join(json.dumps(row) for row in rows))
    pq.write_table(
        pa.table({"body": pa.array([*told, None, ""], pa.large_string())}), tmp_path / "a.parquet"
    )
    for i, name in enumerate(("a.jsonl", "a.parquet")):
        corpus = prepare(tmp_path / name, tmp_path / f"out{i}", text_field="body")
        assert every(corpus) == sorted(told)


def test_path_given_twice_is_read_once(write: Write, tmp_path: Path) -> None:
    for i, text in enumerate(texts(10)):
        write(f"folder/{i}.txt", text)
    once = prepare(tmp_path / "folder", tmp_path / "once")
    twice = prepare([tmp_path / "folder", tmp_path / "folder" / "3.txt"], tmp_path / "twice")
    assert once.fingerprint == twice.fingerprint
    assert twice.details["dropped"]["equal_documents"] == 0


def test_byte_order_mark_and_carriage_returns(write: Write, tmp_path: Path) -> None:
    told = texts(10)
    for i, text in enumerate(told):
        write(f"folder/{i}.txt", b"\xef\xbb\xbf" + text.encode())
    assert every(prepare(tmp_path / "folder", tmp_path / "out")) == sorted(told)


def test_large_text_file_is_cut_at_blank_lines_and_loses_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paragraphs = texts(800, length=300)
    path = write("book.txt", "\n\n".join(paragraphs))
    monkeypatch.setattr(documents_module, "LONGEST_TEXT_FILE", 10_000)
    corpus = prepare(path, tmp_path / "out")
    parts = every(corpus)
    assert 4 < len(parts) < 12
    assert sorted(p for part in parts for p in part.split("\n\n")) == sorted(paragraphs)


@given(st.lists(st.sampled_from(["a\n", "\n", "long " * 9 + "\n", "x" * 70, " \n"])))
def test_cut_pieces_join_to_the_text(lines: list[str]) -> None:
    pieces = list(cut(iter(lines), 16))
    assert "".join(pieces) == "".join(lines)
    assert all(0 < len(piece) <= 32 + 46 for piece in pieces)


# --- the split --------------------------------------------------------------------------


@given(
    words=st.lists(st.text("abc \n", min_size=1, max_size=40), max_size=30),
    shares=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
)
def test_split_is_a_function_of_the_text_and_grows_with_the_share(
    words: list[str], shares: tuple[float, float]
) -> None:
    small, large = sorted(shares)
    for word in (f"x{word}" for word in words):
        spaced = word.upper().replace(" ", " \n ")
        assert split_of(digest(word), small) == split_of(digest(spaced), small)
        if split_of(digest(word), small) == "validation":
            assert split_of(digest(word), large) == "validation"


def test_share_of_documents_is_what_was_asked_for() -> None:
    """20,000 documents at a share of 0.1: within 5 sd (212) of 2,000."""
    sides = [split_of(digest(f"text {i}"), 0.1) for i in range(20_000)]
    assert abs(sides.count("validation") - 2_000) < 212


@given(
    picks=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5), min_size=8, max_size=25)
)
def test_no_document_and_no_long_paragraph_is_on_both_sides(
    picks: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Documents made of 31 paragraphs, with many repetitions."""
    pool = texts(31, length=100)
    folder = tmp_path_factory.mktemp("leak")
    lines = [json.dumps({"text": "\n\n".join(pool[i] for i in pick)}) for pick in picks]
    (folder / "a.jsonl").write_text("\n".join(lines))
    try:
        corpus = prepare(folder, folder / "out", validation_share=0.5)
    except CorpusError as error:
        assert "split would be empty" in str(error)
        return
    train, held_out = decoded(corpus, "train"), decoded(corpus, "validation")
    assert not set(train) & set(held_out)
    sides = [
        [p for text in side for p in text.split("\n\n") if len(p) >= 80]
        for side in (train, held_out)
    ]
    assert not set(sides[0]) & set(sides[1])
    assert len(set(sides[0] + sides[1])) == len(sides[0] + sides[1])
    assert set(sides[0] + sides[1]) == {
        pool[i] for pick in picks for i in pick if len(pool[i]) >= 80
    }


def test_order_of_reading_does_not_change_the_sides(write: Write, tmp_path: Path) -> None:
    told = texts(30)
    forward = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in told))
    backward = write("b.jsonl", "\n".join(json.dumps({"text": t}) for t in told[::-1]))
    one, other = prepare(forward, tmp_path / "one"), prepare(backward, tmp_path / "other")
    assert sorted(decoded(one, "validation")) == sorted(decoded(other, "validation"))


# --- duplicates -------------------------------------------------------------------------


def test_equal_documents_and_long_paragraphs_are_kept_once_short_ones_stay(
    write: Write, tmp_path: Path
) -> None:
    long, *rest = texts(20, length=120)
    told = [f"{long}\n\n{text}\n\nAmen." for text in rest]
    shouted = told[0].upper().replace(" ", "  ")
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in [*told, told[3], shouted]))
    corpus = prepare(path, tmp_path / "out")
    assert corpus.details["dropped"] == {"equal_documents": 2, "equal_paragraphs": 18}
    assert every(corpus) == sorted([told[0], *(f"{text}\n\nAmen." for text in rest[1:])])


def test_document_of_one_long_paragraph_is_not_its_own_duplicate() -> None:
    duplicates = Duplicates()
    text = "word " * 40
    assert not duplicates.drop(digest(text))
    assert duplicates.strip(text) == text.strip()
    assert duplicates.strip(text) == ""


@pytest.mark.parametrize(("one", "other"), [("....", "----"), ("", "!"), ("日本", "日本人")])
def test_texts_without_words_are_told_apart(one: str, other: str) -> None:
    assert digest(one) != digest(other)


# --- accounts ---------------------------------------------------------------------------


def test_sheet_counts_each_source_and_the_files_hold_that_much(
    write: Write, tmp_path: Path
) -> None:
    told = texts(40)
    first = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in told[:25]))
    second = write("b.jsonl", "\n".join(json.dumps({"text": t}) for t in told[25:]))
    corpus = prepare([first, second], tmp_path / "out", licence="CC0-1.0")
    sheet = json.loads((tmp_path / "out" / "corpus.json").read_text())
    for split in ("train", "validation"):
        inside = decoded(corpus, split)
        assert sheet["splits"][split]["documents"] == len(inside)
        assert sheet["splits"][split]["tokens"] == sum(len(t) + 1 for t in inside)
        assert corpus.n_tokens(split) == len(corpus.tokens(split))
        for path, part in ((first, told[:25]), (second, told[25:])):
            mine = [text for text in inside if text in part]
            source = sheet["sources"][str(path)]
            assert source["licence"] == "CC0-1.0"
            assert source["documents"][split] == len(mine)
            assert source["tokens"][split] == sum(len(text) + 1 for text in mine)
            assert source["characters"][split] == sum(map(len, mine))
    assert open_corpus(tmp_path / "out") == corpus


def test_max_tokens_ends_with_the_document_that_reaches_it(write: Write, tmp_path: Path) -> None:
    told = texts(50, length=100)
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in told))
    corpus = prepare(path, tmp_path / "out", max_tokens=1000)
    sizes = np.cumsum([len(text) + 1 for text in told])
    expected = told[: int(np.searchsorted(sizes, 1000)) + 1]
    assert every(corpus) == sorted(expected)


def test_long_document_is_encoded_in_pieces_that_join(write: Write, tmp_path: Path) -> None:
    told = ["\n".join(texts(2500, seed=i)) for i in range(4)]
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in told))
    corpus = prepare(path, tmp_path / "out", validation_share=0.5)
    assert every(corpus) == sorted(told)


def test_fingerprint_is_of_tokens_and_tokenizer_not_of_the_name(
    write: Write, tmp_path: Path
) -> None:
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in texts(20)))
    one = prepare(path, tmp_path / "one")
    renamed = prepare(path, tmp_path / "renamed", name="other")
    less = prepare(path, tmp_path / "less", max_tokens=3000)
    assert one.fingerprint == renamed.fingerprint != less.fingerprint


def test_fingerprint_knows_the_tokenizer(general: Corpus, bpe_corpus: Corpus) -> None:
    assert general.fingerprint != bpe_corpus.fingerprint
    assert general.splits["train"].documents == bpe_corpus.splits["train"].documents


# --- shards -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int64", ">u2"])
def test_shards_are_adopted_document_by_document(tmp_path: Path, dtype: str, write: Write) -> None:
    draw = np.random.default_rng(1)
    told = [np.append(draw.integers(0, 256, size=20), 256) for _ in range(60)]
    ids = np.concatenate([*told, told[5]])
    if dtype == ">u2":  # an .npy file says its byte order, and it is not the one that was asked for
        np.save(tmp_path / "a.npy", ids.astype(dtype))
        with pytest.raises(CorpusError, match=r"a\.npy: holds >u2"):
            adopt_shards(
                [tmp_path / "a.npy"], tmp_path / "o", name="x", tokenizer=BYTES, dtype="u2"
            )
        return
    np.save(tmp_path / "a.npy", ids[:500].astype(dtype))
    ids[500:].astype(dtype).tofile(tmp_path / "b.bin")
    corpus = adopt_shards(
        [tmp_path / "a.npy", tmp_path / "b.bin"],
        tmp_path / "out",
        name="mine",
        tokenizer=BYTES,
        dtype=dtype,
        validation_share=0.3,
    )
    assert corpus.details["dropped"] == {"equal_documents": 1}
    found = [corpus.tokens(split).tolist() for split in ("train", "validation")]
    assert sum(map(len, found)) == 60 * 21
    pieces = ["".join(map(chr, part)) for part in told]
    for side in found:
        text = "".join(map(chr, side))
        mine = [piece for piece in pieces if piece in text]
        # The document that the border of the shards cuts is two.
        assert len(text) - sum(map(len, mine)) in {0, *range(1, 21)}


def test_shards_without_ends_are_cut_into_documents(tmp_path: Path) -> None:
    ids = np.random.default_rng(1).integers(0, 256, size=2_000_000).astype("u2")
    ids.tofile(tmp_path / "a.bin")
    corpus = adopt_shards(
        [tmp_path / "a.bin"],
        tmp_path / "out",
        name="x",
        tokenizer=BYTES,
        dtype="uint16",
        validation_share=0.3,
    )
    assert sum(facts.documents for facts in corpus.splits.values()) == 31
    assert corpus.n_tokens("train") + corpus.n_tokens("validation") == 2_000_000


@pytest.mark.parametrize(
    ("content", "dtype", "message"),
    [
        (np.array([1, 2, 257, 3], "u2").tobytes(), "uint16", "id 257 at position 2, expected less"),
        (np.array([1, 2, -1], "i4").tobytes(), "int32", "id -1 at position 2"),
        (b"abc", "uint16", "3 bytes are no whole number"),
        (b"", "uint16", "0 bytes are no whole number"),
        (b"abcd", "float32", "dtype: got 'float32'"),
        (b"abcd", "words", "dtype: got 'words'"),
    ],
)
def test_shards_that_are_not_what_they_should_be_are_refused(
    write: Write, tmp_path: Path, content: bytes, dtype: str, message: str
) -> None:
    path = write("in/a.bin", content)
    with pytest.raises(CorpusError, match=re.escape(message)):
        adopt_shards([path], tmp_path / "out", name="x", tokenizer=BYTES, dtype=dtype)
    assert os.listdir(tmp_path) == ["in"]


def test_pickled_shard_is_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CorpusError, match="cannot be read"):
        adopt_shards([tmp_path / "a.npy"], tmp_path / "o", name="x", tokenizer=BYTES, dtype="u2")


# --- what is refused: nothing is left behind --------------------------------------------

GOOD = b'{"text": "fine"}\n'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good\nbin\0ary\n", "a.txt: line 2 holds a zero byte"),
        ("a.txt", b"good\ncaf\xe9\n", "a.txt: line 2, byte 4 is not UTF-8"),
        ("a.jsonl", GOOD + b"{oops\n", "a.jsonl: line 2 is not JSON"),
        ("a.jsonl", GOOD + b'{"body": "x"}\n', "line 2 has no field 'text'; its fields: 'body'"),
        ("a.jsonl", GOOD + b'["x"]\n', "line 2 is not a JSON object"),
        ("a.jsonl", GOOD + b'{"text": 3}\n', "line 2: 'text' is int, expected text"),
        ("a.jsonl", GOOD + b'{"text": "\\ud800"}\n', "line 2: 'text' is no valid Unicode"),
        ("a.json", b'[{"text": "x"}]', "a.json: .json is not read; expected JSON lines"),
        ("a.csv", b"text\nx\n", "a.csv: .csv is not read"),
        ("a.jsonl.gz", b"not gzip", "a.jsonl.gz: cannot be read"),
        ("a.txt.gz", gzip.compress(b"text\n" * 999, mtime=0)[:-9], "a.txt.gz: cannot be read"),
        ("a.parquet", b"PAR1 not", "a.parquet: cannot be read as Parquet"),
        ("a.parquet", b"", "a.parquet: cannot be read as Parquet"),
        ("a.txt", b"", "the train split would be empty (documents: 0 for train"),
        ("a.txt", b"one text", "split would be empty"),
    ],
)
def test_ugly_files_are_refused_and_nothing_is_left(
    write: Write, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = write(f"in/{name}", content)
    with pytest.raises(CorpusError, match=re.escape(message)):
        prepare(path, tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_parquet_without_the_column_or_with_numbers_in_it(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"], "n": [1]}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="no column 'text'; its columns: 'body', 'n'"):
        prepare(tmp_path / "a.parquet", tmp_path / "out")
    with pytest.raises(CorpusError, match="column 'n' is int64, expected text"):
        prepare(tmp_path / "a.parquet", tmp_path / "out", text_field="n")


def test_missing_path_and_folder_without_texts(write: Write, tmp_path: Path) -> None:
    write("in/picture.png", b"\0")
    with pytest.raises(CorpusError, match="nowhere: no such file or folder"):
        prepare(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(CorpusError, match="in: no file to read in this folder"):
        prepare(tmp_path / "in", tmp_path / "out")


def test_out_that_exists_is_left_as_it_is(write: Write, tmp_path: Path) -> None:
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in texts(20)))
    kept = write("out/mine.txt", "mine")
    with pytest.raises(CorpusError, match="out: exists already"):
        prepare(path, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert kept.read_text() == "mine"


def test_out_that_cannot_be_made(write: Write, tmp_path: Path) -> None:
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in texts(20)))
    with pytest.raises(CorpusError, match="out: cannot be made"):
        prepare(path, path / "out")


def test_full_disk_leaves_nothing(write: Write, tmp_path: Path) -> None:
    """The kernel refuses to write more than 4,096 bytes of a file: as good as a full disk."""
    path = write("in/a.jsonl", "\n".join(json.dumps({"text": t}) for t in texts(2_000)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(CorpusError, match=r"out: cannot be written \(File too large\)"):
            prepare(path, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_validation_share_out_of_range(write: Write, tmp_path: Path, share: float) -> None:
    path = write("a.txt", "text")
    with pytest.raises(CorpusError, match="validation_share: got"):
        prepare(path, tmp_path / "out", validation_share=share)


# --- opening ----------------------------------------------------------------------------


def break_schema(folder: Path) -> None:
    sheet = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps(sheet | {"schema": 99}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "corpus.json").unlink(), "has no corpus.json; make one with `bayescmr"),
        (lambda f: (f / "corpus.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "corpus.json").write_text("{}"), "cannot be read .KeyError"),
        (break_schema, "has schema 99, expected 1"),
        (lambda f: (f / "train.bin").unlink(), "train.bin is missing"),
        (lambda f: os.truncate(f / "train.bin", 10), "train.bin has 10 bytes, expected"),
    ],
)
def test_harmed_corpus_is_refused_when_it_is_opened(
    write: Write, tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    path = write("a.jsonl", "\n".join(json.dumps({"text": t}) for t in texts(20)))
    prepare(path, tmp_path / "out")
    harm(tmp_path / "out")
    with pytest.raises(CorpusError, match=message):
        open_corpus(tmp_path / "out")


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no folder .*nowhere"):
        open_corpus(tmp_path / "nowhere")


def test_mapped_tokens_cannot_be_changed(general: Corpus) -> None:
    with pytest.raises(ValueError, match="read-only"):
        general.tokens("train")[0] = 1


# --- the set of digests -----------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(2, 2**64 - 1), st.integers(2, 40)), max_size=3000))
def test_digest_set_is_a_set(keys: list[int]) -> None:
    seen: set[int] = set()
    digests = DigestSet()
    for key in keys:
        assert digests.add(key) == (key not in seen)
        seen.add(key)
        assert len(digests) == len(seen)


def test_digest_set_grows_and_takes_little() -> None:
    keys = np.random.default_rng(1).integers(2, 2**64, size=100_000, dtype=np.uint64).tolist()
    digests = DigestSet()
    assert all(digests.add(key) for key in keys)
    assert not any(digests.add(key) for key in keys)
    assert 16 * len(keys) <= 8 * len(digests._slots) <= 32 * len(keys)
