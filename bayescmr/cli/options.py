"""Values of options: parsed with messages that say what was got, expected and how to write it."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from bayescmr.errors import BayesCMRError, TargetError


def number(example: str, *, infinite: bool = False) -> Callable[[str], float]:
    """Make a parser of numbers for ``typer.Option(parser=...)``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isnan(value) or (math.isinf(value) and not infinite):
            raise typer.BadParameter(f"got {str(text)!r}, expected a number, for example {example}")
        return value

    return parse


def share(example: str) -> Callable[[str], float]:
    """Make a parser of numbers in (0, 1)."""
    read = number(example)

    def parse(text: str) -> float:
        value = read(text)
        if not 0 < value < 1:
            raise typer.BadParameter(f"got {str(text)!r}, expected a number in (0, 1)")
        return value

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    """Make a parser of whole numbers from ``least`` to ``most``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise typer.BadParameter(f"got {str(text)!r}, expected a whole number >= {least}")
        if value > most:
            raise typer.BadParameter(f"got {str(text)!r}, expected at most {most}")
        return value

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """Make a parser that takes one of ``words``."""

    def parse(text: str) -> str:
        if text not in words:
            raise typer.BadParameter(f"got {str(text)!r}, expected one of {', '.join(words)}")
        return text

    return parse


def choice(*words: str) -> dict[str, Any]:
    """Make the parser of an option that takes one of ``words``, and what a shell completes."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return {"parser": one_of(*words), "autocompletion": complete}


def complete_models(incomplete: str) -> list[str]:
    """Complete the name of a shipped model."""
    from bayescmr.model.spec import model_names

    return [name for name in model_names() if name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="Name from `bayescmr models`, or a .yaml file.",
        autocompletion=complete_models,
    ),
]


def named_numbers(option: str, texts: Sequence[str]) -> dict[str, float]:
    """Read ``NAME=VALUE`` words.

    Raises
    ------
    TargetError
        A word has another form, or a name comes twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        try:
            read = float(value) if sign and name else math.nan
        except ValueError:
            read = math.nan
        if not math.isfinite(read):
            raise TargetError(f"{option}: got {text!r}, expected NAME=VALUE, for example code=0.02")
        if name in found:
            raise TargetError(f"{option}: got {name!r} twice, expected each general set once")
        found[name] = read
    return found


@contextmanager
def naming_options(names: Mapping[str, str]) -> Iterator[None]:
    """Let errors of the library name the option, ``--size``, in place of the argument."""
    try:
        yield
    except BayesCMRError as error:
        argument, colon, rest = str(error).partition(":")
        if colon and argument in names:
            raise type(error)(f"{names[argument]}:{rest}") from None
        raise


def output_file(path: Path, option: str, suffix: str) -> Path:
    """Check, before any work, that a file can be written; make its folder.

    Raises
    ------
    BayesCMRError
        Wrong ending, a folder in its place, or a folder that cannot be written to.
    """
    if path.suffix != suffix:
        raise BayesCMRError(f"{option}: got {str(path)!r}, expected a file name ending in {suffix}")
    if path.is_dir():
        raise BayesCMRError(f"{option}: got {str(path)!r}, a folder, expected a file name")
    output_folder(path.parent, option)
    if path.exists() and not os.access(path, os.W_OK):
        raise BayesCMRError(f"{option}: {path} is write-protected; choose another name")
    return path


def output_folder(folder: Path, option: str) -> Path:
    """Make a folder and check that files can be written to it.

    Raises
    ------
    BayesCMRError
        It cannot be made, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BayesCMRError(
            f"{option}: cannot write to the folder {str(folder)!r}"
            f" ({error.strerror or error}); choose another place"
        ) from None
    return folder
