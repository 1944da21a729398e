"""Reads plain data from YAML and collects what is wrong with it, path by path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bayescmr.errors import BayesCMRError
from bayescmr.values import is_number, shorten

#: Problems printed in full; the rest is counted.
_SHOWN = 10


class Reader:
    """Problems of one file.

    Parameters
    ----------
    source : str
        Its name in messages.
    error : type
        Class of the error that tells of them.
    """

    def __init__(self, source: str, error: type[BayesCMRError]) -> None:
        self.source = source
        self.error = error
        self._problems: list[str] = []

    def add(self, where: str, got: str, expected: str, fix: str = "") -> None:
        """Note one problem."""
        tail = f"; {fix}" if fix else ""
        path = f"{where}: " if where else ""
        self._problems.append(
            f"{self.source}: {path}got {shorten(got, 100)}, expected {expected}{tail}"
        )

    def refuse(self, where: str, error: BayesCMRError, what: str = "") -> None:
        """Note what another part says of a value that it was given.

        Parameters
        ----------
        where : str
            Path of the value in the file.
        error : BayesCMRError
            Its words.
        what : str
            How these words begin, where that is but another name of the place.
        """
        words = str(error).removeprefix(f"{what or where}: ")
        self._problems.append(f"{self.source}: {f'{where}: ' if where else ''}{words}")

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems noted so far."""
        return tuple(self._problems)

    def raise_if_any(self) -> None:
        """Raise one error with all problems.

        Raises
        ------
        BayesCMRError
            Of the class given, if there are any.
        """
        if not self._problems:
            return
        found = list(dict.fromkeys(self._problems))
        more = [f"... and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise self.error("\n".join([*found[:_SHOWN], *more]))

    def fields(self, data: Any, where: str, known: Sequence[str] | None) -> Fields:
        """Read a mapping; without ``known``, any text is a key."""
        if not isinstance(data, dict):
            self.add(
                where, "nothing" if data is None else repr(data), "a mapping of keys to values"
            )
            data = {}
        for key in data:
            if not isinstance(key, str) or (known is not None and key not in known):
                names = "text" if known is None else ", ".join(known)
                self.add(where, f"the key {key!r}", f"one of: {names}" if known else names)
        return Fields(self, where, {k: v for k, v in data.items() if isinstance(k, str)})


class Fields:
    """Keys of one mapping; a value that cannot be used is noted, and a stand-in returned.

    Parameters
    ----------
    reader : Reader
        Collects problems.
    where : str
        Path of the mapping in the file.
    data : dict
        Its keys and values.
    homes : dict, optional
        Path of the mapping that a key comes from, where it is another one.
    """

    def __init__(
        self, reader: Reader, where: str, data: dict[str, Any], homes: dict[str, str] | None = None
    ) -> None:
        self.reader = reader
        self.where = where
        self._data = data
        self._homes = homes or {}

    def over(self, defaults: Fields) -> Fields:
        """Return these fields, and of the defaults those that are not here."""
        homes = {key: defaults.where for key in defaults._data if key not in self._data}
        return Fields(self.reader, self.where, {**defaults._data, **self._data}, homes)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value as it is."""
        return self._data.get(key, default)

    def has(self, key: str) -> bool:
        """Return whether a key is there, if only with a blank to be filled in."""
        return key in self._data

    def names(self) -> list[str]:
        """Names of all keys."""
        return list(self._data)

    def check(self, key: str, good: bool, expected: str) -> None:
        """Note a problem unless the value is good; a blank is noted where it is read."""
        if not good and (self.get(key) is not None or not self.has(key)):
            self.reader.add(self.path(key), self._say(key), expected)

    def number(self, key: str, expected: str) -> float:
        """Return a number."""
        value = self.get(key)
        if not is_number(value):
            self._wrong(key, expected)
            return 1.0
        return float(value)

    def text(self, key: str, expected: str) -> str:
        """Return a text; a number is taken as one, since YAML reads the name 7 so."""
        value = self.get(key)
        if is_number(value):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            self._wrong(key, expected)
            return ""
        return value

    def one_of(self, key: str, words: tuple[str, ...]) -> str:
        """Return one of several words."""
        value = self.get(key)
        for word in words:
            if value == word:
                return word
        self._wrong(key, " or ".join(words) if len(words) < 3 else ", ".join(words))
        return words[0]

    def list(self, key: str, expected: str) -> list[Any]:
        """Return a list."""
        value = self.get(key)
        if not isinstance(value, list):
            self._wrong(key, expected)
            return []
        return value

    def _wrong(self, key: str, expected: str) -> None:
        blank = self.get(key) is None
        self.reader.add(self.path(key), self._say(key), expected, "fill it in" if blank else "")

    def _say(self, key: str) -> str:
        if not self.has(key):
            return "nothing"
        value = self.get(key)
        return "null" if value is None else repr(value)

    def path(self, key: str) -> str:
        """Where a key stands, or would stand, in the file."""
        home = self._homes.get(key, self.where)
        return f"{home}.{key}" if home else key
