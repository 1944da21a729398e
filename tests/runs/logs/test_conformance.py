"""What holds for every reader: ugly input gives one line, or a report, and never a traceback."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from bayescmr.errors import LogError
from bayescmr.runs.logs import FORMATS, Log, read_log
from bayescmr.runs.logs.crc32c import masked_crc32c
from bayescmr.runs.logs.rounding import of_digits, of_doubles, of_float32, of_text
from bayescmr.runs.logs.wire import WireError, fields

Write = Callable[..., Path]


def record(payload: bytes) -> bytes:
    """A record of an event file."""
    head = struct.pack("<Q", len(payload))
    return (
        head
        + struct.pack("<I", masked_crc32c(head))
        + payload
        + struct.pack("<I", masked_crc32c(payload))
    )


def event(step: int, value: float, tag: str = "loss") -> bytes:
    name = tag.encode()
    assert len(name) < 100
    scalar = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(scalar)]) + scalar
    return record(
        b"\x09" + struct.pack("<d", 1.0) + b"\x10" + bytes([step])
        + b"\x2a" + bytes([len(summary)]) + summary
    )  # fmt: skip


EVENTS = record(b"\x1a\x0dbrain.Event:2") + event(1, 2.5) + event(2, 2.25) + event(3, float("nan"))

#: A small log of each format that is one file, and where its text can be cut without becoming
#: another whole log.
SMALL: dict[str, tuple[str, bytes]] = {
    "trainer_state": (
        "trainer_state.json",
        json.dumps(
            {
                "global_step": 2,
                "log_history": [
                    {"eval_loss": 2.123456789, "step": 1},
                    {"eval_loss": float("nan"), "step": 2},
                ],
            }
        ).encode(),
    ),
    "lm_eval": (
        "results_2026.json",
        json.dumps(
            {
                "results": {
                    "wikitext": {
                        "alias": "wikitext",
                        "word_perplexity,none": 12.345678,
                        "word_perplexity_stderr,none": "N/A",
                    },
                    "arc": {"acc,none": 0.5, "acc_norm,strict": 0.25, "sample_len": 10},
                },
                "n-shot": {"wikitext": 0},
                "versions": {"wikitext": 2.0},
                "config": {"limit": 10.0},
                "model_name": "org/model",
                "date": 1.7e9,
            }
        ).encode(),
    ),
    "tensorboard": ("events.out.tfevents.1.host", EVENTS),
    "wandb_csv": ("history.csv", b"_step,_timestamp,eval/loss\n0,1.5,2.25\n1,2.5,NaN\n2,3.5,\n"),
    "wandb_jsonl": (
        "history.jsonl",
        b'{"_step": 0, "eval/loss": 2.25}\n{"_step": 1, "other": 1, "eval/loss": NaN}\n',
    ),
    "wandb_ui": (
        "chart.csv",
        b'"Step","a - loss","a - loss__MIN","a - loss__MAX"\n"0","2.25","2.25","2.25"\n',
    ),
    "lightning": ("metrics.csv", b"epoch,step,train_loss,val_loss\n0,1,2.5,\n0,1,,2.25\n"),
    "mixtures": (
        "train_mixture.csv",
        b"index,train_the_pile_arxiv,train_the_pile_cc,metric/cc_val_loss\n1,0.25,0.75,2.5\n",
    ),
    "nanogpt": ("train.log", b"step 0: train loss 10.9886, val loss 10.9898\n"),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_logs_are_read(write: Write, name: str) -> None:
    log = read_log(write(SMALL[name][1], SMALL[name][0]))
    assert len(log.events)
    assert len(log.sha256) == 64
    assert set(log.events["source"]) == {log.source}


def one_line(call: Callable[[], object]) -> str:
    with pytest.raises(LogError) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert "got" in text
    assert "expected" in text
    assert len(text) < 3000
    return text


def read_or_refuse(path: Path) -> Log | str:
    try:
        return read_log(path)
    except LogError:
        return one_line(lambda: read_log(path))


def test_missing_empty_and_rubbish(write: Write, tmp_path: Path) -> None:
    assert "no such file" in one_line(lambda: read_log(tmp_path / "nowhere.log"))
    assert "an empty file" in one_line(lambda: read_log(write(b"")))
    assert "a folder that is no log" in one_line(lambda: read_log(tmp_path))
    rubbish = np.random.default_rng(0).bytes(100_000)
    assert "no known format" in one_line(lambda: read_log(write(rubbish)))
    assert "no known format" in one_line(lambda: read_log(write("Lorem ipsum\n" * 100)))
    assert "cannot be read" in one_line(lambda: read_log("a\0b"))
    packed = gzip.compress(SMALL["nanogpt"][1])
    assert "unpack it" in one_line(lambda: read_log(write(packed, "train.log.gz")))
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe or device" in one_line(lambda: read_log(tmp_path / "pipe"))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["half", "latin-1", "zeros", "doubled"])
def test_damaged(write: Write, name: str, damage: str) -> None:
    file, data = SMALL[name]
    data = {
        "half": data[: len(data) // 2],
        "latin-1": data.replace(b"loss", b"l\xf6ss").replace(b"perplexity", b"perplexit\xe9"),
        "zeros": data + bytes(1000),
        "doubled": data + data,
    }[damage]
    read_or_refuse(write(data, file))


@pytest.mark.parametrize("head", [b":W&B\xe1\xbe\x00", b"SQLite format 3\0", b"PAR1", b"{", b"["])
def test_magic_and_rubbish(write: Write, head: bytes) -> None:
    path = write(head + np.random.default_rng(1).bytes(5000))
    assert isinstance(read_or_refuse(path), str)


def test_json_nested_deeply(write: Write) -> None:
    deep = '{"log_history": ' + "[" * 100_000 + ', "global_step": 1'
    assert isinstance(read_or_refuse(write(deep, "trainer_state.json")), str)
    deep = '{"_step": 1, "a": ' + '{"a": ' * 5000 + "1" + "}" * 5001 + "\n"
    read_or_refuse(write(deep, "history.jsonl"))


@pytest.mark.parametrize("label", ["ü/漢字/🙂", "x" * 10_000, "a - b | c: d", "=cmd()", "[bold]"])
def test_names_of_metrics(write: Write, label: str) -> None:
    row = json.dumps({"_step": 1, label: 2.123456}, ensure_ascii=False)
    log = read_log(write(row + "\n", "history.jsonl"))
    assert log.events["metric"].tolist() == [label]
    (found,) = log.events["value"]
    assert found == 2.123456


@given(st.integers(0, len(EVENTS)))
def test_an_event_file_cut_anywhere(tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    """What comes before the cut is read, and the cut is told."""
    path = tmp_path_factory.mktemp("cut") / "events.out.tfevents.1.host"
    path.write_bytes(EVENTS[:size])
    starts = np.cumsum([0, *(12 + n + 4 for n in lengths(EVENTS))])
    whole = max(int((starts <= size).sum()) - 2, 0)
    if whole == 0:
        one_line(lambda: read_log(path))
        return
    log = read_log(path)
    assert log.events["step"].tolist() == list(range(1, whole + 1))
    assert any("cut short" in note for note in log.notes) == (size not in starts)


def lengths(data: bytes) -> list[int]:
    found, at = [], 0
    while at < len(data):
        (length,) = struct.unpack("<Q", data[at : at + 8])
        found.append(length)
        at += 16 + length
    return found


@given(st.integers(0, 8 * len(EVENTS) - 1))
def test_a_flipped_bit_is_never_read_as_a_number(
    tmp_path_factory: pytest.TempPathFactory, bit: int
) -> None:
    data = bytearray(EVENTS)
    data[bit // 8] ^= 1 << bit % 8
    path = tmp_path_factory.mktemp("flip") / "events.out.tfevents.1.host"
    path.write_bytes(bytes(data))
    one_line(lambda: read_log(path))


@given(st.binary(max_size=200))
def test_the_wire_format_never_breaks(data: bytes) -> None:
    # Bytes are read, or refused by this error and no other.
    with contextlib.suppress(WireError):
        for number, value in fields(data):
            assert number >= 0
            assert isinstance(value, int | bytes)


def test_crc32c_is_the_published_one() -> None:
    """RFC 3720, appendix B.4: 32 zero bytes, and 32 bytes of ones."""
    for data, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):
        masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        assert masked_crc32c(data) == masked


@given(st.floats(0.01, 99.0), st.integers(0, 5))
def test_rounding_is_found(value: float, decimals: int) -> None:
    text = f"{value:.{decimals}f}"
    assert of_text(text) == pytest.approx(10.0**-decimals)
    assert abs(float(text) - value) <= of_text(text) / 2 * (1 + 1e-9)
    assert of_doubles(np.array([round(value, decimals)])) >= 10.0**-decimals * (1 - 1e-9)
    three = float(f"{value:.3g}")
    assert abs(three - value) <= of_digits(three, 3) / 2 * (1 + 1e-9)
    single = float(np.float32(value))
    assert abs(single - value) <= of_float32(np.array([single]))[0]


def test_doubles_in_full_have_no_rounding() -> None:
    rng = np.random.default_rng(0)
    assert of_doubles(rng.normal(2.5, 0.1, 10)) == 0
    assert of_doubles(np.round(rng.normal(2.5, 0.1, 10), 4)) == pytest.approx(1e-4)
    assert of_doubles(np.array([np.nan, np.inf])) == 0


def test_lm_eval(write: Write) -> None:
    log = read_log(write(SMALL["lm_eval"][1], "results.json"))
    by = log.events.set_index("metric")["value"]
    assert by["wikitext/word_perplexity"] == 12.345678
    assert by["arc/acc_norm,strict"] == 0.25
    assert "arc/sample_len" not in by
    assert log.runs == ("org/model",)
    assert log.events["step"].isna().all()
    assert any("limit 10.0" in note for note in log.notes)
    assert any("wikitext 2.0" in note for note in log.notes)


@pytest.mark.parametrize("name", ["wandb_csv", "wandb_jsonl"])
def test_a_nan_that_was_logged_is_no_blank_cell(write: Write, name: str) -> None:
    """A run that ends in NaN has diverged; a blank cell says nothing."""
    log = read_log(write(SMALL[name][1], SMALL[name][0]))
    loss = log.events[log.events["metric"] == "eval/loss"]
    assert loss["step"].tolist() == [0, 1]
    assert loss["value"].isna().tolist() == [False, True]


def test_a_nan_in_parquet_is_no_null(tmp_path: Path) -> None:
    table = pa.table({"_step": [0, 1, 2], "loss": pa.array([2.123456789, float("nan"), None])})
    parquet.write_table(table, tmp_path / "history.parquet")
    log = read_log(tmp_path / "history.parquet")
    assert log.events["step"].tolist() == [0, 1]
    assert log.events["value"].iloc[0] == 2.123456789


def test_wandb_ui_says_that_it_is_sampled(write: Write) -> None:
    log = read_log(write(SMALL["wandb_ui"][1], "chart.csv"))
    assert log.runs == ("a",)
    assert log.events["metric"].tolist() == ["loss"]
    assert any("samples" in note for note in log.notes)


def test_wandb_history_of_500_rows_is_suspected(tmp_path: Path) -> None:
    table = pd.DataFrame({"_step": np.arange(500) * 7, "loss": np.linspace(3, 2, 500)})
    for name in ("history.csv", "history.parquet"):
        if name.endswith("csv"):
            table.to_csv(tmp_path / name)
        else:
            table.to_parquet(tmp_path / name)
        log = read_log(tmp_path / name)
        assert len(log.events) == 500
        assert "run.scan_history() gives all" in log.notes[0]


def test_every_format_is_in_this_suite(repo_root: Path) -> None:
    """Its module has a reader and its documentation a section."""
    page = (repo_root / "docs" / "import.md").read_text(encoding="utf-8")
    for form in FORMATS:
        assert f"`{form.name}`" in page


@pytest.mark.parametrize(
    ("name", "rows"),
    [("regmix_1m_train.csv", 512), ("regmix_1m_test.csv", 256), ("regmix_60m_test.csv", 256),
     ("regmix_1B_test.csv", 64)],
)  # fmt: skip
def test_the_real_tables_of_regmix(shared_data: Path, name: str, rows: int) -> None:
    log = read_log(shared_data / name)
    assert log.format == "RegMix/olmix table"
    table = pd.read_csv(shared_data / name)
    assert len(log.runs) == len(table) == rows
    values = log.events.pivot_table(index="run", columns="metric", values="value", sort=False)
    assert values.shape == (rows, 17 + 13)
    weights = values[[name for name in values if name.startswith("weight/")]]
    assert np.allclose(weights.sum(axis=1), 1, atol=0.02)
    loss = "metric/the_pile_pile_cc_val_loss"
    assert values[loss].tolist() == table[loss].tolist()
    assert "no base loss" in log.notes[-1]
