"""Training: what is computed, and what survives a stop."""

import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from bayescmr.errors import ProbeError
from bayescmr.probes import CorpusUse, Execution, collect, run
from bayescmr.probes.checkpoint import load_checkpoint
from bayescmr.probes.config import evaluation_steps, steps_of, to_dict
from bayescmr.probes.jobs import plan
from bayescmr.probes.trainer import _explained_memory
from bayescmr.runs import RunTable

pytestmark = pytest.mark.slow


def losses(result):
    return [
        (row["tokens"], row["eval_set"], row["loss"], row["se"], row["change_se"])
        for row in result.data["measurements"]
    ]


@pytest.fixture(scope="module")
def whole(probe_config, tmp_path_factory):
    """The run without any interruption."""
    return run(probe_config, tmp_path_factory.mktemp("whole"), Execution(device="cpu"))


def test_an_untrained_model_guesses(base_config, tmp_path, execution):
    result = run(replace(base_config, tokens=1), tmp_path / "base", execution)
    first = result.data["measurements"][0]
    assert first["tokens"] == 0
    assert first["loss"] == pytest.approx(math.log(257), rel=0.02)


def test_measurements_are_where_they_should_be(whole, probe_config):
    steps = evaluation_steps(probe_config)
    assert steps[0] == 0 and steps[-1] == steps_of(probe_config) == 24
    assert [row["tokens"] for row in whole.data["measurements"]] == [
        step * 256 for step in steps for _ in range(2)
    ]
    assert {row["eval_set"]: row["role"] for row in whole.data["measurements"]} == {
        "general": "general",
        "domain": "domain",
    }


def test_standard_errors_are_those_of_sequences(whole, probe_config, base, execution):
    """The base's loss by an independent pass over the same text."""
    job = plan(probe_config).job()
    for one in job.sets:
        tokens = torch.from_numpy(one.tokens)
        with torch.no_grad():
            logits = job.model(tokens[:, :-1])
        log_p = torch.log_softmax(logits.double(), -1).gather(-1, tokens[:, 1:, None])[..., 0]
        each = -log_p.mean(1).numpy()
        row = next(r for r in whole.data["measurements"] if r["eval_set"] == one.name)
        assert row["loss"] == pytest.approx(each.mean(), rel=1e-5)
        assert row["se"] == pytest.approx(each.std(ddof=1) / math.sqrt(len(each)), rel=1e-4)
        assert row["change_se"] == 0


def test_the_domain_is_learnt_and_the_share_is_exact(whole, probe_config):
    domain = [r["loss"] for r in whole.data["measurements"] if r["role"] == "domain"]
    assert domain[-1] < domain[0] - 0.05
    assert abs(whole.data["domain_share"] - 0.3) <= 1 / (24 * 8)
    uses = {use["role"]: use for use in whole.data["corpora"]}
    assert uses["domain"]["tokens"] + uses["general"]["tokens"] == 24 * 256
    assert uses["domain"]["tokens"] / (24 * 256) == pytest.approx(whole.data["domain_share"])


def test_replay_is_text_that_the_base_has_not_seen(probe_config):
    assert plan(probe_config).config.general[0].part == (0.7, 1.0)


def test_done_once(whole, probe_config):
    log = (whole.folder / "log.jsonl").read_bytes()
    again = run(probe_config, whole.folder.parent, Execution(device="cpu"))
    assert again.data == whole.data
    assert (whole.folder / "log.jsonl").read_bytes() == log


def test_micro_batches_change_nothing(whole, probe_config, tmp_path):
    some = run(probe_config, tmp_path, Execution(device="cpu", micro_sequences=3))
    assert np.allclose(
        [row[2] for row in losses(some)], [row[2] for row in losses(whole)], rtol=0, atol=2e-5
    )


def test_stopped_and_gone_on_with_is_the_same_bit_for_bit(whole, probe_config, tmp_path):
    stops = [7, 15]

    def watch(step, _loss, _rate):
        if stops and step >= stops[0]:
            stops.pop(0)
            signal.raise_signal(signal.SIGTERM)

    execution = Execution(device="cpu", log_steps=1)
    statuses = [run(probe_config, tmp_path, execution, watch=watch).status for _ in range(2)]
    assert statuses == ["stopped", "stopped"]
    result = run(probe_config, tmp_path, execution, watch=watch)
    assert result.status == "done"
    assert losses(result) == losses(whole)
    assert result.data["sittings"] == 3
    assert load_checkpoint(result.folder) is None
    steps = [
        line["step"]
        for line in map(json.loads, (result.folder / "log.jsonl").read_text().splitlines())
        if line["event"] == "step"
    ]
    assert steps == list(range(1, 25))


def _command(config_file, out, *more):
    code = (
        "import sys; from bayescmr.probes import Execution, read_config, run;"
        "run(read_config(sys.argv[1]), sys.argv[2],"
        " Execution(device='cpu', log_steps=1, save_minutes=1e-9))"
    )
    return [sys.executable, "-c", code, str(config_file), str(out), *more]


