"""A campaign as files: whole or not at all, and readable by what reads such files."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import bayescmr as bc
from bayescmr.campaign.export import export
from bayescmr.campaign.ledger import BEGINNING, digest
from bayescmr.errors import CampaignError


@pytest.fixture
def folder(campaign, tmp_path):
    campaign.whole()
    export(campaign.store, "law", tmp_path / "out" / "law")
    return tmp_path / "out" / "law"


def test_the_folder_holds_all_of_it(campaign, folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "attempts.csv", "campaign.json", "events.jsonl", "options.csv", "rounds.csv", "runs.csv",
    ]  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["law"]
    about = json.loads((folder / "campaign.json").read_text())
    assert about["budget"] == {"total": 10e9, "spent": 1e9, "reserved": 1e9}
    assert about["config"] == campaign.store.campaign("law").config


def test_runs_are_a_run_table(folder):
    table = bc.read_runs(folder / "runs.csv")
    assert table.n_runs == 1 and table.exclusions[0].reason == "status diverged"


def test_tables_hold_what_the_store_holds(campaign, folder):
    attempts = pd.read_csv(folder / "attempts.csv")
    assert attempts["key"].tolist() == [a.key for a in campaign.store.attempts("law")]
    assert json.loads(attempts["handle"][0]) == {"pid": 1}
    assert attempts["exit_code"].astype("Int64").tolist() == [0, pd.NA, 4]
    options = pd.read_csv(folder / "options.csv")
    assert len(options) == 4 and options["propensity"].sum() == 1.0
    assert options["score"].tolist() == campaign.store.options("law", 1)["score"].tolist()
    assert json.loads(options["parts"][1])[0]["run"] == "aaaaaaaaaaaa"
    rounds = pd.read_csv(folder / "rounds.csv")
    assert json.loads(rounds["decision"][0]) == campaign.record().decision


def test_the_ledger_can_be_verified_from_the_file_alone(folder):
    head = BEGINNING
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        content = json.dumps(event["content"], sort_keys=True, separators=(",", ":"))
        head = digest(head, event["number"], event["kind"], event["at"], content)
        assert head == event["hash"]
    assert json.loads((folder / "campaign.json").read_text())["head"] == head


def test_an_empty_campaign_can_be_exported(campaign, tmp_path):
    export(campaign.store, "law", tmp_path / "out")
    assert (tmp_path / "out" / "runs.csv").read_text().startswith("run,size,domain,ratio,tokens")
    assert pd.read_csv(tmp_path / "out" / "options.csv").empty


def test_a_folder_that_is_taken_stays_as_it_was(campaign, folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CampaignError, match=r"cannot write the export: .*name a folder that does"):
        export(campaign.store, "law", folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["law"]


def test_an_unknown_campaign_leaves_no_folder(campaign, tmp_path):
    with pytest.raises(CampaignError, match="expected one of law"):
        export(campaign.store, "nobody", tmp_path / "out")
    assert not (tmp_path / "out").exists()
