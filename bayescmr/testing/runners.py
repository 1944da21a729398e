"""Conformance suite for runners: subclass :class:`RunnerConformance`, run pytest.

The suite ships with the package so that a runner written elsewhere is held to the same contract as
ours::

    from bayescmr.testing.runners import RunnerConformance

    class TestMyRunner(RunnerConformance):
        def make_runner(self):
            return MyRunner(slots=2)

Jobs are small commands of the shell. Every wait is for something that must happen, with a limit
that only a failure reaches.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bayescmr.errors import CampaignError
from bayescmr.runners.attempt import attempt_folder, claimant
from bayescmr.runners.base import Job, Runner, Status

#: Notes its process, saves when it is told to end.
GOOD = "trap 'exit 75' TERM; echo $$ > ready; while :; do sleep 0.05; done"
#: Will not end.
DEAF = "trap '' TERM; echo $$ > ready; while :; do sleep 0.05; done"


def shell(text: str) -> tuple[str, ...]:
    """Return the command that lets a shell do something."""
    return ("sh", "-c", text)


class RunnerConformance(ABC):
    """What every runner must do. Subclass as ``class TestX(RunnerConformance)``.

    Attributes
    ----------
    patience : float
        Seconds after which a wait counts as failed.
    """

    patience: float = 120.0

    @abstractmethod
    def make_runner(self) -> Runner:
        """Return a runner with at least two slots that gives a stopped job at most some seconds.

        Another one is made where a test plays a controller that was started again.
        """

    def wait(self, happened: Callable[[], Any], what: str) -> Any:
        """Wait until ``happened`` returns something true, and return it."""
        until = time.monotonic() + self.patience
        while not (value := happened()):
            assert time.monotonic() < until, f"waited {self.patience} s: {what}"
            time.sleep(0.02)
        return value

    def wait_for_end(self, runner: Runner, handle: Mapping[str, Any]) -> Status:
        """Wait until a job is no more, and return how it stands then."""
        seen: list[Status] = []

        def over() -> bool:
            seen.append(runner.poll(handle))
            return seen[-1].state in ("ended", "lost")

        self.wait(over, f"job {handle} is still {seen and seen[-1]}")
        return seen[-1]

    def start(self, runner: Runner, key: str, folder: Path, text: str, **more: Any) -> Any:
        """Submit a command of the shell, and wait until it has written ``ready``."""
        folder.mkdir(parents=True, exist_ok=True)
        handle = runner.submit(Job(key, shell(text), folder, **more))
        self.wait(lambda: _number(folder / "ready"), f"{key} has not begun: {runner.poll(handle)}")
        return handle

    # -- endings ----------------------------------------------------------------------------

    def test_exit_codes_are_those_of_the_command(self, tmp_path: Path) -> None:
        """Reached, stopped, diverged, failed; the reason of a failure is what it said last."""
        runner = self.make_runner()
        for code in (0, 75, 4, 3):
            folder = tmp_path / f"exit-{code}"
            folder.mkdir()
            job = Job(f"code-{code}", shell(f"echo trouble {code} >&2; exit {code}"), folder)
            status = self.wait_for_end(runner, runner.submit(job))
            assert (status.state, status.exit_code) == ("ended", code)
            assert code == 0 or f"trouble {code}" in status.reason
        runner.close()

    def test_a_signal_is_a_negative_exit_code(self, tmp_path: Path) -> None:
        """As Python's subprocess has it."""
        runner = self.make_runner()
        handle = runner.submit(Job("shot", shell("kill -KILL $$"), tmp_path))
        status = self.wait_for_end(runner, handle)
        assert (status.state, status.exit_code) == ("ended", -signal.SIGKILL)
        assert "SIGKILL" in status.reason
        runner.close()

    def test_a_command_that_does_not_exist(self, tmp_path: Path) -> None:
        """It ends with the shell's exit code, and is named."""
        runner = self.make_runner()
        status = self.wait_for_end(runner, runner.submit(Job("none", ("no-such-x",), tmp_path)))
        assert (status.state, status.exit_code) == ("ended", 127)
        assert "no-such-x" in status.reason
        runner.close()

    def test_megabytes_of_rubbish(self, tmp_path: Path) -> None:
        """Output is kept in files, and only its end is a reason."""
        runner = self.make_runner()
        code = (
            "import sys, os; os.write(2, os.urandom(4_000_000)); os.write(1, b'\\0' * 4_000_000);"
            "sys.exit('the last word')"
        )
        handle = runner.submit(Job("loud", (sys.executable, "-c", code), tmp_path))
        status = self.wait_for_end(runner, handle)
        assert (status.state, status.exit_code) == ("ended", 1)
        assert status.reason.endswith("the last word") and len(status.reason) < 10_000
        runner.close()

    # -- what a command sees ----------------------------------------------------------------

    def test_odd_names_and_variables(self, tmp_path: Path) -> None:
        """Words, folders and variables reach the command as they are."""
        runner = self.make_runner()
        folder = tmp_path / "größe 0,25 $HOME 'x'"
        folder.mkdir()
        word = "a b; $c 'd' \"e\" ü"
        command = ("sh", "-c", 'pwd > where; printf %s "$1" > word; printf %s "$V" > v', "-", word)
        handle = runner.submit(Job("odd", command, folder, environment={"V": word}))
        assert self.wait_for_end(runner, handle).exit_code == 0
        assert (folder / "where").read_text().strip() == str(folder)
        assert (folder / "word").read_text() == word == (folder / "v").read_text()
        runner.close()

    def test_ill_formed_jobs_are_refused(self, tmp_path: Path) -> None:
        """Nothing is started, and the message says what was got."""
        runner = self.make_runner()
        for job, word in (
            (Job("../up", ("true",), tmp_path), "'../up'"),
            (Job("k", ("true",), Path("relative")), "'relative'"),
            (Job("k", (), tmp_path), "command: got ()"),
        ):
            try:
                runner.submit(job)
            except CampaignError as error:
                assert word in str(error)
            else:
                raise AssertionError(f"{job} was taken")
        runner.close()

    # -- once -------------------------------------------------------------------------------

    def test_a_key_is_carried_out_once(self, tmp_path: Path) -> None:
        """Submitting it again, by another runner, under way or ended, starts nothing."""
        runner = self.make_runner()
        job = Job("once", shell(f"echo >> count; {GOOD}"), tmp_path)
        first = runner.submit(job)
        again = [runner.submit(job), self.make_runner().submit(job)]
        self.wait(lambda: _number(tmp_path / "ready"), "it has not begun")
        runner.stop(first)
        again.append(runner.submit(job))
        for handle in (first, *again):
            assert self.wait_for_end(runner, handle).exit_code == 75
        assert self.wait_for_end(runner, runner.submit(job)).exit_code == 75
        assert (tmp_path / "count").read_text() == "\n"
        runner.close()

    def test_a_handle_is_plain_data_that_outlives_the_runner(self, tmp_path: Path) -> None:
        """A controller that is started again asks with what its store holds."""
        first = self.make_runner()
        handle = self.start(first, "long", tmp_path, GOOD)
        first.close()
        again = json.loads(json.dumps(handle))
        assert again == handle
        runner = self.make_runner()
        assert runner.poll(again).state == "running"
        runner.stop(again)
        assert self.wait_for_end(runner, again).exit_code == 75
        runner.close()

    def test_two_attempts_of_one_run_are_never_at_once(self, tmp_path: Path) -> None:
        """The second does nothing, and says that it may be tried again."""
        runner = self.make_runner()
        first = self.start(runner, "first", tmp_path, GOOD)
        second = runner.submit(Job("second", shell("touch harm"), tmp_path))
        status = self.wait_for_end(runner, second)
        assert status.exit_code == 75 and "another attempt" in status.reason
        assert not (tmp_path / "harm").exists()
        assert runner.poll(first).state == "running"
        runner.stop(first)
        assert self.wait_for_end(runner, first).exit_code == 75
        third = runner.submit(Job("third", shell("touch good"), tmp_path))
        assert self.wait_for_end(runner, third).exit_code == 0
        assert (tmp_path / "good").exists()
        runner.close()

    # -- life and death ---------------------------------------------------------------------

    def test_beats_grow(self, tmp_path: Path) -> None:
        """While a job lives, a number grows."""
        runner = self.make_runner()
        handle = self.start(runner, "alive", tmp_path, GOOD)
        seen = runner.poll(handle).beats
        self.wait(lambda: runner.poll(handle).beats > seen, "no sign of life")
        runner.stop(handle)
        assert self.wait_for_end(runner, handle).exit_code == 75
        runner.stop(handle)
        assert runner.poll(handle).exit_code == 75
        runner.close()

    def test_a_command_that_ignores_the_stop_is_killed(self, tmp_path: Path) -> None:
        """After the grace period, with all that it started."""
        runner = self.make_runner()
        handle = self.start(runner, "deaf", tmp_path, DEAF)
        runner.stop(handle)
        status = self.wait_for_end(runner, handle)
        assert (status.state, status.exit_code) == ("ended", -signal.SIGKILL)
        assert "ignored SIGTERM" in status.reason
        assert not _runs(_number(tmp_path / "ready"))
        runner.close()

    def test_a_time_limit_is_a_stop(self, tmp_path: Path) -> None:
        """It may save, if it has come so far as to listen."""
        runner = self.make_runner()
        handle = runner.submit(Job("limited", shell(GOOD), tmp_path, minutes=0.01))
        status = self.wait_for_end(runner, handle)
        assert status.exit_code in (75, -signal.SIGTERM) and "0.01 minutes" in status.reason
        runner.close()

    def test_the_warning_of_slurm_does_not_reach_a_command_that_does_not_know_it(
        self, tmp_path: Path
    ) -> None:
        """SLURM sends it to every process of a job; it ends those that have no handler."""
        runner = self.make_runner()
        handle = self.start(runner, "warned", tmp_path, GOOD)
        os.kill(_number(tmp_path / "ready"), signal.SIGUSR2)
        runner.stop(handle)
        assert self.wait_for_end(runner, handle).exit_code == 75
        runner.close()

    def test_what_a_command_leaves_behind_ends_with_it(self, tmp_path: Path) -> None:
        """Also what it started in a session of its own."""
        runner = self.make_runner()
        handle = runner.submit(
            Job(
                "parent",
                shell(
                    "setsid sh -c 'echo $$ > ready; sleep 1000' &"
                    " while [ ! -s ready ]; do sleep 0.1; done"
                ),
                tmp_path,
            )
        )
        assert self.wait_for_end(runner, handle).exit_code == 0
        pid = _number(tmp_path / "ready")
        assert pid
        self.wait(lambda: not _runs(pid), "it goes on behind its command")
        runner.close()

    def test_a_killed_wrapper_takes_its_command_along(self, tmp_path: Path) -> None:
        """The job is never under way for ever, and no orphan trains on."""
        runner = self.make_runner()
        handle = self.start(runner, "killed", tmp_path, GOOD)
        claimed = claimant(attempt_folder(tmp_path, "killed"))
        assert claimed is not None
        os.kill(claimed["process"]["pid"], signal.SIGKILL)
        assert self.wait_for_end(runner, handle).state == "lost"
        pid = _number(tmp_path / "ready")
        self.wait(lambda: not _runs(pid), "its command goes on")
        # It is not begun again, and another attempt of the run can go on.
        (tmp_path / "ready").unlink()
        again = runner.submit(Job("killed", shell(GOOD), tmp_path))
        assert self.wait_for_end(runner, again).state == "lost"
        assert not (tmp_path / "ready").exists()
        other = runner.submit(Job("next", shell("exit 0"), tmp_path))
        assert self.wait_for_end(runner, other).exit_code == 0
        runner.close()

    # -- slots ------------------------------------------------------------------------------

    def test_slots_work_side_by_side(self, tmp_path: Path) -> None:
        """So many jobs as there are slots are under way at once: each waits for all others."""
        runner = self.make_runner()
        assert runner.slots >= 2
        number = min(runner.slots, 3)
        folders = [tmp_path / str(i) for i in range(number)]
        for folder in folders:
            folder.mkdir()
        text = f"touch ready; while [ $(ls ../*/ready | wc -l) -lt {number} ]; do sleep 0.02; done"
        handles = [runner.submit(Job(f"job-{f.name}", shell(text), f)) for f in folders]
        assert [self.wait_for_end(runner, handle).exit_code for handle in handles] == [0] * number
        runner.close()


def _number(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except FileNotFoundError:
        return 0


def _runs(pid: int) -> bool:
    from bayescmr.runners.processes import identity

    return identity(pid) is not None
