"""From losses to the next runs: asked and told from Python, interrupted, reviewed. Real fits.

In one file, so that the model is compiled once.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bayescmr.campaign import open_store
from bayescmr.campaign.campaign import Campaign
from bayescmr.campaign.config import read_config
from bayescmr.campaign.controller import Controller
from bayescmr.campaign.desk import Desk
from bayescmr.campaign.recording import INITIAL, REVIEW, first_round
from bayescmr.campaign.store import Store
from bayescmr.design.outlook import Candidate
from bayescmr.errors import CampaignError
from bayescmr.planning.initial import First
from bayescmr.runners.base import Job, Status
from bayescmr.worlds.simulated import prior_world

MARKS = tuple(16384 * 2**k for k in range(6))
#: Loose, so that the first fit meets it.
CONFIG = f"""
name: toy
target: {{size: 300000, domain: law, tokens: {MARKS[-1]}, tolerance: 0.05}}
budget: 2.0e13
exploration: 0
batch: 2
space:
  sizes: [20000, 100000, 300000]
  ratios: [0, 0.25, 0.5, 0.75, 1]
  tokens: {MARKS[-1]}
  checkpoints: {list(MARKS)}
  cost: {{evaluation_tokens: 60000, setup: 1.0e9}}
stop: {{width: 0.99}}
"""


OPENED: list[Store] = []


def begin(folder: Path, text: str = CONFIG) -> Campaign:
    folder.mkdir(exist_ok=True)
    (folder / "campaign.yaml").write_text(text, encoding="utf-8")
    OPENED.append(open_store(folder / "store.db"))
    return Campaign.new(OPENED[-1], folder / "campaign.yaml")


@pytest.fixture(scope="module", autouse=True)
def _closing():
    """Close what :func:`begin` opened."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world whose CMR is 0.73, and of which a fit of five runs converges."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "campaign.yaml").write_text(CONFIG, encoding="utf-8")
    config = read_config(folder / "campaign.yaml")
    return prior_world(config.space, config.target, "turning_point", 5)


def losses_of(world, size, ratio, seed, until):
    rows = [{"tokens": 0, "loss_general": 3.0}]
    for tokens, change in zip(MARKS, world.losses(size, ratio, seed), strict=True):
        if tokens <= until:
            rows.append({"tokens": tokens, "loss_general": 3.0 + float(change)})
    return rows


def told(campaign, world, attempts):
    for a in attempts:
        campaign.tell(a.run, losses_of(world, a.size, a.ratio, a.seed, a.until))


class Killed(Exception):
    """The process is gone."""


def play(folder, world, *, kill: bool) -> Campaign:
    """First runs, a fit, the same again, a loss, a fit; killed between round and reserve."""
    campaign = begin(folder)
    first = campaign.ask(1)
    # What was asked for is waited for, and nothing is fitted.
    assert campaign.ask(1) == []
    assert len(campaign.snapshot().rounds) == 1
    told(campaign, world, first)
    if kill:
        real = campaign.store.reserve

        def dies(*words):
            raise Killed

        campaign.store.reserve = dies
        with pytest.raises(Killed):
            campaign.ask(1)
        campaign.store.reserve = real
        assert len(campaign.snapshot().rounds) == 2
        assert all(not a.is_open for a in campaign.snapshot().attempts)
    one = campaign.ask(1)
    assert len(one) == 1 and one[0].round == 2
    campaign.ask(1)
    told(campaign, world, one)
    campaign.ask(1)
    return campaign


@pytest.fixture(scope="module")
def played(tmp_path_factory, world):
    return play(tmp_path_factory.mktemp("played") / "one", world, kill=False)


@pytest.fixture(scope="module")
def killed(tmp_path_factory, world):
    return play(tmp_path_factory.mktemp("killed") / "another", world, kill=True)


def test_the_first_runs_need_no_fit(played):
    first = played.snapshot().rounds[0]
    assert first.policy == INITIAL and not first.posterior
    assert len(first.chosen) == 5


def test_same_losses_same_picks_bit_for_bit_also_after_a_kill(played, killed):
    ours, theirs = played.snapshot(), killed.snapshot()
    assert len(ours.rounds) == len(theirs.rounds) == 4
    for one, other in zip(ours.rounds, theirs.rounds, strict=True):
        assert one.posterior == other.posterior
        assert one.decision == other.decision
        assert one.chosen == other.chosen
        assert one.fingerprint == other.fingerprint
        options = [c.store.options("toy", one.number) for c in (played, killed)]
        pd.testing.assert_frame_equal(*options, check_exact=True)
    assert [a.key for a in ours.attempts] == [a.key for a in theirs.attempts]
    assert ours.budget == theirs.budget


def hits(row):
    return {f["reason"]: f["hits"] for f in row.decision["findings"]}["precision"]


