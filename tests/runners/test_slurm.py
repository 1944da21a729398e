"""SLURM, by submitit's local executor."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("submitit")

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import attempt_folder, claimant
from bayescmr.runners.slurm import SlurmRunner
from bayescmr.testing.runners import GOOD, RunnerConformance


class TestSlurmRunner(RunnerConformance):
    def make_runner(self, **parameters: object) -> SlurmRunner:
        return SlurmRunner(3, parameters, grace=0.5, beat=0.1, settle=0.2, cluster="local")

    def test_the_warning_of_slurm_is_a_stop(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        handle = self.start(runner, "k", tmp_path, GOOD)
        claimed = claimant(attempt_folder(tmp_path, "k"))
        assert claimed is not None
        os.kill(claimed["process"]["pid"], signal.SIGUSR2)
        status = self.wait_for_end(runner, handle)
        assert status.exit_code == 75 and "SIGUSR2" in status.reason

    def test_a_time_limit_of_the_batch_system_is_no_new_start(self, tmp_path: Path) -> None:
        """Submitit would run a job that it takes for preempted again; the campaign decides that."""
        # A limit of a minute; submitit's local executor warns 30 s before it unless told otherwise.
        delay = ["export SUBMITIT_LOCAL_SIGNAL_DELAY_S=59"]
        runner = self.make_runner(timeout_min=1, local_setup=delay)
        handle = self.start(runner, "k", tmp_path, f"echo >> count; {GOOD}")
        status = self.wait_for_end(runner, handle)
        assert status.exit_code == 75 and "SIGUSR2" in status.reason
        assert (tmp_path / "count").read_text() == "\n"


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
