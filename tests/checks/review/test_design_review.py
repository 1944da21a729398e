"""Every check of a design passes on a good one and speaks up on one that is spoilt for it."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.checks.review import CHECKS, DesignReview
from bayescmr.errors import ModelError, RunTableError, TargetError

TARGET = bc.Target(20e6, "law", 64e6, 0.05)


def review(frame: pd.DataFrame, target: bc.Target | None = TARGET, **words) -> DesignReview:
    return bc.design_review(bc.RunTable.from_frame(frame), target, **words)


def test_a_good_design_passes_every_check(good: pd.DataFrame) -> None:
    found = review(good)
    assert [c.name for c in found.checks if c.status != "PASS"] == []
    assert found.status == "PASS"
    assert len(found.checks) == len(CHECKS) == len({c.name for c in found.checks})
    assert all(c.advice == "" and c.source and c.threshold for c in found.checks)


def only(column: str, *values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda f: f[f[column].isin(values)]


def last_checkpoint(f: pd.DataFrame) -> pd.DataFrame:
    return f[(f["tokens"] == 0) | (f["tokens"] == f["tokens"].max())]


def confounded(f: pd.DataFrame) -> pd.DataFrame:
    top = {1e6: (0.0, 0.1), 4e6: (0.3, 0.5), 16e6: (0.8, 1.0)}
    return f[[ratio in top[size] for size, ratio in zip(f["size"], f["ratio"], strict=True)]]


def no_base(f: pd.DataFrame) -> pd.DataFrame:
    f = f[f["tokens"] > 0]
    return f.assign(change_general=f["loss_general"] - 3.0).drop(columns="loss_general")


def copied(f: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([f, f[f["run"] == "1e+06-0.5-1"].assign(run="copy")])


def smooth(f: pd.DataFrame) -> pd.DataFrame:
    """Every curve a parabola in ln tokens."""
    x = np.log(f["tokens"].clip(lower=1.0))
    return f.assign(loss_general=3.0 + (f["tokens"] > 0) * (0.01 * x - 2e-4 * x**2) * f["ratio"])


def second_set(f: pd.DataFrame) -> pd.DataFrame:
    return f.assign(
        **{"loss_general:code": f["loss_general"].where((f["ratio"] == 0.3) | (f["tokens"] == 0))}
    )


def where(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Give the runs at ratio 0.5 another value."""
    return lambda f: f.assign(**{column: f[column].mask(f["ratio"] == 0.5, value)})


SPOILT: list[tuple[str, str, str, Callable[[pd.DataFrame], pd.DataFrame]]] = [
    ("tolerance bracketed", "REVIEW", "ratio 0.55", only("ratio", 0.0, 0.1, 1.0)),
    ("tolerance bracketed", "REVIEW", "ratio 0.4", only("ratio", 0.8, 1.0)),
    ("turning point bracketed", "REVIEW", "ratio 0.8", only("ratio", 0.8, 1.0)),
    ("turning point bracketed", "REVIEW", "ratio 0.5", only("ratio", 0.0)),
    ("runs without replay", "REVIEW", "ratio 1,", lambda f: f[f["ratio"] < 1]),
    ("runs without replay", "FAIL", "ratio 0.5", only("ratio", 1.0)),
    ("effects that can be told apart", "REVIEW", "Ln size and ratio go together", confounded),
    ("parameters of the law", "REVIEW", "ratio", only("ratio", 0.3, 0.5)),
    ("parameters of the law", "REVIEW", "ratio", lambda f: last_checkpoint(f[f["ratio"] == 0.3])),
    ("sizes", "REVIEW", "size 4e6", only("size", 1e6)),
    ("range of tokens", "FAIL", "256e6 tokens", last_checkpoint),
    ("checkpoints per run", "REVIEW", "4 to 16 checkpoints", last_checkpoint),
    ("base losses", "REVIEW", "tokens 0", no_base),
    ("repeated runs", "REVIEW", "3 other seeds", only("seed", 1)),
    ("copies", "FAIL", "1e+06-0.5-1 = copy", copied),
    (
        "losses that move",
        "REVIEW",
        "1e+06-0.5-1",
        lambda f: f.assign(
            loss_general=f["loss_general"].mask((f["ratio"] == 0.5) & (f["tokens"] > 0), 3.2)
        ),
    ),
    (
        "digits of the losses",
        "REVIEW",
        "se_general = 2.9e-03",
        lambda f: f.assign(loss_general=f["loss_general"].round(2)),
    ),
    ("scatter of the losses", "REVIEW", "se_general = 0.0001", smooth),
    (
        "runs that ended badly",
        "REVIEW",
        "1e+06-0.5-1",
        lambda f: f.assign(status=np.where(f["ratio"] == 0.5, "diverged", "ok")),
    ),
    ("schedules", "FAIL", "constant, cosine", where("schedule", "cosine to 0")),
    ("schedules", "REVIEW", "last one of each", lambda f: f.assign(schedule="cosine")),
    ("schedules", "NOT RUN", "column schedule", lambda f: f.drop(columns="schedule")),
    ("learning rates", "REVIEW", "lower rate forgets less", where("lr", 1e-4)),
    ("learning rates", "NOT RUN", "column lr", lambda f: f.drop(columns="lr")),
    ("loss modes", "REVIEW", "on its own", where("loss_mode", "kl")),
    (
        "repetitions of domain text",
        "REVIEW",
        "4e6 tokens",
        lambda f: f.assign(unique_domain_tokens=1e6),
    ),
    (
        "repetitions of domain text",
        "NOT RUN",
        "distinct domain tokens",
        lambda f: f.drop(columns="unique_domain_tokens"),
    ),
    ("general sets", "REVIEW", "Evaluate code", second_set),
]