def test_the_same_table_gives_no_second_hit(played):
    """The rule is met at once; a second round on the same losses is no second fit."""
    _, fit, again, later = played.snapshot().rounds
    assert fit.decision["counts"]
    assert again.fingerprint == fit.fingerprint != later.fingerprint
    assert again.posterior["cmr"] == fit.posterior["cmr"]
    assert (hits(fit), hits(again), hits(later)) == (1, 1, 2)


def test_a_pick_under_way_is_not_picked_again(played):
    rounds = played.snapshot().rounds
    runs = [part.run for row in rounds[1:3] for pick in row.chosen for part in pick.parts]
    assert len(runs) == len(set(runs))


def test_every_probe_is_judged_by_the_fit_before(played):
    """One value for each checkpoint of the run of round 2, unless too few draws were left."""
    rounds = played.snapshot().rounds
    pit = [row.posterior["pit"] for row in rounds[1:]]
    assert pit[0] == pit[1] == []
    (part,) = rounds[1].chosen[0].parts
    new = [m for m in MARKS if m <= part.until]
    assert 1 <= len(pit[2]) <= len(new)
    assert all(0 <= value <= 1 for value in pit[2])


def test_what_is_told_is_what_is_in_the_table(played, world):
    table = played.runs()
    a = played.snapshot().attempts[0]
    rows = table[table["run"] == a.run].sort_values("tokens")
    expected = losses_of(world, a.size, a.ratio, a.seed, a.until)
    assert rows["tokens"].tolist() == [r["tokens"] for r in expected]
    assert rows["loss_general"].tolist() == [r["loss_general"] for r in expected]


def test_budget_counts_what_is_told_and_what_is_asked(played):
    snapshot = played.snapshot()
    done = [a for a in snapshot.attempts if a.state == "done"]
    assert snapshot.budget.spent == pytest.approx(sum(a.cost for a in done), rel=1e-12)
    open_ = [a for a in snapshot.attempts if a.is_open]
    assert snapshot.budget.reserved == pytest.approx(sum(a.cost for a in open_), rel=1e-12)


def test_contradictory_tells_are_refused(tmp_path, world):
    campaign = begin(tmp_path / "c")
    a = campaign.ask()[0]
    rows = losses_of(world, a.size, a.ratio, a.seed, a.until)
    other = {**rows[-1], "loss_general": 9.0}
    before = campaign.snapshot()
    for losses, outcome, said in (
        ([*rows, other], "done", "never changes"),
        (rows[:-1], "done", "say outcome stopped"),
        ([{"tokens": 8192, "loss_general": float("nan")}], "done", "expected a number"),
        ([{"tokens": 8192, "lose_general": 3.0}], "done", "lose_general"),
        (rows, "finished", "expected one of"),
    ):
        with pytest.raises(CampaignError, match=said):
            campaign.tell(a.run, losses, outcome)
        assert campaign.snapshot() == before
        assert campaign.runs().empty
    with pytest.raises(CampaignError, match="was not asked for"):
        campaign.tell("0123456789ab", rows)
    campaign.tell(a.run, rows)
    with pytest.raises(CampaignError, match="was told already: done"):
        campaign.tell(a.run, rows)


def test_a_stopped_run_agrees_with_itself_later(tmp_path, world):
    campaign = begin(tmp_path / "c")
    a = campaign.ask()[0]
    rows = losses_of(world, a.size, a.ratio, a.seed, MARKS[0])
    campaign.tell(a.run, rows, "stopped")
    (settled,) = [x for x in campaign.snapshot().attempts if x.run == a.run]
    assert (settled.state, settled.reached_tokens) == ("stopped", MARKS[0])
    assert settled.charge == campaign.config.space.flops(a.size, 0.0, [MARKS[0]])[0]


# --- runs under way, weighed anew --------------------------------------------------------------


class Scripted:
    """A runner whose probes do what the test says."""

    name = "scripted"
    slots = 2

    def __init__(self, world) -> None:
        self.world = world
        self.jobs: dict[str, Job] = {}
        self.codes: dict[str, int] = {}
        self.asked_to_stop: list[str] = []

    def submit(self, job: Job):
        self.jobs[job.key] = job
        return {"key": job.key}

    def poll(self, handle):
        code = self.codes.get(handle["key"])
        return Status("running") if code is None else Status("ended", code)

    def stop(self, handle):
        self.asked_to_stop.append(handle["key"])

    def close(self):
        pass

    def advance(self, key, tokens):
        """The probe has trained so far."""
        folder = self.jobs[key].folder
        job = json.loads((folder / "job.json").read_text())
        rows = losses_of(self.world, job["size"], job["ratio"], job["seed"], tokens)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "losses.jsonl").write_text(lines)


