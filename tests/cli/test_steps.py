"""What is told of long work: lines where nobody looks, the time left on a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from bayescmr.cli import steps
from bayescmr.comparison.steps import Step


def test_a_step_is_a_line_that_knows_how_many_follow() -> None:
    assert (Step("refit 1 of 3", 2), Step("refit 1 of 3", 2).left) == ("refit 1 of 3", 2)
    assert Step("fit").left == 0


def test_piped_each_step_is_a_line_on_stderr(capsys) -> None:
    with steps.telling_steps() as tell:
        tell(Step("refit 1 of 2", 1))
    out = capsys.readouterr()
    assert (out.out, out.err) == ("", "refit 1 of 2\n")


def test_time_left_is_that_of_like_steps(monkeypatch) -> None:
    monkeypatch.setattr(steps.time, "monotonic", lambda: 110.0)
    assert steps.time_left(0, 5, 100.0) == ""
    assert steps.time_left(2, 3, 100.0) == "about 20 s left"
    assert steps.time_left(1, 59, 100.0) == "about 10 min left"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("no_color", [False, True])
def test_a_terminal_shows_a_bar_with_the_time_left_and_colours_unless_told_not(no_color) -> None:
    import pty

    code = (
        "import time\n"
        "from bayescmr.cli.output import stderr\n"
        "from bayescmr.cli.steps import telling_steps\n"
        "from bayescmr.comparison.steps import Step\n"
        "with telling_steps() as tell:\n"
        "    for i in range(3): tell(Step(f'refit {i + 1} of 3', 2 - i)); time.sleep(0.15)\n"
        "stderr().print('red', style='bold red')\n"
    )
    master, slave = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "CI", "TERM")}
    env |= {"TERM": "xterm-256color", "COLUMNS": "100"} | ({"NO_COLOR": "1"} if no_color else {})
    child = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        shown += piece
    assert child.wait() == 0
    os.close(master)
    text = shown.decode()
    assert "refit 3 of 3" in text
    assert re.search(r"about \d+ s left", text)
    colours = re.findall(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;5;\d+)m", text)
    assert bool(colours) is not no_color
