"""``bayescmr cmr``: says what the library says, and shouts where it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bayescmr as bc
from bayescmr.cli.app import run
from bayescmr.cli.cmr import sentences

TARGET = ["--size", "3.1e9", "--domain", "finance", "--tokens", "20e9"]


def ask(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_is_the_answer_of_the_library(cli, saved: Path) -> None:
    done = cli("cmr", saved, *TARGET, "--tolerance", "0.02", "--risk", "0.2", "--json")
    cmr = bc.load(saved).cmr(bc.Target(3.1e9, "finance", 20e9, tolerance=0.02))
    assert json.loads(done.stdout) == json.loads(json.dumps(cmr.to_dict(0.2)))
    assert done.returncode == (0 if cmr.converged else 3)
    assert "prior" in done.stderr


def test_options_reach_the_library(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    posterior = bc.load(saved)
    options = [
        *["--set-tolerance", "general=0.01", "--tolerance-unit", "share", "--base", "2.5"],
        *["--prob", "0.5", "--estimand", "gu", "--lam", "3", "--json"],
    ]
    _, out, _ = ask(capsys, "cmr", saved, *TARGET, *options)
    target = bc.Target(3.1e9, "finance", 20e9, {"general": 0.01}, tolerance_unit="share", base=2.5)
    expected = posterior.cmr(target, lam=3.0).to_dict(0.1, 0.5, "gu")
    assert json.loads(out) == json.loads(json.dumps(expected))


def test_words_for_people(cli, saved: Path) -> None:
    done = cli("cmr", saved, *TARGET, "--estimand", "turning_point", columns=100)
    cmr = bc.load(saved).cmr(bc.Target(3.1e9, "finance", 20e9))
    words = " ".join(done.stdout.split())
    assert "3.1e9 parameters, 20e9 tokens, tolerance 0.05 nats" in words
    for estimand in ("tolerance", "turning_point", "gu"):
        summary = cmr.summary(estimand)
        assert f"{100 * summary.lower:.1f} to {100 * summary.upper:.1f}" in words
    for sentence in sentences(cmr, 0.1, "turning_point"):
        assert sentence in words
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def test_sentences_state_the_decision_and_its_chance() -> None:
    class Fixed:
        """An answer with chosen numbers."""

        target = bc.Target(3.1e9, "finance", 20e9)
        p_tolerance_binds = 0.25

        def __init__(self, ratio: float, chance: float) -> None:
            self.ratio, self.chance = ratio, chance

        def decide(self, risk: float, estimand: str) -> float:
            return self.ratio

        def risk_at(self, ratio: float, estimand: str) -> float:
            return self.chance

        def binding(self, estimand: str) -> dict[str, float]:
            return {"web": 0.25, "code": 0.75}

    said = sentences(Fixed(0.98, 0.1), 0.1, "tolerance")  # type: ignore[arg-type]
    assert said == [
        "At 3.1B parameters and 20B tokens, keep the finance share at or below 98 %; the chance"
        " that the general loss then rises by more than 0.05 nats/token is 10 %.",
        "Of the two bounds of Gu et al., the tolerance binds with probability 0.25 and the turning"
        " point with 0.75.",
        "General set that binds: web 25 %, code 75 %.",
    ]
    none = sentences(Fixed(0.0, 0.3), 0.1, "gu")[0]  # type: ignore[arg-type]
    assert "no finance share is safe at 10 % risk: the safe share is 0 %, and even at the" in none
    assert none.endswith("is 30 %.")
    every = sentences(Fixed(1.0, 0.0004), 0.1, "turning_point")[0]  # type: ignore[arg-type]
    assert "every finance share is safe at 10 % risk, up to 100 %: without any replay" in every
    assert every.endswith("still rising at 20B tokens is below 0.1 %.")


def test_an_unseen_domain_is_said_loudly(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    target = ["--size", "3.1e9", "--domain", "finanse", "--tokens", "20e9"]
    _, out, err = ask(capsys, "cmr", saved, *target, "--json")
    assert json.loads(out)["extrapolation"]["domain_probed"] is False
    assert "Did you mean 'finance'?" in err
    _, out, err = ask(capsys, "cmr", saved, *target)
    assert "Extrapolation: no run of this domain was fitted." in out
    assert "never trained" in err


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    target = ["--size", "3.1e9", "--domain", "[bold]x[/bold] :cat:", "--tokens", "20e9"]
    _, out, _ = ask(capsys, "cmr", saved, *target)
    heading = out[: out.index("turning point")]
    assert "[bold]x[/bold]" in heading
    assert ":cat:" in heading


def test_extrapolation_is_said(capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    target = ["--size", "7e9", "--domain", "finance", "--tokens", "200e9"]
    _, out, _ = ask(capsys, "cmr", saved, *target)
    words = " ".join(out.split())
    assert "Extrapolation: the size is 2.3 times the largest probed." in words
    assert "Extrapolation: the token budget is 10 times the largest probed." in words


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_too_few_draws_exit_with_3_and_shout(
    capsys: pytest.CaptureFixture[str], saved_too_few: Path, extra: list[str]
) -> None:
    code, out, err = ask(capsys, "cmr", saved_too_few, *TARGET, *extra)
    assert code == 3
    assert "NOT CONVERGED" in err
    assert "ESS" in err
    if extra:
        answer = json.loads(out)
        assert answer["converged"] is False
        assert answer["problems"]
