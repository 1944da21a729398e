"""``bayescmr plan``: proposals with reasons and all numbers, and one line for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bayescmr as bc
from bayescmr.cli.app import run

TARGET = ["--size", "3.1e9", "--domain", "finance", "--tokens", "20e9"]
SPACE = """\
sizes: [4.6e8, 1.6e9]
ratios: [0, 0.25, 0.5, 0.9]
tokens: 2e10
checkpoints: 6
cost: {evaluation_tokens: 1e6}
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def wrong(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert run([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


def planned(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["plan", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_has_every_option_of_every_pick(
    capsys: pytest.CaptureFixture[str], saved: Path, space: Path
) -> None:
    ask = [saved, "--space", space, *TARGET, "--estimand", "turning_point", "--json"]
    code, out, err = planned(capsys, *ask, "--batch", 2, "--exploration", "0.2", "--width", "0.1")
    assert code == 0
    assert "prior" in err
    found = json.loads(out)
    assert found["made"] == 24
    assert len(found["proposals"]) == 2
    for proposal in found["proposals"]:
        options = proposal["all_options"]
        assert sum(option["propensity"] for option in options) == pytest.approx(1)
        chosen = options[proposal["chosen"]]
        assert chosen["legs"] == proposal["pick"]["legs"]
        assert chosen["propensity"] == proposal["pick"]["propensity"] > 0
        assert chosen["cost"] == proposal["pick"]["cost"] > 0
        assert "reduction" in chosen["diagnostics"]
    assert "precision" in [rule["reason"] for rule in found["rules"]]
    assert found["forecast"]["width"] == 0.1
    # The same seed gives the same plan, and Python the same as the command.
    again = bc.plan(
        bc.load(saved),
        bc.Target(3.1e9, "finance", 20e9),
        bc.read_space(space, "finance"),
        estimand="turning_point",
        batch=2,
        exploration=0.2,
        width=0.1,
    )
    sentences = [bc.explain(again, pick).sentence for pick in again.picks]
    assert sentences == [proposal["sentence"] for proposal in found["proposals"]]


def test_words_fit_on_80_columns(
    capsys: pytest.CaptureFixture[str],
    saved: Path,
    space: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = planned(capsys, saved, "--space", space, *TARGET, "--batch", 2)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for words in ("24 runs are made", "(eti)", "points after", "Forecast: none", "budget"):
        assert words in out
    assert "inf" not in out.replace("infeasible", "")


def test_a_budget_that_buys_nothing_is_said(
    capsys: pytest.CaptureFixture[str], saved: Path, space: Path
) -> None:
    code, out, _ = planned(capsys, saved, "--space", space, *TARGET, "--budget", "1e3")
    assert code == 0
    assert "No run is proposed" in out
    assert "1e+03 are left" in out


def test_too_few_draws_are_marked(
    capsys: pytest.CaptureFixture[str], saved_too_few: Path, space: Path
) -> None:
    code, out, err = planned(capsys, saved_too_few, "--space", space, *TARGET, "--json")
    assert code == 3
    assert json.loads(out)["converged"] is False
    assert "NOT CONVERGED" in err


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--budget", "0", "--budget: got 0.0, expected FLOPs > 0"),
        ("--budget", "-1e18", "expected FLOPs > 0"),
        ("--batch", "0", "expected a whole number >= 1"),
        ("--width", "5", "--width: got 5.0, expected a width in (0, 1)"),
        ("--exploration", "1", "--exploration: got 1.0, expected 0 <= share < 1"),
        ("--risk", "10", "expected a probability in (0, 1)"),
        ("--domain", "finanse", "--domain: got 'finanse', of which the table has no run"),
        ("--space", "nowhere.yaml", "nowhere.yaml: cannot read the space of runs"),
    ],
)
def test_wrong_options(
    capsys: pytest.CaptureFixture[str],
    saved: Path,
    space: Path,
    option: str,
    value: str,
    expected: str,
) -> None:
    words = ["plan", saved, "--space", space, *TARGET, option, value]
    assert expected in wrong(capsys, *words)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("sizes: [4.6e8, 1.6e9]", "sizes: []", "sizes"),
        ("ratios: [0, 0.25, 0.5, 0.9]", "ratios: [25, 50]", "[0, 1]"),
        ("checkpoints: 6", "checkpoints: 6\nrun_flops: 1", "run_flops: got 1, expected at least"),
        ("checkpoints: 6", "checkpoints: 6\nmin_tokens: 1e12", "no run would tell anything"),
        ("checkpoints: 6", "checkpoint: 6", "checkpoint"),
        ("tokens: 2e10", "tokens: [", "not YAML"),
    ],
)
def test_spaces_that_contradict_themselves(
    capsys: pytest.CaptureFixture[str], saved: Path, space: Path, old: str, new: str, expected: str
) -> None:
    space.write_text(SPACE.replace(old, new))
    line = wrong(capsys, "plan", saved, "--space", space, *TARGET)
    assert "space.yaml" in line
    assert expected in line


def test_no_candidate_is_left(capsys: pytest.CaptureFixture[str], saved: Path, space: Path) -> None:
    # One seed of what the published table has.
    space.write_text("sizes: [4.6e8]\nratios: [0.25, 0.5]\ntokens: 2e10\nseeds: 1\n")
    assert "--space: no candidate is left" in wrong(
        capsys, "plan", saved, "--space", space, *TARGET
    )


def test_a_stacked_posterior_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], runs: bc.RunTable, space: Path, tmp_path: Path
) -> None:
    parts = {
        name: bc.prior_predictive(runs, seed=1, draws=100, model=name)
        for name in ("turning_point", "shift_gain")
    }
    path = tmp_path / "stacked.nc"
    bc.StackedPosterior.of(parts, dict.fromkeys(parts, 0.5), {}).save(path)
    line = wrong(capsys, "plan", path, "--space", space, *TARGET)
    assert "expected the posterior of one model" in line
