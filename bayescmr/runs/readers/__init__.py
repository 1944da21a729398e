"""One reader per file format, found by the ending of the file name."""

from __future__ import annotations

from pathlib import Path

from bayescmr.runs.raw import RawTable, fail
from bayescmr.runs.readers.delimited import read_delimited
from bayescmr.runs.readers.jsonl import read_jsonl
from bayescmr.runs.readers.parquet import read_parquet
from bayescmr.runs.readers.text import read_bytes

__all__ = ["read_raw"]

_ENDINGS = ".csv, .csv.gz, .tsv, .parquet, .jsonl, .ndjson"


def read_raw(path: str | Path) -> RawTable:
    """Read the cells of a run table.

    Parameters
    ----------
    path : str or Path
        File ending in .csv, .csv.gz, .tsv, .parquet, .jsonl or .ndjson.

    Returns
    -------
    RawTable
        Cells, not yet validated.

    Raises
    ------
    RunTableError
        If the file is missing, unreadable, empty or malformed.
    """
    source = str(path)
    name = Path(path).name.lower()
    if name.endswith((".csv", ".csv.gz", ".tsv")):
        reader = read_delimited
    elif name.endswith((".jsonl", ".ndjson")):
        reader = read_jsonl
    elif name.endswith(".parquet"):
        reader = read_parquet
    else:
        ending = "".join(Path(path).suffixes[-1:]) or "no ending"
        fail(source, f"a file with {ending}", f"one of {_ENDINGS}", "convert or rename it")
    return reader(read_bytes(Path(path), source), source)
