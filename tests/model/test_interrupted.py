"""A fit that is interrupted has no result."""

from __future__ import annotations

import signal

import pytest

import bayescmr as bc
from bayescmr import gu2024


def test_ctrl_c_ends_a_fit_and_leaves_no_draws() -> None:
    runs = bc.RunTable.from_frame(gu2024.trajectories(checkpoints=4), source="gu")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    # Far more draws than any machine makes in that time.
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            bc.fit(runs, seed=1, draws=300_000, chains=1, retries=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
