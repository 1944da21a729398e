"""Small corpora of distinct random texts, made by the real reader and writer."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bayescmr.probes.corpora import Corpus, prepare_corpus
from bayescmr.probes.tokenizer import load_tokenizer

MakeCorpus = Callable[..., Corpus]


@pytest.fixture(scope="session")
def make_corpus(tmp_path_factory: pytest.TempPathFactory) -> MakeCorpus:
    """Return a function that makes a corpus of ``documents`` texts of ``length`` characters."""

    def make(
        name: str, documents: int = 40, length: int = 300, share: float = 0.2, seed: int = 0
    ) -> Corpus:
        folder = tmp_path_factory.mktemp(name)
        draw = random.Random(f"{name} {seed}")
        texts = ["".join(draw.choices("abcdefghij klm\n", k=length)) for _ in range(documents)]
        for i, text in enumerate(texts):
            (folder / f"{i:04}.txt").write_text(text)
        return prepare_corpus(
            [folder],
            folder / "corpus",
            name=name,
            tokenizer=load_tokenizer("bytes"),
            validation_share=share,
        )

    return make


@pytest.fixture(scope="session")
def general(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus("general", documents=30)


@pytest.fixture(scope="session")
def domain(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus("domain", documents=20)


@pytest.fixture(scope="session")
def other(make_corpus: MakeCorpus) -> Corpus:
    return make_corpus("other", documents=15)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file of this name and content under the test's folder."""

    def writing(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return writing


@pytest.fixture(scope="session")
def bpe_corpus(general: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Texts of the general corpus, by the tokenizer that ships."""
    pytest.importorskip("tokenizers")
    return prepare_corpus(
        [Path(path) for path in general.details["sources"]],
        tmp_path_factory.mktemp("bpe") / "corpus",
        name="general",
        tokenizer=load_tokenizer(),
        validation_share=0.2,
    )
