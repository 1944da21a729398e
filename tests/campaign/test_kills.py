"""Whoever writes may be killed at any moment: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit

WORKER = Path(__file__).parent / "worker.py"
KILLS = 30


def test_thirty_kills_lose_nothing(url):
    with open_store(url) as store:
        store.create("law", {}, budget=1e15)
    done = subprocess.run(
        [sys.executable, str(WORKER), "killed", url, "law", str(KILLS), "1"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with open_store(url, create=False) as store:
        assert {check.status: check.value for check in audit(store, "law")}.keys() == {"PASS"}
        rounds, attempts = store.rounds("law"), store.attempts("law")
        # A worker does 8 writes on average before it is killed, a round takes 11.
        assert len(rounds) >= 10
        assert len(attempts) in (2 * len(rounds), 2 * (len(rounds) - 1))
        assert len({attempt.run for attempt in attempts}) == len(attempts)
        settled = [attempt for attempt in attempts if not attempt.is_open]
        budget = store.budget("law")
        assert budget.spent == pytest.approx(0.9e9 * len(settled))
        assert budget.reserved == pytest.approx(1e9 * (len(attempts) - len(settled)))
        frame = store.runs("law").set_index(["run", "tokens"])
        for attempt in settled:
            assert frame.loc[(attempt.run, 8192), "loss_general"] == 3.0 + attempt.seed / 1e6
        leases = [event for event in store.events("law") if event.kind == "acquired"]
        # Some were killed before they held anything.
        assert KILLS // 2 < len(leases) <= KILLS
