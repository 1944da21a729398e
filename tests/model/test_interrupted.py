"""A fit that is interrupted has no result."""

from __future__ import annotations

import signal
from types import FrameType

import pytest

import bayescmr as bc
from bayescmr import gu2024


def test_ctrl_c_while_chains_move_ends_the_fit_and_leaves_no_draws() -> None:
    runs = bc.RunTable.from_frame(gu2024.trajectories(checkpoints=4), source="gu")
    hits = 0

    def interrupt(_: int, frame: FrameType | None) -> None:
        nonlocal hits
        while frame is not None:
            if "nutpie" in frame.f_code.co_filename and frame.f_code.co_name == "wait":
                hits += 1
                raise KeyboardInterrupt
            frame = frame.f_back

    before = signal.signal(signal.SIGALRM, interrupt)
    # Far more draws than any machine makes between two alarms.
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            bc.fit(runs, seed=1, draws=200_000, chains=1, retries=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert hits == 1
