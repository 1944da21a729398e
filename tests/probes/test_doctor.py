"""The examination of the machine, on the CPU."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bayescmr.cli.app import run
from bayescmr.errors import ProbeError
from bayescmr.probes import doctor
from bayescmr.probes.doctor import Examination, examine
from bayescmr.probes.language_model import new_model
from bayescmr.probes.sizes import SIZES, architecture
from bayescmr.probes.speed import PROBE_TOKENS, training_speeds

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def found() -> Examination:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        return examine(seconds=1.0)


def test_facts_are_those_of_the_system(found: Examination) -> None:
    assert found.torch == torch.__version__
    assert 1 <= found.cores <= os.cpu_count()
    assert found.threads == torch.get_num_threads()
    assert found.backends == tuple(
        name
        for name, there in (
            ("gloo", torch.distributed.is_gloo_available()),
            ("nccl", torch.distributed.is_nccl_available()),
        )
        if there
    )
    (cpu,) = found.devices
    assert cpu.device == "cpu"
    assert cpu.memory_bytes is None or cpu.memory_bytes > 1e8
    assert found.disk_free_bytes > 0
    assert found.remarks[0] == "No GPU that torch can use: probes run on the CPU."


def test_peaks_of_both_precisions_with_one_thread_and_all(found: Examination) -> None:
    (cpu,) = found.devices
    assert {peak.precision for peak in cpu.peaks} == {"float32", "bfloat16"}
    assert {1, found.threads, found.cores} == {peak.threads for peak in cpu.peaks}
    assert all(1e8 < peak.flops < 1e15 for peak in cpu.peaks)
    assert cpu.bfloat16_gain > 0


def test_speeds_are_timed_or_carried_over_at_equal_operations(found: Examination) -> None:
    speeds = found.devices[0].speeds
    assert tuple(speed.size for speed in speeds) == SIZES
    assert speeds[0].measured
    assert [s.measured for s in speeds] == sorted((s.measured for s in speeds), reverse=True)
    timed = max(i for i, s in enumerate(speeds) if s.measured)

    def operations(i: int) -> float:
        shape = architecture(speeds[i].size, 1024)
        return new_model(shape, 0).flops_per_token(128) * speeds[i].tokens_per_second

    if timed + 1 < 6:  # larger ones take long to make
        assert operations(timed + 1) == pytest.approx(operations(timed))
    for speed in speeds:
        if speed.fits:
            assert speed.probe_seconds == pytest.approx(PROBE_TOKENS / speed.tokens_per_second)


def test_what_does_not_fit_into_memory_is_said() -> None:
    small, large = training_speeds(CPU, 16 * 60_000, seconds=0.1, sizes=("25k", "100k"))
    assert small.fits and small.measured  # 58,016 parameters with the embedding
    assert not large.fits
    assert large.tokens_per_second is None and large.probe_seconds is None


def test_threads_are_left_as_they_were(found: Examination) -> None:
    assert torch.get_num_threads() == found.threads


def test_plain_data_is_json(found: Examination) -> None:
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["probe_tokens"] == PROBE_TOKENS
    assert plain["devices"][0]["bfloat16_gain"] == found.devices[0].bfloat16_gain
    assert plain["remarks"] == list(found.remarks)


def test_remarks_on_what_is_missing(found: Examination) -> None:
    cpu = replace(found.devices[0], compiler=None)
    poor = replace(
        found, devices=(cpu,), backends=(), disk_free_bytes=10**8, transformers=False, threads=2
    )
    remarks = " ".join(poor.remarks)
    for words in (
        "OMP_NUM_THREADS=1",
        "No C++ compiler",
        "No back end",
        "Only 0.1 GB are free",
        "bayescmr[huggingface]",
    ):
        assert words in remarks


def test_a_compiler_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert doctor._compiler(CPU) is None
    (tmp_path / "clang++").write_text("#!/bin/sh\n")
    (tmp_path / "clang++").chmod(0o755)
    assert doctor._compiler(CPU) == "clang++"


def test_a_person_reads_tables(
    found: Examination, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: found)  # measured once
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["probe", "doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith(("25k ", "1B ")) for line in lines) == 2
    assert sum(line.startswith("matrix products") for line in lines) == len(found.devices[0].peaks)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="none: no such folder"):
        examine(tmp_path / "none")
