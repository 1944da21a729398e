"""Processes of this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import attempt_folder, claimant, prepare
from bayescmr.runners.base import Job
from bayescmr.runners.local import LocalRunner
from bayescmr.runners.processes import identity
from bayescmr.testing.runners import GOOD, RunnerConformance, shell


class TestLocalRunner(RunnerConformance):
    def make_runner(self) -> LocalRunner:
        return LocalRunner(slots=3, grace=3, beat=0.1)

    def controller(self, folder: Path, more: str = "") -> subprocess.Popen[str]:
        """A process of its own that submits a long job and prints its handle."""
        code = (
            "import json, os, sys; from pathlib import Path\n"
            "from bayescmr.runners.base import Job\n"
            "from bayescmr.runners.local import LocalRunner\n"
            "import bayescmr.runners.local as local\n"
            f"{more}\n"
            f"job = Job('k', {shell(f'echo >> count; {GOOD}')!r}, Path(sys.argv[1]))\n"
            "runner = LocalRunner(grace=3, beat=0.1)\n"
            "print(json.dumps(runner.submit(job)), flush=True)\n"
            "sys.stdin.read()\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def test_jobs_survive_a_killed_controller(self, tmp_path: Path) -> None:
        with self.controller(tmp_path) as controller:
            assert controller.stdout is not None
            handle = json.loads(controller.stdout.readline())
            self.wait((tmp_path / "ready").exists, "it has not begun")
            os.killpg(os.getpgid(controller.pid), 0)
            controller.kill()
        runner = self.make_runner()
        assert runner.poll(handle).state == "running"
        runner.stop(handle)
        assert self.wait_for_end(runner, handle).exit_code == 75

    @pytest.mark.parametrize(
        "moment",
        [
            "local.prepare = lambda *a, **k: os.kill(os.getpid(), 9)",
            "LocalRunner._start = lambda *a, **k: os.kill(os.getpid(), 9)",
            "begin = LocalRunner._start\n"
            "LocalRunner._start = lambda *a, **k: (begin(*a, **k), os.kill(os.getpid(), 9))",
        ],
        ids=["before the folder", "between folder and process", "after the process"],
    )
    def test_a_controller_killed_while_it_submits(self, tmp_path: Path, moment: str) -> None:
        """Whoever submits the key again gets it carried out, once."""
        with self.controller(tmp_path, moment) as controller:
            assert controller.communicate()[0] == ""
        assert controller.returncode == -signal.SIGKILL
        runner = self.make_runner()
        handle = runner.submit(Job("k", shell(f"echo >> count; {GOOD}"), tmp_path))
        self.wait((tmp_path / "ready").exists, "it has not begun")
        runner.stop(handle)
        assert self.wait_for_end(runner, handle).exit_code == 75
        assert (tmp_path / "count").read_text() == "\n"

    def test_many_controllers_submit_one_key_at_once(self, tmp_path: Path) -> None:
        controllers = [self.controller(tmp_path) for _ in range(4)]
        handles = []
        for controller in controllers:
            with controller:
                assert controller.stdout is not None
                handles.append(json.loads(controller.stdout.readline()))
                controller.kill()
        self.wait((tmp_path / "ready").exists, "it has not begun")
        runner = self.make_runner()
        assert {runner.poll(handle).state for handle in handles} == {"running"}
        runner.stop(handles[0])
        assert {self.wait_for_end(runner, h).exit_code for h in handles} == {75}
        assert (tmp_path / "count").read_text() == "\n"

    def test_a_process_killed_before_it_began(self, tmp_path: Path) -> None:
        """Lost, not pending for ever, and for good: nothing can begin it later."""
        runner = self.make_runner()
        job = Job("k", shell("touch harm"), tmp_path)
        prepare(job, grace=1, beat=1)
        with subprocess.Popen(["true"]) as gone:
            started = identity(gone.pid)
            gone.wait()
        handle = {"runner": "local", "folder": str(tmp_path), "key": "k", "gpus": []}
        assert runner.poll({**handle, "process": started}).state == "lost"
        assert self.wait_for_end(runner, runner.submit(job)).state == "lost"
        late = [sys.executable, "-m", "bayescmr.runners.wrapper", str(tmp_path), "k"]
        assert subprocess.run(late).returncode == 0
        assert not (tmp_path / "harm").exists()

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        folder = tmp_path / "run"
        handle = self.start(runner, "k", folder, "echo 1 > ready")
        assert self.wait_for_end(runner, handle).exit_code == 0
        shutil.rmtree(folder)
        assert self.wait_for_end(runner, handle).state == "lost"
        runner.stop(handle)
        assert not folder.exists()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"exit_code": "0", "reason": ""}'])
    def test_a_file_changed_by_hand_is_named(self, tmp_path: Path, text: str) -> None:
        runner = self.make_runner()
        handle = runner.submit(Job("k", shell("exit 0"), tmp_path))
        self.wait_for_end(runner, handle)
        (attempt_folder(tmp_path, "k") / "exit.json").write_text(text)
        with pytest.raises(CampaignError, match=r"attempts/k/exit\.json: "):
            runner.poll(handle)

    def test_a_stop_before_the_beginning(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        job = Job("k", shell("touch harm"), tmp_path)
        prepare(job, grace=1, beat=1)
        runner.stop({"folder": str(tmp_path), "key": "k"})
        status = self.wait_for_end(runner, runner.submit(job))
        assert (status.exit_code, status.reason) == (75, "stopped before it began")
        assert not (tmp_path / "harm").exists()

    def test_gpus_are_handed_out_once_and_freed(self, tmp_path: Path) -> None:
        text = 'echo "$CUDA_VISIBLE_DEVICES" > gpus; ' + GOOD

        def runner() -> LocalRunner:
            return LocalRunner(slots=3, gpus=["0", "2", "5"], grace=3, beat=0.1)

        first = runner()
        pair = self.start(first, "a", tmp_path / "a", text, gpus=2)
        assert (tmp_path / "a" / "gpus").read_text().strip() == "0,2"
        none = self.start(first, "c", tmp_path / "c", text, gpus=0)
        assert (tmp_path / "c" / "gpus").read_text().strip() == ""
        with pytest.raises(CampaignError, match="gpus: got 2, but of 0, 2, 5 only 1 are free"):
            first.submit(Job("b", shell(text), tmp_path / "b", gpus=2))
        # A controller that is started again first asks for what is open.
        second = runner()
        assert {second.poll(handle).state for handle in (pair, none)} == {"running"}
        single = self.start(second, "b", tmp_path / "b", text, gpus=1)
        assert (tmp_path / "b" / "gpus").read_text().strip() == "5"
        with pytest.raises(CampaignError, match="all 3 slots are taken"):
            second.submit(Job("d", shell(text), tmp_path / "d"))
        second.stop(pair)
        self.wait_for_end(second, pair)
        again = self.start(second, "d", tmp_path / "d", text, gpus=1)
        assert (tmp_path / "d" / "gpus").read_text().strip() == "0"
        for handle in (none, single, again):
            second.stop(handle)
            assert self.wait_for_end(second, handle).exit_code == 75

    def test_a_number_that_another_process_has_got_is_not_mistaken(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        handle = self.start(runner, "k", tmp_path, GOOD)
        file = attempt_folder(tmp_path, "k") / "claim" / "process.json"
        claimed = claimant(attempt_folder(tmp_path, "k"))
        assert claimed is not None
        # The number now is that of this test, which has another start.
        other = {**claimed, "process": {**claimed["process"], "pid": os.getpid()}}
        file.write_text(json.dumps(other))
        assert runner.poll(handle).state == "lost"
        file.write_text(json.dumps(claimed))
        runner.stop(handle)
        self.wait_for_end(runner, handle)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slots": 0}, "slots: got 0"),
        ({"gpus": ["0", "0"]}, "each once"),
        ({"gpus": "01"}, "expected a list"),
        ({"grace": 0}, "seconds > 0"),
    ],
)
def test_wrong_options(options, words):
    with pytest.raises(CampaignError, match=words):
        LocalRunner(**options)


def test_the_wrapper_is_light():
    """It stands beside every probe: no numpy, no pandas, no torch."""
    code = "import sys, bayescmr.runners.wrapper; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "torch", "pydantic", "typer"} & set(done.stdout.split())
