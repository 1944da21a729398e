"""Results survive kills, and two studies are never mixed."""

from __future__ import annotations

import json

import pytest

from bayescmr.checks.journal import Journal
from bayescmr.errors import CheckError

HEADER = {"study": 1, "settings": {"seed": 1, "draws": 100}, "names": ("a", "b")}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "results.jsonl"


def test_goes_on_where_it_stopped(path):
    with Journal(path, HEADER) as journal:
        journal.append({"index": 3, "x": 1.5})
    with Journal(path, HEADER) as journal:
        assert journal.records == {3: {"index": 3, "x": 1.5}}
        journal.append({"index": 1, "x": 2.5})
    with Journal(path, HEADER) as journal:
        assert sorted(journal.records) == [1, 3]


def test_a_line_cut_off_by_a_kill_is_cut_out(path):
    with Journal(path, HEADER) as journal:
        journal.append({"index": 0})
        journal.append({"index": 1})
    path.write_bytes(path.read_bytes()[:-4])
    with Journal(path, HEADER) as journal:
        assert list(journal.records) == [0]
        journal.append({"index": 1})
    assert [json.loads(line).get("index") for line in path.read_text().splitlines()] == [None, 0, 1]


def test_a_header_cut_off_is_written_again(path):
    path.parent.mkdir()
    path.write_text('{"study": 1, "sett')
    with Journal(path, HEADER) as journal:
        assert journal.records == {}
    assert json.loads(path.read_text())["study"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": {"seed": 2, "draws": 100}}, "settings.seed is 1 there, 2 here"),
        ({"names": ["a"]}, "names differ"),
        ({"new": 7}, "new is None there, 7 here"),
    ],
)
def test_another_study_is_refused(path, change, words):
    with Journal(path, HEADER) as journal:
        journal.append({"index": 0})
    before = path.read_bytes()
    with pytest.raises(CheckError, match="another study") as error:
        Journal(path, HEADER | change)
    assert words in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["run,size\na,1\n", '{"study": 1\n}\n', '{"study": 1}\n[1]\n'])
def test_other_files_are_left_alone(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CheckError, match="not a file of results"):
        Journal(path, {"study": 1})
    assert path.read_text() == text


def test_two_writers_are_refused(path):
    with Journal(path, HEADER), pytest.raises(CheckError, match="another process"):
        Journal(path, HEADER)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckError, match="cannot write"):
        Journal(tmp_path / "file" / "results.jsonl", HEADER)
