"""Logs of consoles, in the words of the trainers' own format strings.

None is written by the trainer itself. Megatron-LM (megatron-core 0.19.2): `training_log` and
`evaluate` make tensors with `device='cuda'`, so neither runs without a GPU. nanotron: release 0.4,
the only one on PyPI, cannot be imported (nanotron.logging and nanotron.config import each other).
nanoGPT is a script.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bayescmr.runs.logs import Log, read_log

Write = Callable[..., Path]

# These two repeat the format strings of Megatron-LM's training_log and evaluate_and_print_results.


def megatron_train(step: int, loss: float, nan: int = 0) -> str:
    return (
        f" [2026-01-01 00:00:00] iteration {step:8d}/{1000:8d} |"
        f" consumed samples: {step * 256:12d} |"
        f" elapsed time per iteration (ms): {512.3:.1f} | learning rate: {3e-4:.6E} |"
        f" global batch size: {256:5d} | lm loss: {loss:.6E} | loss scale: {1.0:.1f} |"
        f" grad norm: {0.512:.3f} | number of skipped iterations: {0:3d} |"
        f" number of nan iterations: {nan:3d} |\n"
    )


def megatron_eval(step: int, loss: float, where: str = "") -> str:
    text = (
        f" validation loss at iteration {step}{where} | lm loss value: {loss:.6E} |"
        f" lm loss PPL: {10.43:.6E} |"
    )
    return "-" * len(text) + "\n" + text + "\n" + "-" * len(text) + "\n"


def nanotron(step: int, loss: float, billions: str = "G") -> str:
    """As ``human_format`` prints: three significant digits, zeros stripped, and a suffix."""

    def human(number: float) -> str:
        if abs(number) < 1:
            return f"{number:.3g}"
        number, at = float(f"{number:.3g}"), 0
        while abs(number) >= 1000:
            number, at = number / 1000, at + 1
        return f"{number:f}".rstrip("0").rstrip(".") + ["", "K", "M", billions][at]

    return (
        f"01/01/2026 00:00:00 [INFO|DP=0|PP=0|TP=0]: iteration: {step} / 1000 | consumed_tokens:"
        f" {human(step * 1048576)} | elapsed_time_per_iteration_ms: {human(1234.5)} |"
        f" tokens_per_sec: {human(123456)} | lr: {human(3e-4)} | lm_loss: {human(loss)} |"
        f" grad_norm: {human(0.5)}\n"
    )


def test_megatron_names_its_sets(write: Write) -> None:
    """With --multiple-validation-sets each set has a line, by its name or its number."""
    text = "".join(
        megatron_eval(step, loss + step / 1e4).replace("validation loss", f"validation-{name} loss")
        for step in (100, 200)
        for name, loss in (("web", 2.5), ("0", 3.5))
    )
    log = read_log(write(megatron_train(100, 2.5) + text))
    assert values(log, "web/lm loss value") == [(100, 2.51, 1e-6), (200, 2.52, 1e-6)]
    assert [v for _, v, _ in values(log, "0/lm loss value")] == [3.51, 3.52]


def values(log: Log, metric: str) -> list[tuple[float, float, float]]:
    events = log.events[log.events["metric"] == metric]
    return list(events[["step", "value", "precision"]].itertuples(index=False, name=None))


def test_megatron(write: Write) -> None:
    text = "using world size: 8\n" + "".join(
        megatron_train(step, 2.5 + 1 / step, nan=step == 200)
        + megatron_eval(step, 2.25 + 1 / step, " on validation set")
        for step in (100, 200)
    )
    log = read_log(write(text + megatron_eval(200, 2.5, " on test set")))
    assert log.format == "Megatron-LM console"
    assert values(log, "lm loss") == [
        (100, 2.51, pytest.approx(1e-6)),
        (200, 2.505, pytest.approx(1e-6)),
    ]
    assert values(log, "consumed samples") == [(100, 25600, 0), (200, 51200, 0)]
    events = log.events[log.events["metric"] == "lm loss value"]
    assert events["value"].tolist() == [2.26, 2.255, 2.5]
    assert events["split"].tolist() == ["eval", "eval", "test"]
    assert "loss scale" not in set(log.events["metric"])
    assert log.notes == ("1 iterations gave NaN and were skipped by the trainer",)


def test_neox_and_older_megatron(write: Write) -> None:
    text = (
        " iteration      100/    1000 | elapsed time per iteration (ms): 1.0 | learning rate:"
        " 3.000E-04 | lm_loss: 2.500000E+00 |\n"
        " validation results at iteration 100 | lm_loss value: 2.400000E+00 | lm_loss_ppl value:"
        " 1.102318E+01 |\n"
        " validation loss at the end of training for val data | lm loss value: 2.300000E+00 |\n"
    )
    log = read_log(write(text))
    assert values(log, "lm_loss value") == [(100, 2.4, pytest.approx(1e-6))]
    assert log.notes == ("1 evaluations that do not say their iteration were left out",)


def test_nanotron_knows_three_digits(write: Write) -> None:
    log = read_log(write("".join(nanotron(s, x) for s, x in ((5, 2.304), (10, 0.98765)))))
    assert log.format == "nanotron console"
    # 2.3 stands for 2.30: its zeros are gone, and its rounding is 0.01 all the same.
    assert values(log, "lm_loss") == [
        (5, 2.3, pytest.approx(0.01)),
        (10, 0.988, pytest.approx(0.001)),
    ]
    assert values(log, "consumed_tokens") == [(5, 5.24e6, 1e4), (10, 10.5e6, 1e5)]


@pytest.mark.parametrize("billions", ["B", "G"])
def test_nanotron_counts_billions(write: Write, billions: str) -> None:
    log = read_log(write(nanotron(2000, 2.5, billions)))
    assert values(log, "consumed_tokens") == [(2000, 2.1e9, 1e7)]


def test_nanogpt(write: Write) -> None:
    text = (
        "step 0: train loss 10.9886, val loss 10.9898\n"
        "iter 0: loss 10.9892, time 45062.62ms, mfu -100.00%\n"
        "saving checkpoint to out\n"
        "step 250: train loss 2.9310, val loss 2.9400\n"
        "iter 250: loss nan, time 140.21ms, mfu 31.20%\n"
    )
    log = read_log(write(text))
    assert values(log, "val loss") == [
        (0, 10.9898, pytest.approx(1e-4)),
        (250, 2.94, pytest.approx(1e-4)),
    ]
    loss = log.events[log.events["metric"] == "loss"]
    assert set(loss["split"]) == {"train"}
    assert loss["value"].isna().tolist() == [False, True]


def test_modded_nanogpt(write: Write) -> None:
    text = (
        "step:0/2285 val_loss:10.8258 train_time:0ms step_avg:0.04ms\n"
        "step:1/2285 train_time:92ms step_avg:91.82ms\n"
        "step:2285/2285 val_loss:3.2780 train_time:139804ms step_avg:61.18ms\n"
    )
    log = read_log(write(text))
    assert [(s, v) for s, v, _ in values(log, "val_loss")] == [(0, 10.8258), (2285, 3.278)]


def test_a_last_line_without_end_is_not_believed(write: Write) -> None:
    """2.94 could be the head of 2.9412."""
    whole = "step 0: train loss 10.9886, val loss 10.9898\n"
    log = read_log(write(whole + "step 250: train loss 2.9310, val loss 2.94"))
    assert [step for step, _, _ in values(log, "val loss")] == [0]
    assert "the last line has no end and was left out" in log.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(write: Write, encoding: str, end: str) -> None:
    text = "step 0: train loss 10.9886, val loss 10.9898\nstep 5: train loss 3.0, val loss 3.1\n"
    log = read_log(write(text.replace("\n", end).encode(encoding)))
    assert [value for _, value, _ in values(log, "val loss")] == [10.9898, 3.1]


def test_two_runs_in_one_file_get_names_of_their_own(write: Write) -> None:
    first = "".join(megatron_eval(step, 2.5 + step / 1e4) for step in (100, 200, 300))
    other = "".join(megatron_eval(step, 3.5 + step / 1e4) for step in (100, 200))
    log = read_log(write(first + other))
    assert log.runs == ("train#1", "train#2")
    assert log.notes == ("steps start again at step 100: read as the runs train#1, train#2",)
    by_run = log.events.groupby("run")["value"].min()
    assert by_run["train#1"] < 3 < by_run["train#2"]


def test_a_copy_and_a_resumption_stay_one_run(write: Write) -> None:
    first = "".join(megatron_eval(step, 2.5 + step / 1e4) for step in (100, 200, 300))
    again = "".join(megatron_eval(step, 2.6 + step / 1e4) for step in (200, 300, 400))
    for text in (first + first, first + again):
        log = read_log(write(text))
        assert log.runs == ("train",)
        assert log.notes == ()


def test_many_lines(write: Write) -> None:
    """A reader whose work grew with the square of the lines would not come back from this."""
    lines = 100_000
    line = megatron_train(123, 2.5)
    text = "".join(line.replace("     123/", f"{i:8d}/") for i in range(lines))
    filler = "W0101 NCCL is talking to itself about nothing at all | really: yes |\n"
    log = read_log(write(text + filler * lines))
    assert len(log.events) == 3 * lines
    assert log.runs == ("train",)
