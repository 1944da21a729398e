"""Source code: Python of the standard library, and of a package that this one needs anyway."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from bayescmr.probes.corpora.embedded.recipe import PYTHON, Ingredient, Recipe, clean, read

# Tests repeat themselves, and data or tables in the form of code are no code.
_LEFT_OUT = re.compile(
    r"(^|/)(tests?|testing|idlelib|turtledemo|site-packages|dist-packages|__pycache__|lib2to3"
    r"|encodings|pydoc_data|ensurepip|config-[^/]*|_vendor|_?extern(als?)?)(/|$)|_tables?\.py$"
)
_NOTICE = re.compile(r"copyright|licen[cs]e|spdx|all rights reserved", re.IGNORECASE)
_LONGEST_LINE = 400


def sources(*folders: str) -> Callable[[Path], Iterator[str]]:
    """Make a reader of the .py files under some folders of a distribution."""

    def texts(root: Path) -> Iterator[str]:
        found = {
            path.relative_to(root).as_posix(): path
            for folder in folders
            for path in (root / folder).rglob("*.py")
        }
        names = [name for name in found if not _LEFT_OUT.search(name)]
        for name in sorted(names):
            text = _code(read(found[name]) or "")
            if text:
                yield text

    return texts


def _code(text: str) -> str:
    """Cleaned code, without a notice of rights at its head; nothing for tables of data."""
    text = clean(text)
    if any(len(line) > _LONGEST_LINE for line in text.split("\n")):
        return ""
    lines = text.split("\n")
    head = 0
    while head < len(lines) and (lines[head].startswith("#") or not lines[head]):
        head += 1
    if _NOTICE.search("\n".join(lines[:head])):
        text = "\n".join(lines[head:])
    return text.strip()


CODE = Recipe(
    name="code",
    description="Python source code: the standard library and pandas",
    ingredients=(
        Ingredient(PYTHON, sources("."), "Python Software Foundation and contributors"),
        Ingredient("pandas", sources("pandas"), "its authors"),
    ),
    edition=1,
)
