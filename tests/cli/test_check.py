"""``bayescmr check``."""

from __future__ import annotations

import json

import pytest


def test_help_lists_the_checks(cli) -> None:
    done = cli("check", "--help")
    assert done.returncode == 0
    assert "sbc" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--simulations", "0"), "--simulations: got '0', expected a whole number >= 1"),
        (("--model", "nonsense"), "--model: got 'nonsense', expected one of"),
        (("--out", "sbc.csv"), "--out: got 'sbc.csv', expected a file name ending in .jsonl"),
        (("--figure", "a.doc"), "--figure: got 'a.doc', expected a file name ending in .png"),
        (("--executor", "slurm"), "--executor: got 'slurm', expected one of processes"),
        (("--design", "no.csv"), "no.csv"),
    ],
)
def test_wrong_options_are_named_in_one_line(cli, words, message: str) -> None:
    done = cli("check", "sbc", *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_reports_in_words_and_in_json(cli, tmp_path) -> None:
    """Few and short simulations: the second call only reads what the first has kept."""
    words = ("--simulations", "3", "--draws", "50", "--tune", "50", "--executor", "serial")
    words = (*words, "--model", "shift_gain", "--out", "sbc.jsonl")
    done = cli("check", "sbc", *words, "--figure", "sbc.png")
    assert done.returncode == 3, done.stderr  # so few draws never converge
    assert "verdict: REVIEW" in done.stdout
    assert "log likelihood" in done.stdout
    assert "did not converge (100.0 %" in done.stdout
    assert (tmp_path / "sbc.png").stat().st_size > 10_000
    again = cli("check", "sbc", *words, "--json")
    assert again.returncode == 3
    summary = json.loads(again.stdout)
    assert (summary["outcome"], summary["not_converged"]) == ("REVIEW", 3)
    assert again.stderr == ""


def test_no_command_is_told(cli) -> None:
    done = cli("check")
    assert done.returncode == 2
    assert "influence" in done.stdout and "sensitivity" in done.stdout
    assert done.stderr == "bayescmr: no command given; `bayescmr check --help` shows examples\n"