def test_killed_without_warning_is_the_same_bit_for_bit(whole, probe_config, tmp_path):
    """SIGKILL in the middle, more than once; what is on disk is enough."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_dict(probe_config)), encoding="utf-8")
    out = tmp_path / "out"
    for step in (5, 12):
        process = subprocess.Popen(_command(file, out))
        while process.poll() is None and not list(out.glob(f"*/checkpoint-{step:09d}")):
            saved = [int(p.name[-9:]) for p in out.glob("*/checkpoint-*")]
            if saved and max(saved) >= step:
                break
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    result = run(probe_config, out, Execution(device="cpu"))
    assert result.data["sittings"] >= 2
    assert losses(result) == losses(whole)
    assert not list(result.folder.glob(".*partial*"))


def test_a_full_disk_keeps_what_was_saved(probe_config, tmp_path):
    """A limit on the size of files stands for a disk without room: the same error of the system."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(to_dict(probe_config)), encoding="utf-8")
    code = (
        "import resource, signal, sys; from bayescmr.errors import ProbeError;"
        "from bayescmr.probes import Execution, read_config, run;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))\n"
        "try: run(read_config(sys.argv[1]), sys.argv[2],"
        " Execution(device='cpu', save_minutes=1e-9))\n"
        "except ProbeError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot save the state after step 1" in done.stdout
    assert "make room and run the same command again" in done.stdout
    left = [p.name for p in (tmp_path / "out").glob("*/*")]
    assert not [name for name in left if "partial" in name or "checkpoint" in name]


def test_a_diverged_run_ends_and_stays_in_the_table(probe_config, whole, tmp_path, execution):
    wild = replace(
        probe_config, training=replace(probe_config.training, learning_rate=1e4, warmup_tokens=0)
    )
    result = run(wild, tmp_path, execution)
    assert result.status == "diverged"
    assert result.data["steps"] < 24
    assert collect([tmp_path])["status"].unique().tolist() == ["diverged"]
    frame = collect([tmp_path, whole.folder])
    table = RunTable.from_frame(frame)
    assert table.n_runs == 1
    assert table.exclusions[0].reason.startswith("status")


def test_the_table_is_read_back(whole, probe_config):
    frame = collect([whole.folder])
    assert frame["tokens"].tolist() == [step * 256 for step in evaluation_steps(probe_config)]
    table = RunTable.from_frame(frame)
    rows = table.select("general")
    assert rows["size"].unique().tolist() == [whole.data["size"]]
    assert rows["change"].iloc[-1] == pytest.approx(
        frame["loss_general"].iloc[-1] - frame["loss_general"].iloc[0]
    )
    assert "optimizer kept" in rows["schedule"].iloc[0]


def test_a_rate_that_falls_gives_no_shorter_runs(probe_config, tmp_path, execution):
    cosine = replace(probe_config.training, schedule="cosine", final_learning_rate=0.0)
    result = run(replace(probe_config, training=cosine), tmp_path, execution)
    measured = {row["tokens"] for row in result.data["measurements"]}
    assert measured == {step * 256 for step in evaluation_steps(probe_config)}
    assert collect([result.folder])["tokens"].tolist() == [0, 24 * 256]


def test_constraint_to_the_base_holds_it_back(probe_config, whole, tmp_path, execution):
    """Replay held to the base by a strong divergence: the general loss moves less."""
    tied = run(replace(probe_config, loss_mode="kl", beta=30.0), tmp_path, execution)

    def moved(result):
        rows = [r["loss"] for r in result.data["measurements"] if r["role"] == "general"]
        return abs(rows[-1] - rows[0])

    assert moved(tied) < moved(whole)
    assert collect([tied.folder])["loss_mode"].iloc[0] == "kl beta=30"


def test_other_settings_are_another_run(probe_config, whole):
    names = {
        plan(replace(probe_config, **change)).run
        for change in ({}, {"seed": 4}, {"ratio": 0.31}, {"tokens": 25 * 256}, {"beta": 2.0})
    }
    assert len(names) == 5
    assert whole.run in names


def test_a_moved_corpus_is_the_same_run(probe_config, corpora, tmp_path):
    link = tmp_path / "elsewhere"
    link.symlink_to(corpora["code"])
    moved = replace(probe_config, domain_corpora=(CorpusUse(str(link)),))
    assert plan(moved).run == plan(probe_config).run


def test_a_base_does_not_overwrite_another(base, base_config, execution):
    with pytest.raises(ProbeError, match="holds another run"):
        run(replace(base_config, seed=2), base, execution)


def test_two_processes_do_not_make_one_run(probe_config, tmp_path, execution):
    import fcntl

    folder = tmp_path / plan(probe_config).run
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ProbeError, match="another process is making this run"):
            run(probe_config, tmp_path, execution)


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_told(name, probe_config, tmp_path):
    def watch(step, _loss, _rate):
        if step == 2:
            signal.raise_signal(signal.SIGTERM)

    execution = Execution(device="cpu", log_steps=1)
    result = run(probe_config, tmp_path, execution, watch=watch)
    assert result.status == "stopped"
    saved = next(result.folder.glob("checkpoint-*"))
    (saved / name).write_bytes(b"no")
    with pytest.raises(ProbeError, match="damaged checkpoint"):
        run(probe_config, tmp_path, execution)


def test_exhausted_memory_is_explained():
    """A real refusal of the allocator, and an error of another kind left as it is."""
    with (
        pytest.raises(ProbeError, match=r"out of memory with 4 sequences.*--micro-sequences"),
        _explained_memory(Execution(micro_sequences=4)),
    ):
        torch.empty(10**16)
    with pytest.raises(RuntimeError, match="shapes"), _explained_memory(Execution()):
        torch.ones(2, 3) @ torch.ones(2, 3)
