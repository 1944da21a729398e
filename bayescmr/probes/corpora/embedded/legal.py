"""Legal English: the texts of software licences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bayescmr.probes.corpora.embedded.near import without_near_duplicates
from bayescmr.probes.corpora.embedded.recipe import Ingredient, Recipe, clean_prose, read

#: Shorter rules are notices of one sentence, thousands of times in other words.
_SHORTEST_RULE = 1500
#: Texts in other languages have more letters beyond ASCII than this share.
_MOST_FOREIGN = 0.01
_COMMENT_MARK = re.compile(r"^ ?(?:[*#;|]+|//+|dnl)(?: |$)", re.MULTILINE)


def licences(root: Path) -> Iterator[str]:
    """Texts of licences, then the longer texts that ScanCode detects them by; variants once."""
    return without_near_duplicates(_texts(root))


def _texts(root: Path) -> Iterator[str]:
    data = root / "licensedcode" / "data"
    for folder, ending, shortest in (
        ("licenses", ".LICENSE", 1),
        ("rules", ".RULE", _SHORTEST_RULE),
    ):
        for path in sorted((data / folder).glob(f"*{ending}")):
            text = _body(read(path) or "")
            if len(text) >= shortest and _foreign(text) <= _MOST_FOREIGN:
                yield text


def _body(text: str) -> str:
    """Text behind the YAML between two lines of ``---``."""
    if text.startswith("---\n"):
        text = text[4:].partition("\n---\n")[2]
    return clean_prose(_COMMENT_MARK.sub("", clean_prose(text)))


def _foreign(text: str) -> float:
    return sum(letter.isalpha() for letter in text if letter > "\x7f") / len(text)


LEGAL = Recipe(
    name="legal",
    description="legal English: software licences and their variants",
    ingredients=(
        Ingredient(
            "licensedcode-data",
            licences,
            "ScanCode's data are CC-BY-4.0 (its NOTICE: Copyright nexB Inc. and others); the"
            " licence texts themselves are those of their authors",
        ),
    ),
    edition=1,
)
