"""The folder of a campaign is its own: files of two that mix would be taken for each other's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bayescmr.campaign import open_store
from bayescmr.campaign.campaign import Campaign
from bayescmr.campaign.folder import own_folder
from bayescmr.errors import CampaignError

TOLD = """
name: {name}
target: {{size: 300000, domain: law, tokens: 524288, tolerance: 0.05}}
budget: 1.0e13
space: {{sizes: [20000, 100000], ratios: [0, 0.5], tokens: 524288, checkpoints: [65536, 524288]}}
"""
SEVERAL_DOMAIN_SETS = """\
run,size,domain,ratio,tokens,role,eval_set,loss
a,20000,law,0.5,0,general,web,3.0
a,20000,law,0.5,65536,general,web,3.1
a,20000,law,0.5,0,domain,one,3.0
a,20000,law,0.5,65536,domain,one,2.9
a,20000,law,0.5,0,domain,two,3.0
a,20000,law,0.5,65536,domain,two,2.9
"""


@pytest.fixture
def begin(tmp_path: Path):
    """Begin a campaign in a store; a file of its own says what it is told."""

    def begin(name: str, more: str = "", store: str = "store.db") -> Campaign:
        file = tmp_path / f"{name}.yaml"
        file.write_text(TOLD.format(name=name) + more, encoding="utf-8")
        with open_store(tmp_path / store) as opened:
            return Campaign.new(opened, file)

    return begin


def names(folder: Path) -> list[str]:
    with open_store(folder / "store.db") as store:
        return store.campaigns()


def test_campaigns_side_by_side_have_folders_of_their_own(begin, tmp_path):
    assert begin("law").config.folder == tmp_path / "probes" / "law"
    assert begin("code").config.folder == tmp_path / "probes" / "code"
    assert names(tmp_path) == ["code", "law"]


@pytest.mark.parametrize("store", ["store.db", "other.db"], ids=["same-store", "other-store"])
def test_a_folder_of_another_campaign_is_refused_by_name(begin, tmp_path, store):
    """Before either has made a run; in whatever store the other is."""
    begin("law", "folder: out\n", store)
    with pytest.raises(CampaignError) as caught:
        begin("code", "folder: out\n")
    said = str(caught.value)
    assert f"folder: {tmp_path / 'out'}: holds campaign law of store" in said and store in said
    assert "code" not in names(tmp_path)
    assert json.loads((tmp_path / "out" / "campaign.json").read_text())["campaign"] == "law"


def test_a_folder_with_files_of_anybody_is_refused(begin, tmp_path):
    (tmp_path / "out" / "0123456789ab").mkdir(parents=True)
    with pytest.raises(CampaignError, match="holds files already, expected a folder that is empty"):
        begin("law", "folder: out\n")
    assert names(tmp_path) == []
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["0123456789ab"]


def test_an_empty_folder_will_do(begin, tmp_path):
    (tmp_path / "out").mkdir()
    begin("law", "folder: out\n")
    assert names(tmp_path) == ["law"]


def test_a_name_that_is_taken_is_said_to_be_and_the_folder_stays(begin, tmp_path):
    begin("law")
    with pytest.raises(CampaignError, match="there is a campaign law already"):
        begin("law")
    with pytest.raises(CampaignError, match="there is a campaign law already"):
        begin("law", "folder: out\n")
    assert (tmp_path / "probes" / "law" / "campaign.json").exists()
    assert not (tmp_path / "out").exists()


def test_a_campaign_that_cannot_be_kept_gives_its_folder_back(begin, tmp_path):
    with pytest.raises(CampaignError, match="plain data"):
        begin("law", "probe: {command: [train], settings: {since: 2020-01-01}}\n")
    assert not (tmp_path / "probes" / "law").exists() and names(tmp_path) == []
    begin("law")


def test_a_table_that_cannot_be_added_begins_nothing(begin, tmp_path):
    (tmp_path / "runs.csv").write_text(SEVERAL_DOMAIN_SETS)
    with pytest.raises(CampaignError, match="got the domain sets one, two"):
        begin("law", "runs: runs.csv\n")
    assert names(tmp_path) == [] and not (tmp_path / "probes").exists()


def test_a_folder_that_cannot_be_made_is_refused_at_once(begin, tmp_path, as_user):
    (tmp_path / "closed").mkdir(mode=0o500)
    begin("code")  # the store is there, and may be read by all
    with (
        as_user(),
        pytest.raises(CampaignError, match=r"cannot be made .*Permission denied"),
        own_folder(tmp_path / "closed" / "out", "law", "store.db"),
    ):
        raise AssertionError("not reached")
