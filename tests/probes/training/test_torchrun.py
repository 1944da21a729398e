"""The whole command under torchrun: two processes make the run that one makes."""

import json
import signal
import subprocess
import sys
import time

import pytest

from bayescmr.probes import Execution, run
from bayescmr.probes.config import to_dict

pytestmark = pytest.mark.slow

TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
]  # fmt: skip


def command(probe_config, base, corpora, out):
    training = probe_config.training
    return [
        "-m", "bayescmr", "probe", "run", "--base", base, "--general", corpora["general"],
        "--domain-corpus", corpora["code"], "--ratio", probe_config.ratio,
        "--tokens", probe_config.tokens, "--seed", probe_config.seed, "--out", out,
        "--learning-rate", training.learning_rate, "--warmup-tokens", training.warmup_tokens,
        "--context", training.context, "--sequences", training.sequences,
        "--checkpoints", probe_config.checkpoints, "--device", "cpu",
        "--validation-tokens", probe_config.validation_tokens,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alone(probe_config, tmp_path_factory):
    return run(probe_config, tmp_path_factory.mktemp("alone"), Execution(device="cpu"))


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_make_the_run_of_one(strategy, alone, probe_config, base, corpora, tmp_path):
    words = [*command(probe_config, base, corpora, tmp_path), "--strategy", strategy, "--json"]
    done = subprocess.run([*TORCHRUN, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / alone.run / "result.json").read_text())
    assert found["processes"] == 2
    assert [row["tokens"] for row in found["measurements"]] == [
        row["tokens"] for row in alone.data["measurements"]
    ]
    for ours, theirs in zip(found["measurements"], alone.data["measurements"], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=2e-5)
        assert ours["se"] == pytest.approx(theirs["se"], rel=1e-3)
    # What is said is said once.
    assert json.loads(done.stdout)["run"] == alone.run


def test_processes_disagree_with_the_batch(probe_config, base, corpora, tmp_path):
    words = command(probe_config, base, corpora, tmp_path)
    words[words.index("--sequences") + 1] = 9
    done = subprocess.run(
        [*TORCHRUN, *map(str, [*words, "--strategy", "ddp"])], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "sequences: got 9, expected a multiple of the 2 processes" in done.stderr


def test_sigterm_to_the_command_exits_with_resume(alone, probe_config, base, corpora, tmp_path):
    """The exit code that batch systems know, then the same losses as without a stop."""
    words = command(probe_config, base, corpora, tmp_path)
    one = [sys.executable, *map(str, words)]
    process = subprocess.Popen(one, stderr=subprocess.PIPE, text=True)
    log = tmp_path / alone.run / "log.jsonl"
    while process.poll() is None and not (log.exists() and '"evaluation"' in log.read_text()):
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == 75
    assert "the same command goes on from there" in said
    again = subprocess.run(one, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    found = json.loads((tmp_path / alone.run / "result.json").read_text())
    assert found["measurements"] == alone.data["measurements"]
    assert found["sittings"] == 2


def test_the_command_makes_the_configuration_of_the_library(alone, probe_config):
    """The run's name is the hash of its settings, so equal names are equal settings."""
    recorded = json.loads((alone.folder / "run.json").read_text())
    assert recorded["config"] | {"general": None} == json.loads(
        json.dumps(to_dict(probe_config) | {"general": None, "domain_corpora": None})
    ) | {"domain_corpora": recorded["config"]["domain_corpora"]}
