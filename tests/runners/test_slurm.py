"""SLURM, by submitit's local executor; and on a real one, where there is one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("submitit")

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import attempt_folder, claimant
from bayescmr.runners.base import Job
from bayescmr.runners.slurm import SlurmRunner
from bayescmr.testing.runners import GOOD, RunnerConformance, shell

pytestmark = pytest.mark.slow


class TestSlurmRunner(RunnerConformance):
    def make_runner(self, **parameters: object) -> SlurmRunner:
        return SlurmRunner(3, parameters, grace=3, beat=0.1, settle=0.2, cluster="local")

    def test_the_warning_of_slurm_is_a_stop(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        handle = self.start(runner, "k", tmp_path, GOOD)
        claimed = claimant(attempt_folder(tmp_path, "k"))
        assert claimed is not None
        os.kill(claimed["process"]["pid"], signal.SIGUSR2)
        status = self.wait_for_end(runner, handle)
        assert status.exit_code == 75 and "SIGUSR2" in status.reason


@pytest.fixture(scope="class")
def _slurm() -> None:
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        pytest.skip("no SLURM here (sinfo): only submitit's local executor was tested")


@pytest.mark.usefixtures("_slurm")
class TestOnSlurm(RunnerConformance):
    """On a cluster of one node or more, in its default partition."""

    def make_runner(self, **parameters: object) -> SlurmRunner:
        return SlurmRunner(3, parameters, grace=3, beat=0.1, settle=0.5)

    def test_a_job_that_waits_is_taken_back(self, tmp_path: Path) -> None:
        """Also one that was submitted twice, for the answer to the first was lost."""
        runner = self.make_runner()
        (tmp_path / "harm").mkdir()
        job = Job("k", shell("touch harm"), tmp_path / "harm", minutes=1)
        held = self.make_runner(slurm_additional_parameters={"hold": True})
        handles = [held.submit(job), held.submit(job)]
        assert handles[0]["job"] != handles[1]["job"]
        assert [runner.poll(handle).state for handle in handles] == ["pending"] * 2
        for handle in handles:
            runner.stop(handle)
        for handle in handles:
            status = self.wait_for_end(runner, handle)
            assert (status.exit_code, status.reason) == (75, "stopped before it began")
        assert not any((tmp_path / "harm").glob("harm"))

    def test_the_time_limit_of_slurm(self, tmp_path: Path) -> None:
        runner = self.make_runner(slurm_time=1, slurm_signal_delay_s=45)
        handle = self.start(runner, "k", tmp_path, GOOD)
        status = self.wait_for_end(runner, handle)
        assert status.exit_code == 75 and "SIGUSR2" in status.reason

    def test_a_job_that_an_administrator_takes_away(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        handle = self.start(runner, "k", tmp_path, GOOD)
        subprocess.run(["scancel", handle["job"]], check=True)
        assert self.wait_for_end(runner, handle).exit_code == 75

    def test_what_slurm_refuses_is_one_line(self, tmp_path: Path) -> None:
        runner = self.make_runner(slurm_partition="no-such-x")
        with pytest.raises(CampaignError, match=r"job k: SLURM refuses it: .*no-such-x"):
            runner.submit(Job("k", ("true",), tmp_path))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"slurm_partitio": "gpu"}, "Unknown argument 'partitio' for executor 'slurm'"),
        ({"timeout_min": "long"}, "timeout_min.* expected type"),
        ({"partition": "gpu"}, "Use 'slurm_partition' instead"),
    ],
)
def test_wrong_parameters_are_named_before_anything_is_submitted(parameters, words):
    with pytest.raises(CampaignError, match=f"runner slurm: .*{words}"):
        SlurmRunner(parameters=parameters, cluster="local")


def test_without_slurm(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CampaignError, match='Could not detect "srun"'):
        SlurmRunner()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"slots": 0}, "slots: got 0"), ({"grace": 0}, "seconds > 0"), ({"cluster": "x"}, "got 'x'")],
)
def test_wrong_options(options, words):
    with pytest.raises(CampaignError, match=words):
        SlurmRunner(**options)
