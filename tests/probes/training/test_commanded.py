"""Our trainer as the command of a campaign: up to some tokens, then on, bit for bit."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from bayescmr.cli.app import run as bayescmr
from bayescmr.errors import CampaignError, ProbeError
from bayescmr.probes import Execution, probe_checkpoints, run
from bayescmr.probes.commanded import configure, run_job
from bayescmr.probes.config import evaluation_steps
from bayescmr.runners.contract import ProbeJob, read_losses, write_job

pytestmark = pytest.mark.slow
TOKENS = 24 * 256
CHECKPOINTS = probe_checkpoints(TOKENS, context=32, sequences=8, checkpoints=4)


@pytest.fixture(scope="module")
def job(probe_config) -> ProbeJob:
    return ProbeJob(
        run="0123456789ab",
        size=25_000,
        domain="code",
        ratio=0.3,
        seed=3,
        tokens=TOKENS,
        until=TOKENS,
        checkpoints=CHECKPOINTS,
        settings={
            "base": probe_config.base,
            "domain_corpora": {"code": probe_config.domain_corpora[0].path, "law": "none"},
            "general": [{"path": probe_config.general[0].path, "weight": 1}],
            "learning_rate": 1e-3,
            "warmup_tokens": 512,
            "context": 32,
            "sequences": 8,
            "validation_tokens": 1024,
            "checkpoints": 4,
            "device": "cpu",
            "threads": 1,
            "log_steps": 1,
        },
    )


@pytest.fixture(scope="module")
def whole(probe_config, tmp_path_factory):
    """The same run without a campaign, in one go."""
    return run(probe_config, tmp_path_factory.mktemp("whole"), Execution(device="cpu"))


def expected(whole):
    return [
        (row["tokens"], row["role"], row["eval_set"], row["loss"])
        for row in whole.data["measurements"]
    ]


def got(folder):
    return [(row.tokens, row.role, row.eval_set, row.value) for row in read_losses(folder)]


def test_checkpoints_are_where_the_trainer_measures(probe_config):
    assert tuple(step * 256 for step in evaluation_steps(probe_config)) == CHECKPOINTS
    assert CHECKPOINTS[0] == 0 and CHECKPOINTS[-1] == TOKENS and len(CHECKPOINTS) == 4
    assert probe_checkpoints(100, context=32, sequences=8) == (0, 256)
    with pytest.raises(ProbeError, match="tokens: got 0"):
        probe_checkpoints(0)


def test_a_job_is_the_run_of_the_same_settings(job, whole, tmp_path):
    result = run_job(write_job(tmp_path, job))
    assert (result.status, result.run) == ("done", whole.run)
    assert got(tmp_path) == expected(whole)


def test_attempts_one_after_another_are_one_run_bit_for_bit(job, whole, tmp_path):
    """Each ends at its checkpoint, and asking again for one that was reached trains nothing."""
    for until in CHECKPOINTS:
        path = write_job(tmp_path, replace(job, until=max(until, 1)))
        result = run_job(path)
        end = max(until, CHECKPOINTS[1])
        assert result.status == ("done" if end == TOKENS else "reached")
        assert got(tmp_path) == [row for row in expected(whole) if row[0] <= end]
        again = run_job(path)
        assert again.status == result.status
    assert result.run == whole.run
    steps = [
        line["step"]
        for line in map(json.loads, (result.folder / "log.jsonl").read_text().splitlines())
        if line["event"] == "step"
    ]
    assert steps == list(range(1, 25))


def test_until_between_checkpoints_is_the_next_one(job, tmp_path):
    result = run_job(write_job(tmp_path, replace(job, until=CHECKPOINTS[1] + 1)))
    assert result.status == "reached"
    assert max(row[0] for row in got(tmp_path)) == CHECKPOINTS[2]


def test_killed_and_stopped_commands_leave_the_same_losses(job, whole, tmp_path):
    path = write_job(tmp_path, job)
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)):
        known = len(read_losses(tmp_path))
        with subprocess.Popen(
            [sys.executable, "-m", "bayescmr", "probe", "job", str(path)], stdout=subprocess.PIPE
        ) as process:
            while process.poll() is None and len(read_losses(tmp_path)) == known:
                time.sleep(0.02)
            process.send_signal(number)
            process.communicate()
        # A machine that is quick may be done before it is told.
        assert process.returncode in (code, 0)
    run_job(path)
    assert got(tmp_path) == expected(whole)
    # Lost files are made again, from the result.
    (tmp_path / "losses.jsonl").unlink()
    run_job(path)
    assert got(tmp_path) == expected(whole)


def test_a_diverged_run_says_so_and_writes_no_such_loss(job, tmp_path):
    wild = replace(job, settings={**job.settings, "learning_rate": 1e4, "warmup_tokens": 0})
    assert bayescmr(["probe", "job", str(write_job(tmp_path, wild))]) == 4
    assert {row.tokens for row in read_losses(tmp_path)} < set(CHECKPOINTS)


def test_relative_paths_start_from_the_root(job, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(job.settings["base"], home / "base")
    moved = replace(job, root=str(home), settings={**job.settings, "base": "base"})
    config, execution, threads = configure(moved, tmp_path / "elsewhere")
    assert config.base == str(home / "base")
    assert (execution.until_tokens, threads) == (TOKENS, 1)
    config, _, _ = configure(replace(moved, root=""), home)
    assert config.base == str(home / "base")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rat": 1}, "settings: unknown key learning_rat; expected base, general"),
        ({"schedule": "cosine"}, "unknown key schedule"),
        ({"base": None}, "missing key base"),
        ({"base": 7}, "base: got 7, expected the path"),
        ({"base": "nowhere"}, "no weights"),
        ({"general": [{"folder": "x"}]}, "general: got .*folder"),
        ({"domain_corpora": {"law": "x"}}, "domain_corpora: got 'law', expected one for 'code'"),
        ({"learning_rate": -1}, "learning_rate: got -1"),
        ({"learning_rate": "fast"}, "learning_rate: got 'fast'"),
        ({"checkpoints": 5}, "checkpoints: got .*, but with these settings losses are measured"),
        ({"threads": 0}, "threads: got 0"),
        ({"save_minutes": 0}, "save_minutes: got 0"),
    ],
)
def test_wrong_settings_are_named(job, tmp_path, change, words):
    path = write_job(tmp_path, replace(job, settings={**job.settings, **change}))
    with pytest.raises(ProbeError, match=words):
        run_job(path)
    assert [p.name for p in tmp_path.iterdir()] == ["job.json"]


def test_a_base_of_another_size_is_refused(job, tmp_path):
    with pytest.raises(ProbeError, match="non-embedding parameters, the job says 100,000"):
        run_job(write_job(tmp_path, replace(job, size=1e5)))


def test_a_job_that_is_none_is_one_line(tmp_path, capsys):
    (tmp_path / "job.json").write_text("{}")
    with pytest.raises(CampaignError, match="expected schema 1"):
        run_job(tmp_path / "job.json")
    assert bayescmr(["probe", "job", str(tmp_path / "job.json")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
