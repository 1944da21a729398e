"""One controller at a time, whatever clocks, kills and slowness do."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit
from bayescmr.errors import CampaignError

WORKER = Path(__file__).parent / "worker.py"


def worker(*words):
    """Run worker.py to its end."""
    return subprocess.run(
        [sys.executable, str(WORKER), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_second_controller_is_refused_while_the_first_beats(store, campaign):
    stop, beating = threading.Event(), threading.Event()

    def beat():
        while not stop.is_set():
            campaign.lease.beat()
            beating.set()
            stop.wait(0.01)

    thread = threading.Thread(target=beat)
    thread.start()
    beating.wait(60)
    try:
        # A minute is far more than a beat takes on any machine: it is refused at the next beat.
        with pytest.raises(CampaignError, match="first controller is at work on it, and only one"):
            store.acquire("law", "second controller", 60.0)
    finally:
        stop.set()
        thread.join()
    assert [event.kind for event in store.events("law")] == ["created", "acquired"]


def test_a_killed_holder_is_replaced(url, store, campaign):
    campaign.lease.release()
    assert worker("hold", url, "law").returncode == -signal.SIGKILL
    lease = store.acquire("law", "second controller", 0.2)
    told = store.events("law")[-1].content
    assert told == {"holder": "second controller", "token": 3, "taken_from": "holder"}
    lease.beat()


def test_a_released_lease_is_free_at_once(store, campaign):
    campaign.lease.release()
    with store.acquire("law", "second controller", 3600.0) as lease:
        assert lease.token == 2
    store.acquire("law", "third controller", 3600.0).release()
    assert [event.kind for event in store.events("law")][-2:] == ["acquired", "released"]


def test_one_that_lets_go_while_another_waits_hands_over(store, campaign):
    release = threading.Timer(0.3, campaign.lease.release)
    release.start()
    assert store.acquire("law", "second controller", 3600.0).token == 2
    release.join()


def test_what_an_old_holder_writes_is_refused(store, campaign):
    campaign.round()
    campaign.reserve()
    old = campaign.lease
    new = store.acquire("law", "second controller", 0.0)
    before = store.events("law"), store.attempts("law")
    for write in (
        lambda: campaign.round(2),
        lambda: campaign.reserve(campaign.new("bbbbbbbbbbbb")),
        lambda: campaign.submitted("aaaaaaaaaaaa-1"),
        lambda: store.beat("aaaaaaaaaaaa-1", old, 5),
        lambda: campaign.losses(),
        lambda: campaign.settle("aaaaaaaaaaaa-1"),
        old.beat,
    ):
        with pytest.raises(CampaignError, match="this controller no longer holds it"):
            write()
    old.release()  # lets go of nothing
    assert (store.events("law"), store.attempts("law")) == before
    campaign.lease = new
    campaign.submitted("aaaaaaaaaaaa-1")
    assert {check.status for check in audit(store, "law")} == {"PASS"}


def test_a_released_lease_is_of_no_more_use(store, campaign):
    campaign.lease.release()
    with pytest.raises(CampaignError, match=r"no longer holds it .nobody does"):
        campaign.round()
    with pytest.raises(CampaignError, match="no longer holds it"):
        campaign.lease.beat()


def test_of_many_that_wait_for_a_dead_holder_one_takes_over(url, store, campaign):
    with open_store(url) as other:
        taken, refused = [], []

        def take(who, opened):
            try:
                taken.append(opened.acquire("law", who, 0.3))
            except CampaignError as error:
                refused.append(str(error))

        threads = [
            threading.Thread(target=take, args=(f"controller {i}", (store, other)[i % 2]))
            for i in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # None beats: one that came late may have waited for the next holder in turn.
        assert len(taken) + len(refused) == 6 and taken
        tokens = sorted(lease.token for lease in taken)
        assert tokens == list(range(2, 2 + len(taken)))
        live = [lease for lease in taken if lease.token == tokens[-1]]
        for lease in taken:
            if lease not in live:
                with pytest.raises(CampaignError, match="no longer holds it"):
                    lease.beat()
        live[0].beat()


def test_two_processes_never_overspend_one_budget(url, store, campaign):
    campaign.round()
    store.set_budget("law", 25e9)
    # Each wants 20 attempts of 1e9 FLOPs.
    done = worker("spend", url, "law", campaign.lease.token, 20)
    assert done.returncode == 0, done.stderr
    whose = [attempt.run[0] for attempt in store.attempts("law")]
    assert len(whose) == 25 and set(whose) == {"1", "2"}
    assert store.budget("law").reserved == 25e9
    assert {check.status for check in audit(store, "law")} == {"PASS"}


def test_many_processes_may_open_a_new_store_at_once(url):
    done = worker("open", url, 6)
    assert done.returncode == 0, done.stderr
    with open_store(url, create=False) as store:
        assert store.campaigns() == [f"number-{i}" for i in range(6)]
