"""Documents out of files: text, folders, JSON lines, Parquet; one after the other, never all."""

from __future__ import annotations

import codecs
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from bayescmr.errors import CorpusError

#: A text file of up to this many bytes is one document; a longer one is taken for a collection.
LONGEST_TEXT_FILE = 2**20
#: A collection is cut into documents of about this many characters, at blank lines.
CUT_AT = 2**15

_JSON_LINES = (".jsonl", ".ndjson")
_PARQUET = (".parquet",)
#: Endings of the text files that are taken from a folder; a file that is named is taken anyway.
TEXT = (
    *(".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".org", ".adoc"),
    *(".py", ".pyi", ".c", ".h", ".cc", ".cpp", ".hpp", ".cu", ".java", ".js", ".ts", ".go", ".rs"),
    *(".r", ".jl", ".rb", ".php", ".scala", ".kt", ".swift", ".cs", ".sh", ".sql", ".pl", ".lua"),
)


@dataclass(frozen=True)
class Document:
    """One text.

    Attributes
    ----------
    text : str
        What it says.
    source : str
        Where it comes from, for the accounts: a path as it was given, or a package.
    """

    text: str
    source: str


def find_files(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files to read of each path, folders searched through, in the order of names.

    Files that were met before, under another path, are left out.

    Raises
    ------
    CorpusError
        A path does not exist, or a folder holds nothing to read.
    """
    found: dict[str, list[Path]] = {}
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*")) if _wanted(file, path)]
        elif path.is_file():
            files = [path]
        else:
            raise CorpusError(f"{path}: no such file or folder")
        if not files:
            raise CorpusError(
                f"{path}: no file to read in this folder; expected .txt, .md, source code, .jsonl"
                " or .parquet (all but Parquet also with .gz)"
            )
        new = {file.resolve(): file for file in files}
        found[str(path)] = [file for place, file in new.items() if place not in seen]
        seen |= set(new)
    return found


def read_documents(files: Mapping[str, Sequence[Path]], text_field: str) -> Iterator[Document]:
    """Read files one document at a time.

    A line of JSON lines and a row of Parquet are one document each, and so is a text file of up
    to ``LONGEST_TEXT_FILE`` bytes. Texts of nothing but white space are passed over.

    Parameters
    ----------
    files : mapping of str to sequence of Path
        Files of each source, from `find_files`.
    text_field : str
        Field of JSON lines, or column of Parquet, that holds the text.

    Raises
    ------
    CorpusError
        A file is not text, not UTF-8, not what its name says, or lacks the field.
    """
    for source, file in ((name, file) for name, inside in files.items() for file in inside):
        kind = _kind(file)
        if kind in _PARQUET:
            texts = _read_parquet(file, text_field)
        elif kind in _JSON_LINES:
            texts = _read_json_lines(file, text_field)
        else:
            texts = _read_text(file)
        for text in texts:
            if text and not text.isspace():
                yield Document(text, source)


def cut(lines: Iterable[str], length: int = CUT_AT) -> Iterator[str]:
    """Cut a stream of lines into texts of about ``length`` characters.

    A text ends at the first blank line after ``length`` characters, or at any line, or within
    one, after twice as many.
    """
    part: list[str] = []
    size = 0
    for line in lines:
        for start in range(0, len(line), 2 * length):
            piece = line[start : start + 2 * length]
            part.append(piece)
            size += len(piece)
            if size >= 2 * length or (size >= length and line.isspace()):
                yield "".join(part)
                part, size = [], 0
    if part:
        yield "".join(part)


def _kind(file: Path) -> str:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _wanted(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and _kind(file) in (*TEXT, *_JSON_LINES, *_PARQUET) and file.is_file()


def _open(file: Path) -> IO[bytes]:
    if file.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(file, "rb"))
    return file.open("rb")


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line; bytes that are no text are told with their line."""
    try:
        with _open(file) as stream:
            for number, raw in enumerate(stream, 1):
                if number == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                if b"\0" in raw:
                    raise CorpusError(
                        f"{file}: line {number} holds a zero byte: this is not a text file; leave"
                        " it out, or convert it to UTF-8 text"
                    )
                try:
                    yield number, raw.decode()
                except UnicodeDecodeError as error:
                    raise CorpusError(
                        f"{file}: line {number}, byte {error.start + 1} is not UTF-8; convert the"
                        " file, for example with `iconv -f latin1 -t utf-8`"
                    ) from None
    except (OSError, EOFError) as error:
        raise CorpusError(f"{file}: cannot be read ({error})") from None


def _read_text(file: Path) -> Iterator[str]:
    lines = (line for _, line in _lines(file))
    small = file.suffix.lower() != ".gz" and file.stat().st_size <= LONGEST_TEXT_FILE
    if small:
        yield "".join(lines)
    else:
        yield from cut(lines)


def _read_json_lines(file: Path, text_field: str) -> Iterator[str]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"{file}: line {number} is not JSON ({error})") from None
        yield _field(row, text_field, f"{file}: line {number}")


def _field(row: Any, text_field: str, where: str) -> str:
    if not isinstance(row, dict):
        raise CorpusError(f"{where} is not a JSON object, expected one with {text_field!r}")
    if text_field not in row:
        fields = ", ".join(map(repr, row)) or "none"
        raise CorpusError(
            f"{where} has no field {text_field!r}; its fields: {fields}; say which holds the text"
            " with --text-field"
        )
    text = row[text_field]
    if not isinstance(text, str):
        raise CorpusError(f"{where}: {text_field!r} is {type(text).__name__}, expected text")
    return text


def _read_parquet(file: Path, text_field: str) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Neither a memory map nor read-ahead: both would show as memory of this process.
        with pq.ParquetFile(file, pre_buffer=False) as table:
            schema = table.schema_arrow
            if text_field not in schema.names:
                columns = ", ".join(map(repr, schema.names)) or "none"
                raise CorpusError(
                    f"{file}: no column {text_field!r}; its columns: {columns}; say which holds the"
                    " text with --text-field"
                )
            kind = schema.field(text_field).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise CorpusError(f"{file}: column {text_field!r} is {kind}, expected text")
            for batch in table.iter_batches(batch_size=256, columns=[text_field]):
                for text in batch.column(0).to_pylist():
                    if text is not None:
                        yield text
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{file}: cannot be read as Parquet ({error})") from None
