"""What every engine must do: one suite, run on SQLite and on PostgreSQL."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from bayescmr import RunTable
from bayescmr.campaign import open_store
from bayescmr.campaign.audit import audit
from bayescmr.campaign.records import Budget, LossRow, OptionRecord, PickRecord
from bayescmr.errors import BudgetError, CampaignError


def test_a_campaign_is_what_it_was_made_as(store, url):
    config = {"target": {"size": 3.1e9, "tokens": 20_000_000_000}, "names": ["ä", None, True, 0.1]}
    store.create("law.2-b", config, budget=1e18)
    store.create("another", {})
    with open_store(url, create=False) as again:
        assert again.campaigns() == ["another", "law.2-b"]
        row = again.campaign("law.2-b")
        assert (row.name, row.config, row.state, row.reason) == ("law.2-b", config, "running", "")
        assert again.budget("law.2-b") == Budget(1e18, 0.0, 0.0)
        assert again.budget("another").left == 0.0


def test_state_goes_back_and_forth(campaign):
    campaign.store.set_state("law", "paused", "night\0 \udcff")
    assert (row := campaign.store.campaign("law")).state == "paused"
    assert row.reason.startswith("night")
    campaign.store.set_state("law", "running")
    assert campaign.store.campaign("law").state == "running"
    with pytest.raises(CampaignError, match="state: got 'asleep', expected one of running"):
        campaign.store.set_state("law", "asleep")


def test_a_round_comes_back_with_all_options(campaign):
    picks = (campaign.options(), campaign.options(7, chosen=2))
    assert campaign.round(picks=picks, forecast=2e12, spent=1.5e9) == 1
    assert campaign.round(2, picks=()) == 2
    first, second = campaign.store.rounds("law")
    assert first.forecast == 2e12 and first.spent == 1.5e9 and second.forecast is None
    assert first.posterior == campaign.record().posterior and second.chosen == ()
    assert first.chosen[0].parts == picks[0].options[0].parts
    assert first.chosen[0].diagnostics == {"khat": None}
    assert dataclasses.replace(first.chosen[1]) == picks[1].options[2]

    table = campaign.store.options("law", 1)
    assert len(table) == 11 and table["chosen"].sum() == 2
    assert table.groupby("pick")["propensity"].sum().tolist() == pytest.approx([1.0, 1.0])
    assert table.loc[3, "score"] == -math.inf
    assert [len(parts) for parts in table["parts"][:4]] == [1, 2, 1, 2]
    assert len(campaign.store.options("law", 2)) == 0
    with pytest.raises(CampaignError, match="got round 3, expected the number of a recorded"):
        campaign.store.options("law", 3)


def test_a_round_out_of_turn_is_refused(campaign):
    campaign.round()
    for number in (1, 3):
        with pytest.raises(CampaignError, match=f"got number {number}, expected 2"):
            campaign.round(number)
    assert len(campaign.store.rounds("law")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda options: (options[:3], 0), "propensities sum to 0.75, expected 1"),
        (lambda options: (options, 4), "chosen: got 4, expected less than 4 options"),
        (lambda options: ((), 0), "propensities sum to 0"),
        (
            lambda options: (
                (
                    dataclasses.replace(options[0], propensity=0.0),
                    dataclasses.replace(options[1], propensity=0.5),
                    *options[2:],
                ),
                0,
            ),
            "the chosen option has propensity 0",
        ),
        (
            lambda options: ((dataclasses.replace(options[0], score=math.nan), *options[1:]), 0),
            "score: got nan",
        ),
    ],
)
def test_a_pick_that_cannot_be_is_refused(campaign, change, words):
    pick = PickRecord(*change(campaign.options().options))
    with pytest.raises(CampaignError, match=words):
        campaign.round(picks=(pick,))
    assert campaign.store.rounds("law") == []


def test_attempts_are_reserved_submitted_and_settled(campaign):
    campaign.round()
    first, second = campaign.reserve(campaign.new(), campaign.new("bbbbbbbbbbbb"))
    assert (first.key, first.state, first.number) == ("aaaaaaaaaaaa-1", "reserved", 1)
    assert second.checkpoints == (4096, 8192, 16384)
    assert campaign.store.budget("law") == Budget(10e9, 0.0, 2e9)
    campaign.submitted(first.key, {"id": 3, "host": "n1"})
    campaign.store.beat(first.key, campaign.lease, 12)
    now = campaign.store.attempts("law")[0]
    assert (now.state, now.runner, now.handle) == ("submitted", "local", {"id": 3, "host": "n1"})
    assert now.beats == 12 and now.is_open
    campaign.settle(first.key, "stopped", 4096, 4e8, 75, "asked to")
    assert campaign.store.budget("law") == Budget(10e9, 4e8, 1e9)
    now = campaign.store.attempts("law")[0]
    assert (now.state, now.reached_tokens, now.charge, now.exit_code, now.reason) == (
        "stopped", 4096, 4e8, 75, "asked to",
    )  # fmt: skip
    assert [a.key for a in campaign.store.attempts("law", open_only=True)] == [second.key]
    (again,) = campaign.reserve(campaign.new(until=16384, cost=2e9))
    assert (again.key, again.number, again.until) == ("aaaaaaaaaaaa-2", 2, 16384)


def test_reserving_is_all_or_nothing(campaign):
    campaign.round()
    with pytest.raises(BudgetError) as caught:
        campaign.reserve(campaign.new(), campaign.new("bbbbbbbbbbbb", cost=9.1e9))
    words = "got 1.01e+10 FLOPs to reserve, expected at most 1e+10: 1e+10 allowed, 0 spent"
    assert words in str(caught.value)
    assert campaign.store.attempts("law") == [] and len(campaign.store.events("law")) == 3
    campaign.reserve(campaign.new(), campaign.new("bbbbbbbbbbbb", cost=9e9))


def test_a_budget_holds_as_many_parts_as_it_has_in_plain_arithmetic(store, campaign):
    campaign.round()
    store.set_budget("law", 0.3)
    campaign.reserve(*(campaign.new(f"{i}", seed=i, cost=0.1) for i in range(3)))
    with pytest.raises(BudgetError):
        campaign.reserve(campaign.new("4", seed=4, cost=1e-6))


def test_one_attempt_of_a_run_at_a_time(campaign):
    campaign.round()
    campaign.reserve()
    with pytest.raises(CampaignError, match="aaaaaaaaaaaa-1 is reserved still; settle it"):
        campaign.reserve()
    with pytest.raises(CampaignError, match="bbbbbbbbbbbb-1 is reserved still"):
        campaign.reserve(campaign.new("bbbbbbbbbbbb"), campaign.new("bbbbbbbbbbbb"))
    assert len(campaign.store.attempts("law")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ratio": 0.5}, "ratio: got 0.5, expected 0.25 as before"),
        ({"seed": 2}, "seed: got 2, expected 1 as before"),
        ({"tokens": 32768}, "tokens: got 32768, expected 16384 as before"),
        ({"until": 20000}, "until: got 20000, expected at most the 16384"),
        ({"cost": math.nan}, "cost: got nan, expected a finite number >= 0"),
        ({"cost": -1.0}, "cost: got -1.0, expected a finite number >= 0"),
        ({"ratio": 1.5}, "ratio: got 1.5, expected a finite number >= 0 and <= 1"),
        ({"seed": 0.5}, "seed: got 0.5, expected a whole number"),
        ({"domain": "a\0b"}, "domain: got 'a.x00b', expected a name"),
        ({"checkpoints": ("x",)}, "checkpoints: got 'x', expected a whole number"),
    ],
)
def test_an_attempt_that_cannot_be_is_refused(campaign, change, words):
    campaign.round()
    campaign.reserve()
    campaign.settle("aaaaaaaaaaaa-1")
    with pytest.raises(CampaignError, match=words):
        campaign.reserve(campaign.new(**change))


def test_numbers_of_numpy_are_numbers(campaign):
    campaign.round(seed=np.int64(3), spent=np.float32(2.0))
    new = campaign.new(
        size=np.float32(25000), seed=np.int64(4), until=np.int32(8192), tokens=16384.0
    )
    (attempt,) = campaign.reserve(dataclasses.replace(new, checkpoints=np.array([4096, 8192])))
    assert (attempt.seed, attempt.tokens, attempt.checkpoints) == (4, 16384, (4096, 8192))
    rows = [LossRow(np.int64(0), "general", "general", "loss", np.float64(3.0))]
    assert campaign.store.record_losses("aaaaaaaaaaaa", campaign.lease, rows) == 1


def test_calls_may_be_repeated_but_not_changed(campaign):
    campaign.round()
    campaign.reserve()
    key = "aaaaaaaaaaaa-1"
    for _ in range(2):
        campaign.submitted(key)
    with pytest.raises(CampaignError, match=r"another submission .* nothing may be run twice"):
        campaign.submitted(key, {"pid": 2})
    for _ in range(2):
        campaign.settle(key)
    with pytest.raises(CampaignError, match="settled before as done, charge 9e"):
        campaign.settle(key, charge=8e8)
    with pytest.raises(CampaignError, match="another submission"):
        campaign.submitted(key, {"pid": 2})
    campaign.submitted(key)
    kinds = [event.kind for event in campaign.store.events("law")]
    assert kinds == ["created", "acquired", "round", "reserved", "submitted", "settled"]


def test_an_attempt_is_charged_at_most_what_was_reserved(campaign):
    campaign.round()
    campaign.reserve()
    with pytest.raises(CampaignError, match=r"charge: got 1.1e\+09 FLOPs, expected at most"):
        campaign.settle("aaaaaaaaaaaa-1", charge=1.1e9)
    with pytest.raises(CampaignError, match="outcome: got 'gone', expected one of done"):
        campaign.settle("aaaaaaaaaaaa-1", outcome="gone")
    campaign.settle("aaaaaaaaaaaa-1", "lost", None, 0.0, None, "no trace")
    assert campaign.store.attempts("law")[0].reached_tokens is None


@pytest.mark.parametrize(
    "key", ["nobody-1", "aaaaaaaaaaaa-2", "aaaaaaaaaaaa", "", "aaaaaaaaaaaa-x"]
)
def test_an_unknown_attempt_is_named(campaign, key):
    campaign.round()
    campaign.reserve()
    with pytest.raises(CampaignError, match=f"got attempt '{key}', expected one of this"):
        campaign.settle(key)


def test_the_budget_may_change_but_not_below_what_is_committed(campaign):
    campaign.whole()
    assert campaign.store.budget("law") == Budget(10e9, 1e9, 1e9)
    with pytest.raises(CampaignError, match=r"got 1.9e\+09 FLOPs, expected at least the 1e\+09"):
        campaign.store.set_budget("law", 1.9e9)
    campaign.store.set_budget("law", 2e9)
    assert campaign.store.budget("law").left == 0.0
    with pytest.raises(BudgetError):
        campaign.reserve(campaign.new("dddddddddddd", seed=9, cost=100.0))
    with pytest.raises(CampaignError, match="budget: got inf, expected a finite number"):
        campaign.store.set_budget("law", math.inf)


def test_losses_are_recorded_once(campaign):
    campaign.round()
    campaign.reserve()
    assert campaign.losses(upto=4096) == 6
    assert campaign.losses(upto=4096) == 0
    assert campaign.losses() == 3
    for row in (
        LossRow(4096, "general", "code", "loss", 3.5),
        LossRow(4096, "general", "code", "loss", 3.404096, 0.1),
    ):
        with pytest.raises(
            CampaignError, match=r"loss on code at 4096 tokens: got .* expected 3.40"
        ):
            campaign.store.record_losses("aaaaaaaaaaaa", campaign.lease, [row])
    with pytest.raises(CampaignError, match="loss on general at 1 tokens: got nan"):
        campaign.store.record_losses(
            "aaaaaaaaaaaa", campaign.lease, [LossRow(1, "general", "general", "loss", math.nan)]
        )
    with pytest.raises(CampaignError, match="run nobody: is not a run of this campaign"):
        campaign.losses("nobody")
    assert [e.kind for e in campaign.store.events("law")].count("losses") == 2


def test_the_run_table_is_one_that_can_be_read(campaign):
    campaign.whole()
    frame = campaign.store.runs("law")
    assert list(frame.columns) == [
        "run", "size", "domain", "ratio", "tokens", "loss_general", "loss_general:code",
        "loss_domain", "seed", "status", "source",
    ]  # fmt: skip
    assert frame["status"].tolist() == ["ok", "ok", "ok", "diverged"]
    assert frame["tokens"].tolist() == [0, 4096, 8192, 8192]
    table = RunTable.from_frame(frame)
    assert table.n_runs == 1 and table.exclusions[0].runs == ("cccccccccccc",)
    assert table.eval_sets("general") == ("code", "general")
    assert table.frame["change"].tolist() == pytest.approx([0.004096, 0.008192] * 3)


def test_a_run_that_failed_after_checkpoints_keeps_them(campaign):
    campaign.round()
    campaign.reserve(campaign.new(), campaign.new("bbbbbbbbbbbb", seed=2))
    campaign.losses(upto=4096)
    campaign.settle("aaaaaaaaaaaa-1", "failed", 4096, 1e8, 1, "out of memory")
    campaign.settle("bbbbbbbbbbbb-1", "lost", None, 1e8, None, "")
    frame = campaign.store.runs("law").set_index(["run", "tokens"])["status"]
    assert frame.to_dict() == {
        ("aaaaaaaaaaaa", 0): "ok", ("aaaaaaaaaaaa", 4096): "ok", ("bbbbbbbbbbbb", 8192): "failed",
    }  # fmt: skip
    campaign.reserve(campaign.new("bbbbbbbbbbbb", seed=2))
    assert set(campaign.store.runs("law")["run"]) == {"aaaaaaaaaaaa"}


def test_an_empty_campaign_has_an_empty_run_table(campaign):
    frame = campaign.store.runs("law")
    assert len(frame) == 0 and "tokens" in frame


@pytest.fixture
def elsewhere():
    """A run table with changes, standard errors, further columns and a run that diverged."""
    rows = [
        {"run": run, "size": 1e6, "domain": "law", "ratio": ratio, "tokens": tokens,
         "loss_general": loss, "loss_domain": loss + 1, "se_general": 0.01,
         "base_loss_general": 2.9, "base_loss_domain": 4.0, "lr": 1e-3, "schedule": "constant",
         "status": status}
        for run, ratio, status in (("x", 0.1, "ok"), ("y", 0.3, "ok"), ("z", 1.0, "diverged"))
        for tokens, loss in ((1e6, 3.0 + ratio), (2e6, 3.1 + ratio))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_runs_made_elsewhere_join_without_a_lease(campaign, elsewhere):
    table = RunTable.from_frame(elsewhere)
    campaign.whole()
    for expected in (2, 0):
        added = campaign.store.add_runs("law", elsewhere, "earlier.csv", table.fingerprint)
        assert added == expected
    assert campaign.store.add_runs("law", table.frame, "again.csv", table.fingerprint) == 0
    event = campaign.store.events("law")[-1]
    assert event.kind == "added" and event.content["left_out"][0]["runs"] == ["z"]
    frame = campaign.store.runs("law")
    mine = frame[frame["run"].isin(["x", "y"])].drop(columns=["loss_general:code", "seed"])
    back = RunTable.from_frame(mine.reset_index(drop=True))
    columns = ["run", "tokens", "eval_set", "loss", "base", "change", "se", "lr", "schedule"]
    pd.testing.assert_frame_equal(
        back.frame[columns], table.frame[columns], check_dtype=False, check_exact=True
    )
    assert campaign.store.budget("law").spent == 1e9


def test_changes_alone_are_kept_as_changes(campaign):
    rows = [
        {"run": "g", "size": 1e9, "domain": "law", "ratio": 0.5, "tokens": 10**9,
         "change_general": 0.02}
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    campaign.store.add_runs("law", frame, "published", RunTable.from_frame(frame).fingerprint)
    back = campaign.store.runs("law")
    assert back["change_general"].tolist() == [0.02] and "loss_general" not in back


def test_a_table_that_contradicts_is_refused_whole(campaign, elsewhere):
    campaign.whole()
    campaign.store.add_runs("law", elsewhere, "a.csv", "f")
    before = campaign.store.events("law")
    changed = elsewhere.copy()
    changed.loc[0, "loss_general"] += 0.5
    more = changed[changed["run"] == "y"].assign(run="new")
    with pytest.raises(CampaignError, match=r"b.csv: run x: loss on general at 1000000 tokens"):
        campaign.store.add_runs("law", pd.concat([more, changed]), "b.csv", "f")
    with pytest.raises(CampaignError, match=r"run x: ratio: got 0.2, expected 0.1"):
        campaign.store.add_runs(
            "law", elsewhere.assign(ratio=lambda f: f["ratio"].replace(0.1, 0.2)), "b.csv", "f"
        )
    probe = elsewhere[elsewhere["run"] == "x"].assign(
        run="aaaaaaaaaaaa", size=25e3, ratio=0.25, seed=1,
        base_loss_general=3.7, base_loss_domain=3.6,
    )  # fmt: skip
    with pytest.raises(CampaignError, match="is a probe of this campaign"):
        campaign.store.add_runs("law", probe, "b.csv", "f")
    assert campaign.store.events("law") == before
    with pytest.raises(CampaignError, match="run x: was made elsewhere"):
        campaign.reserve(campaign.new("x"))


def test_a_campaign_takes_its_own_export_as_nothing_new(campaign):
    campaign.whole()
    assert campaign.store.add_runs("law", campaign.store.runs("law"), "export", "f") == 0


def test_campaigns_of_one_store_do_not_see_each_other(store, campaign):
    campaign.whole()
    other = type(campaign)(store, "medicine", budget=1e9)
    other.round()
    other.reserve()
    assert [attempt.key for attempt in store.attempts("medicine")] == ["aaaaaaaaaaaa-1"]
    other.settle("aaaaaaaaaaaa-1", charge=5e8)
    assert store.budget("law") == Budget(10e9, 1e9, 1e9)
    assert store.budget("medicine") == Budget(1e9, 5e8, 0.0)
    assert other.losses() == 9
    with pytest.raises(CampaignError, match="got a lease of campaign law"):
        store.add_round("medicine", campaign.lease, other.record(2))
    for name in ("law", "medicine"):
        assert {check.status for check in audit(store, name)} == {"PASS"}


def test_names_that_are_taken_unknown_or_ill_formed(store, campaign):
    with pytest.raises(CampaignError, match="there is a campaign law already"):
        store.create("law", {})
    for name in ("", "a b", "a/b", "-x", "x\n"):
        with pytest.raises(CampaignError, match="expected letters, digits"):
            store.create(name, {})
    for call in (store.campaign, store.budget, store.runs, store.events, store.rounds):
        with pytest.raises(CampaignError, match="got campaign 'lwa', expected one of law"):
            call("lwa")
    with pytest.raises(CampaignError, match="got campaign 'lwa'"):
        store.acquire("lwa", "me", 1.0)
    with pytest.raises(CampaignError, match="config: Object of type set is not JSON"):
        store.create("x", {"a": {1}})
    with pytest.raises(CampaignError, match="config: Out of range float"):
        store.create("x", {"a": math.nan})
    assert store.campaigns() == ["law"]


def test_large_numbers_and_long_words_come_back(campaign):
    campaign.round(seed=2**63 - 1, posterior={"text": "x" * 100_000, "tiny": 5e-324, "n": 2**70})
    row = campaign.store.rounds("law")[0]
    assert row.seed == 2**63 - 1 and row.posterior["n"] == 2**70 and row.posterior["tiny"] == 5e-324
    with pytest.raises(CampaignError, match="seed: got 9223372036854775808"):
        campaign.round(2, seed=2**63)
    many = PickRecord(
        tuple(OptionRecord((), 0.1 * i, 1 / 3, 1e300, 1 / 512) for i in range(512)), 511
    )
    campaign.round(2, picks=(many,) * 4)
    table = campaign.store.options("law", 2)
    assert len(table) == 2048 and (table["value"] == 1 / 3).all()
    assert {check.status for check in audit(campaign.store, "law")} == {"PASS"}
