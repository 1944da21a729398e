"""`bayescmr probe` with wrong input: one line that names the option, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., object]

BASE = ("probe", "base", "--general", "web", "--out", "out")
PROBE = ("probe", "run", "--base", "b", "--general", "web", "--domain-corpus", "law")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*BASE, "--size", "7k", "--tokens", "1M"), "--size: got '7k', expected one of 25k, 100k"),
        ((*BASE, "--size", "25k", "--tokens", "many"), "--tokens: got 'many', expected a count"),
        ((*BASE, "--size", "25k", "--tokens", "-5"), "--tokens: got '-5'"),
        ((*BASE, "--size", "25k", "--tokens", "1M"), "corpus: no folder web; make one with"),
        (
            (*BASE, "--size", "25k", "--tokens", "1M", "--part", "0.7"),
            "--part: got '0.7', expected FROM:TO",
        ),
        (
            (*BASE, "--size", "25k", "--tokens", "1M", "--final-learning-rate", "1"),
            "--final-learning-rate: got 1.0, expected a number from 0 to learning_rate",
        ),
        ((*PROBE, "--ratio", ".5", "--tokens", "1k"), "--base: no weights (*.safetensors) in 'b'"),
        (
            (*PROBE, "--ratio", "25", "--tokens", "1k", "--learning-rate", "1e-3"),
            "--ratio: got 25.0, expected a share in [0, 1]",
        ),
        (
            (*PROBE, "--ratio", ".5", "--tokens", "1k", "--loss-mode", "mse"),
            "--loss-mode: got 'mse', expected one of ce, kl, ce+kl",
        ),
        (
            (*PROBE, "--ratio", ".5", "--tokens", "1k", "--learning-rate", "1", "--beta", "-1"),
            "--beta: got -1.0, expected a number >= 0",
        ),
        (("probe", "collect", "nowhere"), "nowhere: no finished probe (result.json)"),
        (("probe", "collect", ".", "--out", "runs.txt"), "--out: got 'runs.txt'"),
        (
            ("probe", "influence", "--base", "b", "--general", "g", "--domain-corpus", "d",
             "--batches", "2"),
            "--batches: got '2', expected a whole number >= 8",
        ),
    ],
)  # fmt: skip
def test_wrong_input_is_named(cli: Run, words, message, tmp_path: Path) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bayescmr: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_result_of_another_kind_is_named(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text(json.dumps({"accuracy": 1}))
    done = cli("probe", "collect", "a")
    assert done.returncode == 2
    assert "a/result.json: not the result of a probe (KeyError('config'))" in done.stderr
    (tmp_path / "a" / "result.json").write_text("{")
    assert "a/result.json: cannot be read" in cli("probe", "collect", "a").stderr


def test_counts_are_read_as_people_write_them() -> None:
    from bayescmr.cli.probe_options import count

    parse = count("1k")
    assert [parse(text) for text in ("524k", "2.5M", "1e9", "3b", "2T", "7")] == [
        524_000, 2_500_000, 10**9, 3 * 10**9, 2 * 10**12, 7,
    ]  # fmt: skip


def test_a_first_order_ratio_is_told_without_contradiction() -> None:
    from bayescmr.cli.probe_influence import meaning

    assert "does not bind" in meaning(1.0) and "smaller domain shares" not in meaning(1.0)
    assert "smaller domain shares" in meaning(0.3)
    assert "Even replay" in meaning(0.0)


def test_every_command_has_help_with_an_example(cli: Run) -> None:
    said = cli("probe", "--help").stdout
    for name in ("corpora", "prepare", "base", "run", "job", "collect", "influence", "doctor"):
        assert name in said
        assert f"bayescmr probe {name}" in cli("probe", name, "--help").stdout
