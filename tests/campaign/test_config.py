"""campaign.yaml: what it means, from wherever it is read, and every problem at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayescmr.campaign.config import config_of, read_config
from bayescmr.campaign.identity import run_name
from bayescmr.design.outlook import Candidate
from bayescmr.errors import CampaignError

LEAST = """
name: law
target: {size: 300000, domain: law, tokens: 524288, tolerance: 0.05}
budget: 1.0e13
space: {sizes: [20000, 100000], ratios: [0, 0.5], tokens: 524288, checkpoints: [65536, 524288]}
"""
WHOLE = (
    LEAST.replace(
        "tokens: 524288, checkpoints", "tokens: {20000: 65536, 100000: 524288}, checkpoints"
    )
    + """
schema: 1
estimand: gu
model: shift_gain
seed: 7
risk: 0.2
prob: 0.8
stop: {width: 0.1, regret: 0.02, price: 1.0e-15}
exploration: 0.25
batch: 3
review: false
probe:
  command: [train, "{job}"]
  settings: {lr: 0.001, warm: 10}
  by_size: {100000: {lr: 0.0005}}
runner: {kind: local, slots: 4, cpus_per_probe: 2, gpus_per_probe: 0, minutes: 30}
attempts: 5
folder: out
runs: runs.csv
"""
)


def write(folder: Path, text: str) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(tmp_path):
    config = read_config(write(tmp_path, LEAST))
    assert (config.estimand, config.model, config.seed) == ("tolerance", "turning_point", 1)
    assert (config.risk, config.prob, config.exploration) == (0.1, 0.9, 0.1)
    assert (config.batch, config.attempts, config.review) == (1, 3, True)
    assert config.probe is None and config.runs is None
    assert config.runner == {"kind": "local"}
    assert config.folder == tmp_path / "probes" / "law" and config.root == str(tmp_path)
    assert config.stop.width is config.stop.regret is config.stop.price is None


def test_every_key(tmp_path):
    (tmp_path / "runs.csv").touch()
    config = read_config(write(tmp_path, WHOLE))
    assert (config.estimand, config.model, config.seed) == ("gu", "shift_gain", 7)
    assert (config.risk, config.prob, config.exploration) == (0.2, 0.8, 0.25)
    assert (config.batch, config.attempts, config.review) == (3, 5, False)
    assert (config.stop.width, config.stop.regret, config.stop.price) == (0.1, 0.02, 1e-15)
    assert config.probe.of(20000.0) == {"lr": 0.001, "warm": 10}
    assert config.probe.of(100000.0) == {"lr": 0.0005, "warm": 10}
    assert config.folder == tmp_path / "out" and config.runs == str(tmp_path / "runs.csv")
    assert config.space.checkpoints == {2e4: (65536.0,), 1e5: (65536.0, 524288.0)}
    task = config.task
    assert (task.estimand, task.risk, task.prob) == ("gu", 0.2, 0.8)


def test_it_means_the_same_when_a_store_gives_it_back(tmp_path, monkeypatch):
    """As JSON, whose keys are texts, and from another folder."""
    (tmp_path / "runs.csv").touch()
    config = read_config(write(tmp_path, WHOLE))
    monkeypatch.chdir("/")
    again = config_of(json.loads(json.dumps(config.data)), "store")
    assert {k: v for k, v in vars(again).items() if k != "data"} == {
        k: v for k, v in vars(config).items() if k != "data"
    }


PROBLEMS = [
    ("name", "name: ''", "name"),
    ("name", "", "name"),
    ("target", "target: 5", "target"),
    ("target", "target: {size: 1.0e5, domain: law}", "target.tokens"),
    ("target", "target: {size: -1, domain: law, tokens: 5}", "target"),
    ("target", "target: {size: 1.0e5, domain: law, tokens: 5, ratio: 1}", "ratio"),
    ("budget", "budget: 0", "budget"),
    ("budget", "budget: -1.0e9", "budget"),
    ("budget", "budget: much", "budget"),
    ("budget", "", "budget"),
    ("space", "space: {sizes: [20000], ratios: [2], tokens: 5}", "ratios"),
    ("space", "", "space"),
    ("schema", "schema: 2", "schema"),
    ("estimand", "estimand: mean", "estimand"),
    ("model", "model: no_such_model", "model"),
    ("seed", "seed: -1", "seed"),
    ("seed", "seed: 1.5", "seed"),
    ("seed", "seed:", "seed"),
    ("risk", "risk: 0", "risk"),
    ("risk", "risk: 1", "risk"),
    ("prob", "prob: x", "prob"),
    ("exploration", "exploration: 1", "exploration"),
    ("exploration", "exploration: -0.1", "exploration"),
    ("stop", "stop: {width: 0}", "width"),
    ("stop", "stop: {depth: 1}", "depth"),
    ("stop", "stop: now", "stop"),
    ("batch", "batch: 0", "batch"),
    ("batch", "batch: true", "batch"),
    ("batch", "batch:", "batch"),
    ("attempts", "attempts: two", "attempts"),
    ("attempts", "attempts:", "attempts"),
    ("review", "review: perhaps", "review"),
    ("review", "review:", "review"),
    ("probe", "probe: {}", "probe.command"),
    ("probe", "probe: {command: []}", "probe.command"),
    ("probe", "probe: {command: [1]}", "probe.command"),
    ("probe", "probe: {command: [a], settings: 5}", "probe.settings"),
    ("probe", "probe: {command: [a], by_size: {big: {}}}", "probe.by_size"),
    ("probe", "probe: {command: [a], by_size: {5: {}}}", "probe.by_size"),
    ("probe", "probe: {commands: [a]}", "commands"),
    ("runner", "runner: local", "runner"),
    ("runner", "runner: {kind: cloud}", "runner"),
    ("runner", "runner: {slots: 2}", "runner"),
    ("runner", "runner: {kind: local, gpus_per_probe: many}", "runner.gpus_per_probe"),
    ("runner", "runner: {kind: local, cpus_per_probe: 0}", "runner.cpus_per_probe"),
    ("runner", "runner: {kind: local, minutes: 0}", "runner.minutes"),
    ("runner", "runner: {kind: local, minutes: long}", "runner.minutes"),
    ("runner", "runner: {kind: local, slots: '2'}", "runner.slots"),
    ("runner", "runner: {kind: local, gpus: 2}", "runner.gpus"),
    ("runner", "runner: {kind: local, grace: long}", "runner.grace"),
    ("runner", "runner: {kind: local, beat: 0}", "runner.beat"),
    ("runner", "runner: {kind: local, gpus_per_probe: 1}", "1 slots, but 0 gpus"),
    (
        "runner",
        "runner: {kind: local, slots: 2, gpus: [0], gpus_per_probe: 1}",
        "2 slots, but 1 gpus",
    ),
    ("name", "name: ../law", "name"),
    ("folder", "folder: [a]", "folder"),
    ("folder", "folder:", "folder"),
    ("root", "root: 5", "root"),
    ("probe", 'probe: {command: "train \'x"}', "probe.command"),
    ("probe", "probe: {command: [a, '{jobs}']}", "probe.command"),
    (
        "space",
        "space: {sizes: [20000], ratios: [0.5], tokens: 524288, step_tokens: 1000000}",
        "space.step_tokens",
    ),
    ("runs", "runs: 5", "runs"),
    ("price", "price: 5", "price"),
]


@pytest.mark.parametrize(
    ("key", "line", "said"), PROBLEMS, ids=[line or f"no {key}" for key, line, _ in PROBLEMS]
)
def test_problems_name_file_and_path(tmp_path, key, line, said):
    rest = [one for one in LEAST.strip().splitlines() if not one.startswith(f"{key}:")]
    path = write(tmp_path, "\n".join([*rest, line]))
    with pytest.raises(CampaignError, match=said) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path))
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "line", "said"),
    [
        ("target", "target: {size: -1, domain: law, tokens: 5}", "target: size: got -1,"),
        ("stop", "stop: {width: 0}", "stop: width: got 0.0,"),
        ("space", "space: {sizes: [20000], ratios: [2], tokens: 5}", "space: ratios: got (2.0,),"),
        ("model", "model: no_such_model", "model: got 'no_such_model',"),
        ("probe", "probe: {command: ''}", "probe.command: got '',"),
    ],
    ids=["target", "stop", "space", "model", "command"],
)
def test_what_another_part_says_is_said_once(tmp_path, key, line, said):
    """Not "got a question that cannot be asked, expected size: got -1, expected ..."."""
    rest = [one for one in LEAST.strip().splitlines() if not one.startswith(f"{key}:")]
    path = write(tmp_path, "\n".join([*rest, line]))
    with pytest.raises(CampaignError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: {said} expected ")
    assert str(caught.value).count("expected") == 1


def test_all_problems_at_once(tmp_path):
    path = write(tmp_path, "target: 5\nbudget: 0\nseed: x\nrisk: 3\nbatch: 0\nspeed: 1\n")
    with pytest.raises(CampaignError) as caught:
        read_config(path)
    said = str(caught.value)
    for key in ("name", "target", "budget", "seed", "risk", "batch", "space", "speed"):
        assert key in said, said
    assert all(line.startswith((str(path), "... and")) for line in said.splitlines())


@pytest.mark.parametrize("text", ["", "- 1\n", "name: [\n"], ids=["empty", "list", "broken"])
def test_no_campaign_at_all(tmp_path, text):
    with pytest.raises(CampaignError, match="campaign"):
        read_config(write(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(CampaignError, match="cannot read the campaign"):
        read_config(tmp_path / "absent.yaml")


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    """Also where they are not there, and something of that name is where one stands."""
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    (here / "table.csv").touch()
    monkeypatch.chdir(here)
    config = read_config(write(there, LEAST + "root: data\nfolder: out\nruns: table.csv\n"))
    assert config.root == str(there / "data")
    assert config.folder == there / "out"
    assert config.runs == str(there / "table.csv")


def test_a_command_of_one_text_is_split_as_a_shell_splits_it(tmp_path):
    text = LEAST + "probe: {command: python '{root}/my trainer.py' {job}}\n"
    text = text.replace("{command: ", '{command: "').replace("{job}}", '{job}"}')
    assert read_config(write(tmp_path, text)).probe.command == (
        "python",
        "{root}/my trainer.py",
        "{job}",
    )


# --- which run is which ------------------------------------------------------------------------


def name_of(tmp_path, text=WHOLE, **changes):
    config = read_config(write(tmp_path, text))
    run = {"size": 1e5, "domain": "law", "ratio": 0.5, "seed": 1, "checkpoints": (65536.0,)}
    return run_name(config, Candidate(**{**run, **changes}))


@pytest.fixture(autouse=True)
def table(tmp_path):
    (tmp_path / "runs.csv").touch()


@pytest.mark.parametrize(
    "changes",
    [{"size": 2e4}, {"domain": "code"}, {"ratio": 0.5 + 1e-9}, {"seed": 2}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_name_changes_with_what_a_run_is(tmp_path, changes):
    assert name_of(tmp_path, **changes) != name_of(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lr: 0.0005", "lr: 0.0004"),
        ("warm: 10", "warm: 11"),
        ("command: [train", "command: [train2"),
        ("100000: 524288}", "100000: 65536}"),
        ("checkpoints: [65536", "checkpoints: [32768, 65536"),
    ],
    ids=["setting-of-its-size", "setting", "command", "length", "checkpoints"],
)
def test_the_name_changes_with_what_decides_its_losses(tmp_path, old, new):
    assert old in WHOLE
    assert name_of(tmp_path, WHOLE.replace(old, new)) != name_of(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("budget: 1.0e13", "budget: 2.0e13"),
        ("slots: 4", "slots: 2"),
        ("seed: 7", "seed: 8"),
        ("{lr: 0.001, warm: 10}", "{warm: 10, lr: 0.001}"),
        ("by_size: {100000: ", "by_size: {20000: {lr: 9}, 100000: "),
    ],
    ids=["budget", "runner", "campaign-seed", "order", "setting-of-another-size"],
)
def test_the_name_stays_with_what_does_not(tmp_path, old, new):
    assert old in WHOLE
    assert name_of(tmp_path, WHOLE.replace(old, new)) == name_of(tmp_path)


def test_the_name_stays_however_far_a_run_is(tmp_path):
    ahead = name_of(tmp_path, checkpoints=(524288.0,), reached=65536.0)
    assert ahead == name_of(tmp_path)
    assert len(ahead) == 12 and int(ahead, 16) >= 0
