"""A real Ray cluster of two nodes on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

import ray
from ray.cluster_utils import Cluster

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import attempt_folder, claimant
from bayescmr.runners.base import Job
from bayescmr.runners.ray import RayRunner
from bayescmr.testing.runners import GOOD, RunnerConformance, shell

pytestmark = pytest.mark.slow


def started() -> Cluster:
    # A node that refuses connections counts as dead in seconds, not minutes.
    system = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500}
    head = {"num_cpus": 3, "include_dashboard": False, "_system_config": system}
    for left in (2, 1, 0):
        try:
            made = Cluster(initialize_head=True, head_node_args=head)
            made.add_node(num_cpus=3, resources={"second": 3})
            return made
        except Exception as error:
            # Ray gives a node half a minute, which a machine that does much else may exceed.
            if "timed out during startup" not in str(error) or not left:
                raise
    raise AssertionError


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[Cluster]:
    made = started()
    ray.init(made.address, namespace="test", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


class TestRayRunner(RunnerConformance):
    def make_runner(self, **more: Any) -> RayRunner:
        return RayRunner(3, grace=3, beat=0.1, settle=0.5, **more)

    def test_more_jobs_than_resources_wait(self, tmp_path: Path) -> None:
        """One that waits is stopped before it begins."""
        runner = self.make_runner(resources={"second": 3})
        first = self.start(runner, "first", tmp_path / "first", GOOD)
        (tmp_path / "second").mkdir()
        job = Job("second", shell("touch harm"), tmp_path / "second")
        second = runner.submit(job)
        assert runner.poll(second).state == "pending"
        assert runner.submit(job) == second
        runner.stop(second)
        status = self.wait_for_end(runner, second)
        assert (status.exit_code, status.reason) == (75, "stopped before it began")
        runner.stop(first)
        assert self.wait_for_end(runner, first).exit_code == 75
        assert not (tmp_path / "second" / "harm").exists()

    def test_jobs_survive_a_killed_controller(self, tmp_path: Path, cluster: Cluster) -> None:
        """Also one that still waits for its resources."""
        code = (
            "import json, sys; from pathlib import Path\n"
            "from bayescmr.runners.base import Job\n"
            "from bayescmr.runners.ray import RayRunner\n"
            "runner = RayRunner(grace=3, beat=0.1, resources={'second': 3})\n"
            "for key in 'ab':\n"
            "    folder = Path(sys.argv[1]) / key; folder.mkdir()\n"
            f"    print(json.dumps(runner.submit(Job(key, {shell(GOOD)!r}, folder))), flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            env={**os.environ, "RAY_ADDRESS": cluster.address},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as controller:  # fmt: skip
            assert controller.stdout is not None
            handles = [json.loads(controller.stdout.readline()) for _ in "ab"]
            self.wait((tmp_path / "a" / "ready").exists, "it has not begun")
            controller.kill()
        runner = self.make_runner()
        assert [runner.poll(handle).state for handle in handles] == ["running", "pending"]
        for key, handle in zip("ab", handles, strict=True):
            self.wait((tmp_path / key / "ready").exists, "it has not begun")
            runner.stop(handle)
            assert self.wait_for_end(runner, handle).exit_code == 75

    def test_a_lost_actor_is_lost_or_has_saved(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        handle = self.start(runner, "k", tmp_path, GOOD)
        claimed = claimant(attempt_folder(tmp_path, "k"))
        assert claimed is not None
        parent = int(Path(f"/proc/{claimed['process']['pid']}/stat").read_text().split()[3])
        os.kill(parent, signal.SIGKILL)
        status = self.wait_for_end(runner, handle)
        # Ray ends what a worker leaves behind: the wrapper may still write how it ended, or not.
        saved = status.exit_code == 75 and "stopped" in status.reason
        assert saved or status.state == "lost"

    def test_a_lost_node_is_a_lost_job(self, tmp_path: Path, cluster: Cluster) -> None:
        node = cluster.add_node(num_cpus=1, resources={"third": 1})
        runner = self.make_runner(resources={"third": 1})
        handle = self.start(runner, "k", tmp_path, GOOD)
        claimed = claimant(attempt_folder(tmp_path, "k"))
        assert claimed is not None
        # A machine that is gone writes nothing: the wrapper goes first.
        os.kill(claimed["process"]["pid"], signal.SIGKILL)
        cluster.remove_node(node, allow_graceful=False)
        assert self.wait_for_end(runner, handle).state == "lost"


def test_no_cluster_is_one_line(monkeypatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(CampaignError, match=r"no cluster at '127\.0\.0\.1:1'.*RAY_ADDRESS"):
        RayRunner(address="127.0.0.1:1").submit(Job("k", ("true",), Path("/tmp")))


@pytest.mark.parametrize(
    ("options", "words"), [({"slots": 0}, "slots: got 0"), ({"beat": 0}, "seconds > 0")]
)
def test_wrong_options(options, words):
    with pytest.raises(CampaignError, match=words):
        RayRunner(**options)