def test_a_command_that_fails_begins_nothing_more(tmp_path, world):
    text = CONFIG + "attempts: 1\nprobe: {command: [train, '{job}']}\nrunner: {kind: local}\n"
    campaign = begin(tmp_path, text)
    runner = Scripted(world)
    runner.slots = 1
    lease = campaign.store.acquire("toy", "test", 0.0)
    controller = Controller(campaign.store, campaign.config, lease, runner)
    controller.step()
    controller.step()
    (key,) = runner.jobs
    assert sum(a.is_open for a in campaign.snapshot().attempts) > 1  # the others wait
    runner.codes[key] = 1
    controller.step()
    assert campaign.snapshot().state == "paused"
    controller.step()
    assert list(runner.jobs) == [key]
    campaign.resume()
    controller.step()
    assert len(runner.jobs) == 2


#: Without replay at the largest size: dear, and silent on the ratio that is sought.
USELESS = (3e5, 1.0, 1)
USEFUL = (3e5, 0.75, 1)
EARLIER = [(2e4, 0.25, 1), (2e4, 0.25, 2), (2e4, 0.75, 1), (1e5, 0.25, 1), (1e5, 0.75, 1)]


@pytest.fixture
def reviewed(tmp_path, world):
    """A campaign with two probes under way, one of them useless."""
    rows = [
        {"run": f"{n:g}-{r}-{s}", "size": n, "domain": "law", "ratio": r, **row}
        for n, r, s in EARLIER
        for row in losses_of(world, n, r, s, MARKS[-1])
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    text = CONFIG.replace("width: 0.99", "width: 0.01")
    text += "runs: runs.csv\nprobe: {command: [train, '{job}']}\nrunner: {kind: local, slots: 2}\n"
    campaign = begin(tmp_path, text)
    space = campaign.config.space
    first = [
        First(Candidate(n, "law", r, s, tuple(map(float, MARKS))), 5, space.full_cost(n))
        for n, r, s in (USELESS, USEFUL)
    ]
    lease = campaign.store.acquire("toy", "test", 0.0)
    # As if a controller had been killed before it reserved what it had chosen.
    campaign.store.add_round("toy", lease, first_round(campaign.config, 1, first, 0.0))
    runner = Scripted(world)
    controller = Controller(campaign.store, campaign.config, lease, runner)
    controller.step()
    controller.step()
    useless, useful = campaign.store.attempts("toy")
    assert sorted(runner.jobs) == sorted([useless.key, useful.key])
    return campaign, controller, runner, useless, useful


def test_a_probe_that_others_made_worthless_is_paused(reviewed):
    campaign, controller, runner, useless, useful = reviewed
    controller.step()
    assert len(campaign.snapshot().rounds) == 1  # no news, no fit
    runner.advance(useless.key, MARKS[1])
    runner.advance(useful.key, MARKS[3])
    controller.step()
    row = campaign.snapshot().rounds[-1]
    assert (row.number, row.policy, row.chosen) == (2, REVIEW, ())
    assert row.decision["pause"] == [useless.key]
    assert useless.run in " ".join(row.decision["because"])
    assert runner.asked_to_stop == [useless.key]
    controller.step()
    assert len(campaign.snapshot().rounds) == 2  # the same losses are not looked at twice
    # A controller that begins anew finds in the store what is still to be asked for.
    runner.asked_to_stop.clear()
    again = Controller(campaign.store, campaign.config, controller.lease, runner)
    again.step()
    assert runner.asked_to_stop == [useless.key]
    runner.codes[useless.key] = 75
    again.step()
    settled = next(a for a in campaign.store.attempts("toy") if a.key == useless.key)
    assert (settled.state, settled.reached_tokens) == ("stopped", MARKS[1])
    cost = campaign.config.space.flops(3e5, 0.0, [float(MARKS[1])])[0]
    assert settled.charge == cost
    last = campaign.snapshot().rounds[-1]
    # The slot is given to something else, by the same fit.
    assert last.number == 3 and last.fingerprint == row.fingerprint and last.chosen
    assert useless.run not in [part.run for part in last.chosen[0].parts]
    # The paused run can be gone on with, set-up paid anew.
    made = Desk(campaign.store, campaign.config, controller.lease).made()
    rested = next(m for m in made if m.run == useless.run)
    assert rested.open and rested.until is None
    candidates = campaign.config.space.candidates(made)
    assert any(c.reached == MARKS[1] and (c.size, c.ratio) == (3e5, 1.0) for c in candidates)


def test_without_review_runs_go_on(reviewed):
    campaign, controller, runner, useless, _ = reviewed
    config = replace(campaign.config, review=False)
    quiet = Controller(campaign.store, config, controller.lease, runner)
    runner.advance(useless.key, MARKS[1])
    quiet.step()
    assert len(campaign.snapshot().rounds) == 1 and runner.asked_to_stop == []
