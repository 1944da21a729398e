"""An audit passes on what the store wrote, and fails on each kind of change by hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from bayescmr.campaign.audit import audit
from bayescmr.campaign.ledger import digest
from bayescmr.errors import CampaignError

CHECKS = {
    "ledger whole", "one controller at a time", "every attempt settled once",
    "budget never overspent", "propensities", "no run made twice", "campaign as told",
    "rounds as told", "options as told", "runs as told", "attempts as told", "losses as told",
}  # fmt: skip


@pytest.fixture
def by_hand(url, campaign):
    """A campaign in full, and a way to change its tables behind the back of the store."""
    campaign.whole()
    campaign.store.set_state("law", "paused", "lunch")
    campaign.store.set_budget("law", 11e9)
    frame = pd.DataFrame(
        [{"run": "old", "size": 1e6, "domain": "law", "ratio": 0.1, "tokens": 10**6,
          "loss_general": 3.1, "base_loss_general": 3.0}]
    )  # fmt: skip
    campaign.store.add_runs("law", frame, "old.csv", "f")
    address = f"sqlite:///{url}" if "://" not in url else url.replace("://", "+psycopg://")
    engine = create_engine(address)

    def change(*statements):
        with engine.begin() as connection:
            for statement in statements:
                done = connection.execute(text(statement))
                assert done.rowcount != 0, statement

    yield change
    engine.dispose()


def failed(campaign):
    checks = audit(campaign.store, "law")
    assert {check.name for check in checks} == CHECKS
    assert {check.status for check in checks} <= {"PASS", "FAIL"}
    assert all(check.advice for check in checks if check.status == "FAIL")
    return {check.name: check.value for check in checks if check.status == "FAIL"}


def test_what_the_store_wrote_passes(campaign, by_hand):
    assert failed(campaign) == {}


@pytest.mark.parametrize(
    ("statement", "check", "words"),
    [
        (
            "UPDATE bayescmr_losses SET value = 2.5 WHERE tokens = 4096 AND eval_set = 'code'",
            "losses as told",
            "loss of run aaaaaaaaaaaa: loss on code (general) at 4096 tokens: value: told 3.404",
        ),
        (
            "UPDATE bayescmr_losses SET se = 0.1 WHERE tokens = 1000000",
            "losses as told",
            "of run old: loss on general (general) at 1000000 tokens: se: told None, found 0.1",
        ),
        (
            "DELETE FROM bayescmr_losses WHERE tokens = 8192 AND role = 'domain'",
            "losses as told",
            "(domain) at 8192 tokens: told, but not in the table",
        ),
        (
            "INSERT INTO bayescmr_losses (run, tokens, role, eval_set, kind, value)"
            " SELECT id, 5, 'general', 'general', 'loss', 1.0 FROM bayescmr_runs"
            " WHERE run = 'bbbbbbbbbbbb'",
            "losses as told",
            "bbbbbbbbbbbb: loss on general (general) at 5 tokens: in the table, but never told",
        ),
        (
            "UPDATE bayescmr_attempts SET charge = 1.0 WHERE state = 'done'",
            "attempts as told",
            "attempt aaaaaaaaaaaa-1: charge: told 900000000.0, found 1.0",
        ),
        (
            "UPDATE bayescmr_attempts SET state = 'lost' WHERE state = 'submitted'",
            "attempts as told",
            "attempt bbbbbbbbbbbb-1: state: told 'submitted', found 'lost'",
        ),
        (
            "UPDATE bayescmr_attempts SET handle = '{\"pid\": 99}' WHERE state = 'submitted'",
            "attempts as told",
            "bbbbbbbbbbbb-1: handle: told {'pid': 2}, found {'pid': 99}",
        ),
        (
            "INSERT INTO bayescmr_attempts (run, number, round, checkpoints, until, cost, state,"
            " beats, reason) SELECT run, 9, round, checkpoints, until, cost, 'reserved', 0, ''"
            " FROM bayescmr_attempts WHERE state = 'done'",
            "attempts as told",
            "attempt aaaaaaaaaaaa-9: in the table, but never told",
        ),
        (
            "DELETE FROM bayescmr_attempts WHERE state = 'diverged'",
            "attempts as told",
            "attempt cccccccccccc-1: told, but not in the table",
        ),
        (
            "UPDATE bayescmr_runs SET ratio = 0.75 WHERE run = 'bbbbbbbbbbbb'",
            "runs as told",
            "run bbbbbbbbbbbb: ratio: told 0.5, found 0.75",
        ),
        (
            "UPDATE bayescmr_runs SET run = 'renamed' WHERE run = 'old'",
            "runs as told",
            "run old: told, but not in the table; run renamed: in the table, but never told",
        ),
        (
            "UPDATE bayescmr_rounds SET posterior = '{\"cmr\": 1}'",
            "rounds as told",
            "round 1: posterior: told {'cmr': {",
        ),
        (
            "UPDATE bayescmr_options SET propensity = 0.5 WHERE option = 1",
            "propensities",
            "pick 0 of round 1: propensities sum to 1.25",
        ),
        (
            "UPDATE bayescmr_options SET propensity = 0.25 - option * 0.0 + CASE option WHEN 0"
            " THEN -0.25 WHEN 1 THEN 0.25 ELSE 0 END",
            "propensities",
            "pick 0 of round 1: the chosen option has propensity 0",
        ),
        (
            "UPDATE bayescmr_options SET score = 7 WHERE option = 2",
            "options as told",
            "option 2 of pick 0 of round 1: content: told",
        ),
        (
            "DELETE FROM bayescmr_options WHERE option = 3",
            "options as told",
            "option 3 of pick 0 of round 1: told, but not in the table",
        ),
        (
            "UPDATE bayescmr_campaigns SET budget = 99e9",
            "campaign as told",
            "campaign law: budget: told 11000000000.0, found 99000000000.0",
        ),
        (
            "UPDATE bayescmr_campaigns SET state = 'running'",
            "campaign as told",
            "campaign law: state: told 'paused', found 'running'",
        ),
        (
            "UPDATE bayescmr_events SET content = replace(content, '900000000.0', '1.0')"
            " WHERE kind = 'settled' AND content LIKE '%900000000.0%'",
            "ledger whole",
            "(settled): its hash does not fit its content",
        ),
        (
            "UPDATE bayescmr_events SET at = '2020-01-01T00:00:00+00:00' WHERE number = 3",
            "ledger whole",
            "event 3 (round): its hash does not fit its content",
        ),
        (
            "DELETE FROM bayescmr_events WHERE kind = 'submitted' AND number = 5",
            "ledger whole",
            "event 5 before event 6: missing",
        ),
        (
            "DELETE FROM bayescmr_events WHERE kind = 'added'",
            "ledger whole",
            "the campaign has 13 events, the ledger ends with 12",
        ),
        (
            "UPDATE bayescmr_events SET content = 'rubbish' WHERE number = 2",
            "ledger whole",
            "event 2 (acquired): its content is no JSON",
        ),
        (
            "UPDATE bayescmr_events SET content = '{}' WHERE number = 4",
            "ledger whole",
            "event 4 (reserved): cannot be read",
        ),
    ],
)
def test_a_change_by_hand_fails(campaign, by_hand, statement, check, words):
    by_hand(statement)
    found = failed(campaign)
    assert words in found.get(check, ""), found


def escaped(words):
    """Colons are no parameters."""
    return words.replace(":", "\\:")


def retold(by_hand, campaign, change):
    """Forge a ledger whose hashes are right: only its sense can give it away."""
    events = [(e.number, e.kind, e.at, e.content) for e in campaign.store.events("law")]
    head, statements = "0" * 64, []
    for number, kind, at, content in change(events):
        words = json.dumps(content, sort_keys=True, separators=(",", ":"))
        head = digest(head, number, kind, at, words)
        quoted = escaped(words.replace("'", "''"))
        statements.append(
            f"INSERT INTO bayescmr_events VALUES (1, {number}, '{kind}', '{escaped(at)}',"
            f" '{quoted}', '{head}')"
        )
    last = len(statements)
    by_hand(
        "DELETE FROM bayescmr_events",
        *statements,
        f"UPDATE bayescmr_campaigns SET events = {last}, head = '{head}'",
    )


def edited(kind, nth, **changes):
    """Change the content of the nth event of a kind."""

    def change(events):
        at = [i for i, event in enumerate(events) if event[1] == kind][nth]
        number, _, when, content = events[at]
        events[at] = (number, kind, when, content | changes)
        return events

    return change


def doubled(kind, nth):
    """Tell the nth event of a kind twice."""

    def change(events):
        at = [i for i, event in enumerate(events) if event[1] == kind][nth]
        events.append((len(events) + 1, *events[at][1:]))
        return events

    return change


def again_under_another_name(events):
    _, kind, when, content = next(event for event in events if event[1] == "reserved")
    twin = content["attempts"][0] | {"run": "twin", "key": "twin-1"}
    return [*events, (len(events) + 1, kind, when, content | {"attempts": [twin]})]


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (
            doubled("settled", 0),
            "every attempt settled once",
            "aaaaaaaaaaaa-1 settled, but settled",
        ),
        (doubled("submitted", 0), "every attempt settled once", "submitted, but done"),
        (
            doubled("reserved", 0),
            "every attempt settled once",
            "bbbbbbbbbbbb-1 begun while another",
        ),
        (doubled("losses", 0), "losses as told", "told twice"),
        (edited("settled", 0, charge=5e10), "budget never overspent", "more than its cost"),
        (
            edited("budget", 0, budget=1e9),
            "budget never overspent",
            "1e+09 spent and 1e+09 reserved",
        ),
        (edited("created", 0, budget=1e9), "budget never overspent", "event 4"),
        (
            edited("settled", 0, lease=7),
            "one controller at a time",
            "(settled): lease 7, but 1 held",
        ),
        (edited("acquired", 0, token=3), "one controller at a time", "lease 3 followed 0"),
        (edited("settled", 0, key="nobody-1"), "every attempt settled once", "never reserved"),
        (again_under_another_name, "no run made twice", "runs aaaaaaaaaaaa and twin have the same"),
    ],
)
# What the events say is judged without the engine.
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_forged_ledger_is_found_by_its_sense(campaign, by_hand, change, check, words):
    retold(by_hand, campaign, change)
    found = failed(campaign)
    assert "ledger whole" not in found
    assert words in found.get(check, ""), found


# PostgreSQL itself refuses both of these.
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_rubbish_in_a_column_of_json_is_no_traceback(campaign, by_hand):
    by_hand("UPDATE bayescmr_rounds SET decision = 'rub bish'")
    assert "decision: told {'ratio'" in failed(campaign)["rounds as told"]
    with pytest.raises(CampaignError, match="got 'rub bish'; `bayescmr campaign audit` says"):
        campaign.store.rounds("law")


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_text_in_a_column_of_numbers_is_no_traceback(campaign, by_hand):
    by_hand(
        "UPDATE bayescmr_options SET propensity = 'much', score = 'high' WHERE option = 1",
        "UPDATE bayescmr_attempts SET charge = 'much' WHERE state = 'done'",
    )
    found = failed(campaign)
    assert found["propensities"] == "pick 0 of round 1: a propensity outside [0, 1]"
    assert "charge: told 900000000.0, found 'much'" in found["attempts as told"]


def test_many_changes_are_counted(campaign, by_hand):
    by_hand("UPDATE bayescmr_losses SET value = value + 1")
    assert failed(campaign)["losses as told"].endswith("; and 6 more")
