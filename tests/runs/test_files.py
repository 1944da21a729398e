"""Files that cannot be read, and the formats that can."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayescmr.errors import RunTableError
from bayescmr.runs import RunTable, read_runs

Write = Callable[..., Path]
Refused = Callable[..., str]


def message(path: Path) -> str:
    with pytest.raises(RunTableError) as caught:
        read_runs(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text


def test_missing_file(tmp_path: Path) -> None:
    text = message(tmp_path / "none.csv")
    assert "got no such file" in text
    assert str(Path.cwd()) in text


def test_directory(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").mkdir()
    assert "got a directory, expected a file" in message(tmp_path / "runs.csv")


def test_unreadable(write: Write, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(lines)

    def deny(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert "cannot be read (Permission denied)" in message(path)


@pytest.mark.parametrize("name", ["runs.xlsx", "runs", "runs.pkl", "runs.json"])
def test_unknown_ending(refused: Refused, lines: list[str], name: str) -> None:
    text = refused(lines, name)
    assert (Path(name).suffix or "no ending") in text
    assert ".csv, .csv.gz, .tsv, .parquet, .jsonl, .ndjson" in text


@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl", "runs.parquet"])
@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_empty(refused: Refused, name: str, content: bytes) -> None:
    assert "got an empty file" in refused(content, name)


@pytest.mark.parametrize("rest", ["", "\n", "\n\n  \n", "\n,,,,,\n"])
def test_header_only(refused: Refused, lines: list[str], rest: str) -> None:
    assert "got a header and no rows, expected at least one row" in refused(lines[0] + rest)


def test_not_utf8(refused: Refused, lines: list[str]) -> None:
    data = "\n".join(lines).replace("b,", "ü,").encode("latin-1")
    text = refused(data)
    assert "row 5: got byte 0xfc that is not UTF-8" in text
    assert "save the file as UTF-8" in text
    assert "not UTF-8" in refused("\n".join(lines).encode("utf-16"))
    assert "row 2: got a NUL byte" in refused(("\n".join(lines[:2]) + "\0").encode())


def test_broken_gzip(refused: Refused, lines: list[str]) -> None:
    whole = gzip.compress("\n".join(lines).encode())
    assert "broken gzip" in refused(whole[:-12], "runs.csv.gz")
    assert "broken gzip" in refused("\n".join(lines), "runs.csv.gz")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_dialects(write: Write, lines: list[str], delimiter: str, bom: str, newline: str) -> None:
    text = bom + newline.join(lines).replace(",", delimiter)
    expected = read_runs(write(lines))
    assert read_runs(write(text, "other.csv")).fingerprint == expected.fingerprint


def test_gzip(write: Write, lines: list[str]) -> None:
    zipped = write(gzip.compress("\n".join(lines).encode()), "runs.csv.gz")
    assert read_runs(zipped).fingerprint == read_runs(write(lines)).fingerprint


def test_path_may_be_text(write: Write, lines: list[str]) -> None:
    path = write(lines)
    table = read_runs(str(path))
    assert table.source == str(path)


def test_ragged_rows_name_their_line(refused: Refused, lines: list[str]) -> None:
    lines[2] += ",9"
    lines[4] = "b,1e8,law"
    text = refused(lines).splitlines()
    assert "row 3: got 7 cells ('a,1e8,law,0.25,1e6,3.1,9'), expected 6" in text[0]
    assert "row 5: got 3 cells ('b,1e8,law'), expected 6" in text[1]


def test_many_ragged_rows_are_counted(refused: Refused, lines: list[str]) -> None:
    text = refused([lines[0], *["a,1"] * 25]).splitlines()
    assert len(text) == 11
    assert text[-1] == "... and 15 more"


def test_lines_are_counted_over_blank_and_quoted_ones(refused: Refused, lines: list[str]) -> None:
    lines[0] += ",source"
    body = [line + ",x" for line in lines[1:]]
    body[0] = lines[1] + ',"two\nlines"'
    body[3] = body[3].replace("3.3", "oops")
    text = refused(["", lines[0], body[0], "", "   ", *body[1:3], ",,,,,,", body[3]])
    # 1 blank, 2 header, 3-4 first row, 5-6 blank, 7-8, 9 bare delimiters, 10
    assert "row 10, column 'loss_general': got 'oops', expected a number" in text


def test_unclosed_quote(refused: Refused, lines: list[str]) -> None:
    lines[2] = '"a,1e8,law,0.25,1e6,3.1'
    assert "row 3" in refused(lines)
    lines[0] += ",source"
    rows = [line + ",x" for line in lines[1:]]
    rows[1] = 'a,1e8,law,0.25,1e6,3.1,"x'
    assert "row 3: got a quote that is never closed" in refused([lines[0], *rows])


def test_truncated_parquet(write: Write, wide: pd.DataFrame, tmp_path: Path) -> None:
    wide.to_parquet(tmp_path / "whole.parquet")
    data = (tmp_path / "whole.parquet").read_bytes()
    assert "no readable Parquet file" in message(write(data[:-20], "cut.parquet"))
    assert "no readable Parquet file" in message(write(b"run,size\n", "text.parquet"))
    wide.iloc[:0].to_parquet(tmp_path / "none.parquet")
    assert "a header and no rows" in message(tmp_path / "none.parquet")


def test_parquet_rows_count_from_zero(wide: pd.DataFrame, tmp_path: Path) -> None:
    wide.loc[4, "ratio"] = 30.0
    path = tmp_path / "runs.parquet"
    wide.to_parquet(path)
    assert "row 4 (from 0), column 'ratio': got 30" in message(path)


def test_parquet_keeps_a_named_index(wide: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "runs.parquet"
    wide.set_index("run").to_parquet(path)
    expected = RunTable.from_frame(wide).fingerprint
    assert read_runs(path).fingerprint == expected
    assert RunTable.from_frame(wide.set_index("run")).fingerprint == expected
    wide.sample(frac=1.0, random_state=1).to_parquet(path)
    assert read_runs(path).fingerprint == expected


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["runs.csv", "runs.jsonl", "runs.parquet", "runs.csv.gz"]),
    cells=st.lists(
        st.lists(
            st.sampled_from(
                ["a", "1e8", "law", "0.5", "0", "1e6", "3", "nan", "-inf", '"', "", "é", "{", "[1]",
                 '{"run": 1}', "\r", "\n", "\ufeff", "\u2028", "9" * 400, "True", "1,5"]
            ),
            min_size=1,
            max_size=7,
        ),
        max_size=5,
    ),
    delimiter=st.sampled_from([",", ";", "\t"]),
)  # fmt: skip
def test_any_text_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, cells: list[list[str]], delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    header = ["run", "size", "domain", "ratio", "tokens", "loss_general"]
    path.write_bytes("\n".join(delimiter.join(row) for row in [header, *cells]).encode())
    with contextlib.suppress(RunTableError):
        read_runs(path)


GOOD = '{"run": "a", "size": 1e8, "domain": "law", "ratio": 0.5, "tokens": 0, "loss_general": 3}'


@pytest.mark.parametrize(
    ("line", "got"),
    [
        ('{"run": "a", ', "row 3: got malformed JSON (Expecting property name"),
        ("[1, 2]", "row 3: got a JSON list"),
        ("3", "row 3: got a JSON int"),
        ('{"run": "a"}, {"run": "b"}', "row 3: got malformed JSON (Extra data"),
        ('{"run": "a", "run": "b"}', "row 3: got key 'run' twice"),
        ("[" * 100_000, "row 3: got"),
    ],
)
def test_malformed_json_line(refused: Refused, line: str, got: str) -> None:
    assert got in refused([GOOD, "", line], "runs.jsonl")


def test_json_cells(refused: Refused) -> None:
    bad = GOOD.replace('"tokens": 0', '"tokens": true').replace("0.5", "[0.5]")
    text = refused([GOOD, bad], "runs.ndjson")
    assert "row 2, column 'tokens': got True, expected a number" in text
    assert "row 2, column 'ratio': got [0.5], expected a number" in text
    bad = GOOD.replace('"a"', '{"id": 1}').replace("1e8", str(10**400))
    text = refused([GOOD, bad], "runs.ndjson")
    assert "row 2, column 'run': got {'id': 1}, expected text" in text
    assert "row 2, column 'size': got inf, expected a count" in text


def test_json_keys_may_be_absent(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        GOOD,
        GOOD.replace('"tokens": 0', '"tokens": 1000000'),
        GOOD.replace('"tokens": 0', '"tokens": 2e6, "loss_general:code": 2.5'),
        GOOD.replace('"tokens": 0', '"tokens": 0.0, "loss_general:code": 2').replace('"a"', '"b"'),
    ]
    whole = read_runs(write(rows, "runs.jsonl"))
    assert whole.eval_sets("general") == ("code", "general")
    # A key that first turns up in a later chunk.
    monkeypatch.setattr("bayescmr.runs.readers.jsonl._CHUNK", 1)
    assert read_runs(write(rows, "runs.jsonl")).fingerprint == whole.fingerprint


def test_half_a_surrogate_pair(refused: Refused, write: Write) -> None:
    def line(domain: str) -> str:
        rest = '"size": 1e9, "ratio": 0.3, "tokens": 1e9, "change_general": 0.1'
        return f'{{"run": "a", "domain": "{domain}", {rest}}}'

    pair = [line("law \\ud83d\\ude00")]
    assert read_runs(write(pair, "runs.jsonl")).domains == ("law \U0001f600",)
    text = refused([*pair, line("\\ud800")], "runs.jsonl")
    assert "row 2: got half of a surrogate pair" in text


def test_lines_that_end_in_cr_alone(refused: Refused, lines: list[str]) -> None:
    assert "got lines that end in CR alone" in refused("\r".join(lines))


def test_a_header_too_long_to_read(refused: Refused) -> None:
    text = refused("a" * 200_000 + ",b\n1,2\n")
    assert "row 1: got a header that cannot be read (field larger" in text
    assert len(text) < 500


def test_a_table_of_thousands_of_columns(refused: Refused) -> None:
    names = [f"c{i}" for i in range(3000)]
    text = refused(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    assert "c19, and 2980 more, expected also run, size" in text
