"""The real thing on a small scale: simulate, fit, rank, be killed, go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.checks.sbc import LOG_LIKELIHOOD, Simulation
from bayescmr.errors import CheckError

pytestmark = pytest.mark.slow

SHORT = {"draws": 100, "tune": 100}
WORDS = ("--simulations", "6", "--draws", "100", "--tune", "100", "--model", "shift_gain")


def _untimed(records):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


@pytest.fixture(scope="module")
def uninterrupted():
    result = bc.sbc("shift_gain", seed=1, simulations=6, executor="serial", **SHORT)
    return _untimed(result.records)


def test_twenty_simulations():
    """Smoke: the family-wise error rate of the verdict is 5 %, and blunders show in 20 ranks.

    Chains are short, so that many miss the convergence gate: that is not tested here.
    """
    result = bc.sbc(
        "turning_point", seed=20, simulations=20, executor="serial", draws=250, tune=250
    )
    assert result.failed == []
    assert result.not_uniform == [], str(result)
    names = result.header["quantities"]
    assert LOG_LIKELIHOOD in names
    assert len([n for n in names if n.startswith("CMR")]) == 6
    for wanted in ("delta[4e+08, law, general]", "a[size slope]", "s[sd over size]"):
        assert f"general {wanted}" in names
    assert "general noise[run_offset]" in names


def test_a_killed_study_goes_on_where_it_stopped(tmp_path, uninterrupted):
    """SIGKILL after the second result; the rest, over processes, is what it would have been."""
    out = tmp_path / "sbc.jsonl"
    command = [sys.executable, "-m", "bayescmr", "check", "sbc", *WORDS, "--out", str(out)]
    study = subprocess.Popen(
        [*command, "--executor", "serial"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not (out.exists() and out.read_bytes().count(b"\n") >= 3):
        assert study.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(study.pid, signal.SIGKILL)
    study.wait()
    kept = out.read_bytes()
    assert 3 <= kept.count(b"\n") < 7
    with out.open("ab") as file:
        file.write(b'{"index": 5, "ran')  # as a kill in the middle of a line leaves it
    done = subprocess.run(
        [*command, "--workers", "2", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    assert out.read_bytes().startswith(kept)
    _, *records = [json.loads(line) for line in out.read_text().splitlines()]
    assert _untimed(sorted(records, key=lambda r: r["index"])) == uninterrupted
    summary = json.loads(done.stdout)
    assert summary["simulations"] == 6
    assert (summary["outcome"] == "PASS") == (done.returncode == 0)

    with pytest.raises(CheckError, match="seed is 1 there, 2 here"):
        bc.sbc("shift_gain", seed=2, simulations=6, out=out, executor="serial", **SHORT)
    with pytest.raises(CheckError, match=r"model is 'shift_gain' there, 'turning_point' here"):
        bc.sbc("turning_point", seed=1, simulations=6, out=out, executor="serial", **SHORT)
    # Fewer simulations are part of the same study.
    fewer = bc.sbc("shift_gain", seed=1, simulations=3, out=out, executor="serial", **SHORT)
    assert _untimed(fewer.records) == uninterrupted[:3]


def test_what_cannot_be_fitted_is_a_result():
    """A table that the sampler cannot take fails by name and is counted."""
    rows = [
        {"run": "a", "size": 1e8, "domain": "law", "ratio": 0.5, "tokens": t, "change_general": 0.0}
        for t in (1e9, 2e9)
    ]
    runs = bc.RunTable.from_frame(pd.DataFrame(rows))
    model = bc.load_model("turning_point")
    task = Simulation(model, runs, seed=1, draws=0, tune=10)
    record = task(0)
    assert record["error"].startswith("ModelError: draws: got 0")
    assert record["largest_change"] > 0


def test_wrong_count():
    with pytest.raises(CheckError, match="simulations: got 0"):
        bc.sbc(seed=1, simulations=0)
