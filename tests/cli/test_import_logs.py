"""``bayescmr import``: what is printed, what is written, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayescmr.cli.app import run
from bayescmr.runs import read_runs

MAPPING = """\
schema: 1
runs:
- name: a
  logs: [a.jsonl]
  size: 1e8
  domain: law
  ratio: 0.25
  tokens: 1000
  losses: [{metric: eval_loss, role: general}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rows = [{"_step": s, "eval_loss": round(2.5 + s / 1e3, 4), "lr": 1e-4} for s in (0, 100, 200)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    Path("a.jsonl").write_text(text + '{"_step": 300, "eval_lo')
    Path("m.yaml").write_text(MAPPING)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["import", *words])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, out, err


def test_what_logs_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "a.jsonl")
    assert code == 0
    for words in ("W&B export", "eval_loss", "0 to 200", "the last line has no end", "--guess"):
        assert words in out
    code, out, _ = call(capsys, "a.jsonl", "--json")
    (log,) = json.loads(out)["logs"]
    assert code == 0
    assert log["metrics"][0] == {
        "metric": "eval_loss", "run": "a", "split": "", "values": 3, "steps": "0 to 200",
    }  # fmt: skip
    assert not Path("runs.csv").exists()


def test_a_table_is_written_and_all_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(capsys, "a.jsonl", "--mapping", "m.yaml", "--out", "new/runs.csv")
    assert code == 0, err
    for words in ("rounded: 3 values", "unmapped: 3 values", "no end", "wrote new/runs.csv"):
        assert words in out
    table = read_runs("new/runs.csv")
    assert [path.name for path in Path("new").iterdir()] == ["runs.csv"]
    code, out, err = call(capsys, "a.jsonl", "--mapping", "m.yaml", "--json")
    said = json.loads(out)
    assert said["fingerprint"] == table.fingerprint
    assert {one["kind"] for one in said["findings"]} == {"rounded", "unmapped", "note"}
    assert len(said["logs"][0]["sha256"]) == 64
    assert "wrote runs.csv" in err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere.log"], "nowhere.log: got no such file"),
        (["."], "a folder without logs"),
        (["m.yaml"], "no known format"),
        ([], "LOGS...: missing"),
        (["a.jsonl", "--guess", "--mapping", "m.yaml"], "--guess: got --mapping too"),
        (["a.jsonl", "--mapping", "none.yaml"], "none.yaml: cannot read the mapping"),
        (["a.jsonl", "--mapping", "a.jsonl"], "a.jsonl: "),
        (["a.jsonl", "--mapping", "m.yaml", "--out", "runs.txt"], "ending in .csv"),
        (["m2.jsonl", "--mapping", "m.yaml"], "m2.jsonl: got no such file"),
    ],
)
def test_wrong_input(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("bayescmr: ")
    assert expected in line
    assert sorted(path.name for path in folder.iterdir()) == ["a.jsonl", "m.yaml"]


def test_a_table_that_cannot_be_fitted_is_not_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No loss at 0 tokens, and no base in the mapping."""
    Path("m.yaml").write_text(MAPPING + "  drop: [[0, 0]]\n")
    code, _, err = call(capsys, "a.jsonl", "--mapping", "m.yaml")
    assert code == 2
    assert "base" in err
    assert not Path("runs.csv").exists()


def test_names_are_shown_as_they_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.jsonl").write_text('{"_step": 1, "[red]x[/red] :cat: \\u202e=cmd()": 1.5}\n')
    code, out, _ = call(capsys, "a.jsonl")
    assert code == 0
    assert "[red]x[/red] :cat:" in out
