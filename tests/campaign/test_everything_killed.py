"""A small real campaign whose controller and probes are killed at random moments: nothing is lost.

The probes really train (docs/own_trainer/bigram.py). A kill is SIGKILL.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit
from bayescmr.campaign.campaign import Campaign
from bayescmr.campaign.config import read_config

HERE = Path(__file__).parent
KILLS = 50
#: Of either kind at least so many: how often a probe is met alive is a matter of the machine.
LEAST = {"controller": 10, "probe": 5}
SIZE = 65_536


@pytest.fixture
def campaign_file(tmp_path: Path, repo_root: Path) -> Path:
    """A campaign of bigram models: one size, five ratios, five checkpoints."""
    words = [inspect.getdoc(getattr(np, name)) or "" for name in sorted(dir(np))[:300]]
    (tmp_path / "general.txt").write_text("\n".join(words), encoding="utf-8")
    (tmp_path / "domain.txt").write_text(inspect.getsource(argparse), encoding="utf-8")
    told = {
        "name": "killed",
        "target": {"size": SIZE, "domain": "code", "tokens": 400_000, "tolerance": 0.1},
        # Each run costs 2e11; the first three are made whatever they tell.
        "budget": 1.3e12,
        "batch": 2,
        "attempts": 100,
        "space": {
            "sizes": [SIZE],
            "ratios": [0, 0.3, 0.5, 0.7, 1],
            "tokens": 400_000,
            "checkpoints": [10_000, 40_000, 100_000, 200_000, 400_000],
            "seeds": 2,
            "cost": {"evaluation_tokens": 2_000},
        },
        "stop": {"width": 0.005},
        # Kills are looked at here, and fits of so few runs take longer than probes.
        "review": False,
        "probe": {
            "command": [sys.executable, str(repo_root / "docs/own_trainer/bigram.py"), "{job}"],
            "settings": {
                "general": "general.txt", "domain": "domain.txt", "learning_rate": 0.3,
            },
        },
        "runner": {"kind": "local", "slots": 2, "beat": 0.2, "grace": 5},
    }  # fmt: skip
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


class Nursery:
    """Starts controllers, see nursery.py."""

    def __init__(self, repo_root: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(repo_root)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning",
             str(HERE / "nursery.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def _ask(self, line: str) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def start(self, url: str, name: str) -> int:
        """Process id of a new controller."""
        return self._ask(f"{url} {name}")

    def wait(self, pid: int) -> int:
        """Exit code of a controller; negative for a signal."""
        return self._ask(f"wait {pid}")

    def close(self) -> None:
        """End it; controllers that are left end with their work."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def nursery(repo_root: Path) -> Iterator[Nursery]:
    """One process that forks all controllers."""
    found = Nursery(repo_root)
    yield found
    found.close()


def probe_processes(folder: Path) -> list[int]:
    """Processes of attempts under way: the wrappers and the commands below them."""
    found = []
    for claimed in folder.glob("*/attempts/*/claim/process.json"):
        if (claimed.parents[1] / "exit.json").exists():
            continue
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = int(json.loads(claimed.read_text())["process"]["pid"])
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += [pid, *map(int, children)]
    return found


def has_ended(pid: int) -> bool:
    """Whether a controller is over; the nursery keeps its exit code until it is asked for."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.slow
def test_nothing_is_lost_run_twice_or_overspent(
    url: str, campaign_file: Path, nursery: Nursery
) -> None:
    chance = random.Random(1)
    config = read_config(campaign_file)
    with open_store(url) as store:
        campaign = Campaign.new(store, config)
        kills = {"controller": 0, "probe": 0}
        for _ in range(10 * KILLS):
            if sum(kills.values()) >= KILLS and all(kills[k] >= n for k, n in LEAST.items()):
                break
            pid = nursery.start(url, config.name)
            # Probes may die several times under one controller, and the controller with them.
            for _ in range(chance.randint(0, 3)):
                # Probes are short: wait for one to begin, if none is under way.
                end = time.monotonic() + 0.3
                while not probe_processes(config.folder) and time.monotonic() < end:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 0.2))
                if victims := probe_processes(config.folder):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(chance.choice(victims), signal.SIGKILL)
                        kills["probe"] += 1
            time.sleep(chance.uniform(0.0, 0.8))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            code = nursery.wait(pid)
            assert code in (0, -signal.SIGKILL)
            kills["controller"] += code == -signal.SIGKILL
            if code == 0 and store.campaign(config.name).state == "stopped":
                # Over before it was killed often enough: there is more to be had.
                store.set_budget(config.name, 1.3 * store.budget(config.name).total)
                store.set_state(config.name, "running")
        # What is under way and three more whole runs; then it ends for want of budget.
        left = store.budget(config.name)
        store.set_budget(config.name, left.spent + left.reserved + 6e11)
        assert nursery.wait(nursery.start(url, config.name)) == 0

        found = campaign.snapshot()
        assert found.state == "stopped"
        assert [check for check in audit(store, config.name) if check.status != "PASS"] == []
        assert not [a for a in found.attempts if a.is_open]
        assert found.budget.spent <= found.budget.total and found.budget.reserved == 0
        # Every loss that a probe wrote is in the store, once; every attempt has one end.
        table = campaign.runs()
        assert not table.duplicated(["run", "tokens"]).any()
        # A run that was killed whenever it began has a row without a loss, and no file.
        for run, rows in table[table["loss_general"].notna()].groupby("run"):
            lines = (config.folder / str(run) / "losses.jsonl").read_text().splitlines()
            written = {one["tokens"]: one["loss_general"] for one in map(json.loads, lines)}
            assert dict(zip(rows["tokens"], rows["loss_general"], strict=True)) == written
        # Hidden: what was being written when a kill came.
        ends = [path.parent.name for path in config.folder.glob("*/attempts/[!.]*/command.json")]
        assert sorted(ends) == sorted(a.key for a in found.attempts if a.handle is not None)
        assert all(kills[k] >= n for k, n in LEAST.items()), kills


@pytest.mark.slow
def test_two_controllers_do_not_both_work(
    tmp_path: Path, campaign_file: Path, nursery: Nursery
) -> None:
    """The second is refused, or takes over and the first is; either way no run is begun twice.

    The leases of both engines are tested in test_controllers.py; here real controllers use one.
    The campaign is stopped once one is gone and a probe of the other has told a loss: fits are not
    what is looked at.
    """
    config = read_config(campaign_file)
    with open_store(tmp_path / "store.db") as store:
        campaign = Campaign.new(store, config)
        pids = [nursery.start(str(tmp_path / "store.db"), config.name) for _ in range(2)]
        while not (any(map(has_ended, pids)) and not campaign.runs().empty):
            assert not all(map(has_ended, pids))
            time.sleep(0.05)
        campaign.stop()
        codes = sorted(nursery.wait(pid) for pid in pids)
        assert codes == [0, 1]
        found = campaign.snapshot()
        assert found.state == "stopped"
        assert [check for check in audit(store, config.name) if check.status != "PASS"] == []
        made = [a for a in found.attempts if a.handle is not None]
        # One that is told to end before it listens has failed.
        assert made and {a.state for a in made} <= {"done", "stopped", "failed"}
        assert len({a.run for a in made}) == len(made)