@pytest.mark.parametrize(
    ("name", "status", "advice", "spoil"),
    SPOILT,
    ids=[f"{n}-{s}-{i}" for i, (n, s, _, _) in enumerate(SPOILT)],
)
def test_a_spoilt_design_is_told_and_mended(good, name, status, advice, spoil) -> None:
    (check,) = [c for c in review(spoil(good)).checks if c.name == name]
    assert check.status == status, check
    assert advice in check.advice, check


@pytest.mark.parametrize(
    ("target", "name", "advice"),
    [
        (bc.Target(2e9, "law", 64e6), "size of the target", "size 180e6"),
        (bc.Target(4e6, "law", 1e9), "budget of the target", "1e9 tokens"),
        (bc.Target(4e6, "finance", 64e6), "domain of the target", "domain finance"),
    ],
)
def test_a_far_target_is_told(good, target, name, advice) -> None:
    (check,) = [c for c in review(good, target).checks if c.name == name]
    assert check.status == "REVIEW"
    assert advice in check.advice


def test_every_check_is_spoilt_by_some_case() -> None:
    far = {"size of the target", "budget of the target", "domain of the target"}
    frame = pd.DataFrame(
        {"run": "a", "size": 1e6, "domain": "d", "ratio": 0.5, "tokens": [1e6, 2e6],
         "change_general": 0.1}
    )  # fmt: skip
    names = {check.name for check in review(frame, None).checks}
    assert names == {name for name, *_ in SPOILT} | far


def test_without_a_target_its_distance_is_not_checked(good) -> None:
    found = review(good, None)
    assert [c.name for c in found.of("NOT RUN")] == [
        "size of the target",
        "budget of the target",
        "domain of the target",
    ]


def test_a_tolerance_of_its_own_moves_the_bracket(good) -> None:
    (check,) = [c for c in review(good, None, tolerance=5.0).checks if "bracketed" in c.name][:1]
    assert check.status == "REVIEW"


@pytest.mark.parametrize("model", bc.model_names())
def test_every_shipped_model_can_be_asked_for(good, model: str) -> None:
    (check,) = [c for c in review(good, model=model).checks if c.name == "parameters of the law"]
    n = len(bc.load_model(model).blocks["general"].parameters)
    assert f" of {n} told by 6 ratios" in check.value


def test_information_adds_up_and_more_runs_leave_less(good) -> None:
    """Against the inverse of a joint covariance, in which nothing is summed run by run."""
    from bayescmr.checks.review.information import (
        _prior_sd,
        _slopes,
        run_information,
        variance_left,
    )
    from bayescmr.laws import Reference
    from bayescmr.model.scales import covariance, natural_scales

    block = bc.load_model("turning_point").blocks["general"]
    reference = Reference(4e6, 8e6, 0.3)
    tokens, ratios = np.geomspace(1e6, 64e6, 6), (0.1, 0.4)
    sd = _prior_sd(block)
    jac = np.vstack(
        [_slopes(block.law, block.prior_mean, tokens, r, reference) * sd for r in ratios]
    )
    x = np.log(tokens / reference.tokens)
    one = covariance(natural_scales(block.noise_mean), x, np.zeros(6))
    joint = np.kron(np.eye(2), one) + jac @ jac.T  # marginal covariance of all losses
    left = 1 - np.einsum("ij,ij->j", jac, np.linalg.solve(joint, jac))
    told = sum(run_information(block, tokens, r, reference) for r in ratios)
    np.testing.assert_allclose(variance_left(told), left, rtol=1e-6)
    fewer = variance_left(run_information(block, tokens, 0.1, reference))
    assert (fewer >= variance_left(told) - 1e-12).all()


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"runs": "runs.csv"}, RunTableError, "runs: got a str"),
        ({"target": 7e9}, TargetError, "target: got a float"),
        ({"tolerance": -1.0}, TargetError, "tolerance: got -1.0"),
        ({"model": "nonsense"}, ModelError, "nonsense"),
        ({"target": bc.Target(1e6, "law", 1e6, {"web": 0.1})}, TargetError, "which are general"),
    ],
)
def test_wrong_arguments_are_named(good, words, error, message) -> None:
    words = {"runs": bc.RunTable.from_frame(good)} | words
    runs, target = words.pop("runs"), words.pop("target", None)
    with pytest.raises(error, match=message):
        bc.design_review(runs, target, **words)


def test_on_the_command_line(good, tmp_path, capsys) -> None:
    from bayescmr.cli.app import run

    good.to_csv(tmp_path / "good.csv", index=False)
    copied(good).to_csv(tmp_path / "bad.csv", index=False)
    asked = ["--size", "20e6", "--tokens", "64e6"]
    assert run(["check", "data", str(tmp_path / "good.csv"), *asked]) == 0
    assert f"PASS ({len(CHECKS)} PASS)" in capsys.readouterr().out
    assert run(["check", "data", str(tmp_path / "bad.csv"), "--json"]) == 1
    out = capsys.readouterr()
    assert (out.err, json.loads(out.out)["status"]) == ("", "FAIL")
    assert run(["check", "data", str(tmp_path / "bad.csv"), "--all"]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert "Drop one of each: 1e+06-0.5-1 = copy" in words
    assert "PASS sizes: 3: 1e6, 4e6, 16e6" in words
    for asked, message in (
        (["--size", "1e6"], "--tokens: missing"),
        (["--size", "1e6", "--tokens", "-1"], "--tokens: got -1"),
        (["--tolerance", "-2"], "--tolerance: got -2"),
        (["--model", "no"], "--model: got 'no'"),
    ):
        assert run(["check", "data", str(tmp_path / "good.csv"), *asked]) == 2
        assert message in capsys.readouterr().err
