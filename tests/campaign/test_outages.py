"""Disk full, server gone, file gone, no rights: one line, and afterwards the same call succeeds."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess

import pytest
from sqlalchemy import event, text

from bayescmr.campaign import database, open_store
from bayescmr.campaign.audit import audit
from bayescmr.errors import CampaignError

# Such as no database can compress.
LARGE = {"text": random.Random(1).randbytes(25_000).hex()}

sqlite_only = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of a given size in MB."""
    mounted = []

    def disk(size, below=tmp_path):
        folder = below / "disk"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}m", "none", folder], capture_output=True
        )
        if done.returncode:
            pytest.skip("a small disk can only be mounted by root, outside of most containers")
        mounted.append(folder)
        return folder

    yield disk
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def fill(campaign, words):
    """Record rounds until the disk is full; return the number of the first that failed."""
    number = len(campaign.store.rounds("law")) + 1
    try:
        while number < 5000:
            campaign.round(number, posterior=LARGE)
            number += 1
    except CampaignError as error:
        assert words in str(error) and "\n" not in str(error)
        return number
    raise AssertionError("the disk was never full")


def passes(campaign):
    return {check.status for check in audit(campaign.store, "law")} == {"PASS"}


def test_disk_full_under_a_file(campaign_class, small_disk):
    disk = small_disk(2)
    (disk / "ballast").write_bytes(b"\0" * 1_000_000)
    with open_store(disk / "store.db") as store:
        there = campaign_class(store)
        number = fill(there, "store.db: the disk is full; make room; nothing was written")
        assert len(store.rounds("law")) == number - 1 and passes(there)
        (disk / "ballast").unlink()
        assert there.round(number, posterior=LARGE) == number
        assert passes(there)


@sqlite_only
def test_no_more_pages(campaign):
    connections = []

    @event.listens_for(campaign.store._database._engine, "begin")
    def limit(connection):
        connections.append(connection)
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + limit.more}")

    limit.more = 2
    with pytest.raises(CampaignError, match=r"store.db: the disk is full; make room"):
        campaign.round(1, posterior=LARGE)
    assert campaign.store.rounds("law") == []
    limit.more = 2000
    assert campaign.round(1, posterior=LARGE) == 1
    assert passes(campaign) and connections


def test_disk_full_under_a_server(postgresql, campaign_class, small_disk):
    import psycopg

    disk = small_disk(14, postgresql.folder)
    shutil.chown(disk, postgresql.user)
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * 3_000_000)
    with psycopg.connect(postgresql.address("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        admin.execute("CREATE DATABASE small TABLESPACE small")
    try:
        with open_store(postgresql.address("small")) as store:
            campaign = campaign_class(store)
            number = fill(campaign, "the disk of the server is full; make room; nothing was")
            assert len(store.rounds("law")) == number - 1 and passes(campaign)
            ballast.unlink()
            assert campaign.round(number, posterior=LARGE) == number
            assert passes(campaign)
    finally:
        with psycopg.connect(postgresql.address("postgres"), autocommit=True) as admin:
            admin.execute("DROP DATABASE small WITH (FORCE)")
            admin.execute("DROP TABLESPACE small")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_server_that_stops_and_comes_back(campaign, postgresql, url):
    campaign.round()
    campaign.reserve()
    postgresql.stop()
    try:
        for call in (lambda: campaign.settle("aaaaaaaaaaaa-1"), campaign.lease.beat):
            with pytest.raises(CampaignError, match=r"cannot be reached .*start it, or check"):
                call()
        with pytest.raises(CampaignError, match=r"cannot be reached") as caught:
            open_store(url)
        assert "\n" not in str(caught.value)
    finally:
        postgresql.start()
    campaign.settle("aaaaaaaaaaaa-1")
    campaign.lease.beat()
    assert passes(campaign)


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_session_that_is_cut_in_a_transaction_leaves_nothing(campaign):
    campaign.round()
    with (
        pytest.raises(CampaignError, match=r"the server|the connection was lost"),
        campaign.store._database.writing() as connection,
    ):
        connection.execute(text("UPDATE bayescmr_campaigns SET budget = 0"))
        with campaign.store._database.writing() as other:
            mine = connection.connection.dbapi_connection.info.backend_pid
            other.execute(text(f"SELECT pg_terminate_backend({mine})"))
        connection.execute(text("SELECT 1"))
    assert campaign.store.budget("law").total == 10e9
    campaign.reserve()
    assert passes(campaign)


@sqlite_only
def test_a_file_that_is_gone_and_put_back(campaign, tmp_path):
    campaign.round()
    campaign.reserve()
    (tmp_path / "store.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(CampaignError, match=r"store.db: the store is gone .*; put the file back"):
        campaign.settle("aaaaaaaaaaaa-1")
    assert not (tmp_path / "store.db").exists()
    (tmp_path / "elsewhere.db").rename(tmp_path / "store.db")
    campaign.settle("aaaaaaaaaaaa-1")
    assert passes(campaign)


@sqlite_only
def test_a_file_that_is_replaced_by_its_copy(campaign, tmp_path):
    campaign.round()
    campaign.reserve()
    names = [f"store.db{end}" for end in ("", "-wal", "-shm")]
    for name in names:
        (tmp_path / name).rename(tmp_path / f"old-{name}")
    for name in names[:2]:
        shutil.copy(tmp_path / f"old-{name}", tmp_path / name)
    campaign.settle("aaaaaaaaaaaa-1")
    with open_store(tmp_path / "store.db", create=False) as store:
        assert store.attempts("law")[0].state == "done"


@sqlite_only
def test_a_file_that_may_only_be_read(campaign, tmp_path, as_user):
    campaign.round()
    campaign.store.close()
    path = tmp_path / "store.db"
    path.chmod(0o444)
    os.chmod(tmp_path, 0o777)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, 0o755)
    with as_user(), open_store(path) as store:
        assert store.campaigns() == ["law"]
        with pytest.raises(CampaignError, match=r"it may only be read; allow writing to the"):
            store.set_budget("law", 1.0)
    for file in tmp_path.glob("store.db*"):
        file.chmod(0o666)
    with as_user(), open_store(path) as store:
        store.set_budget("law", 1.0)


def test_a_folder_that_may_only_be_read(tmp_path, as_user):
    os.chmod(tmp_path, 0o755)
    for parent in tmp_path.parents[:3]:
        os.chmod(parent, 0o755)
    with (
        as_user(),
        pytest.raises(CampaignError, match=r"cannot be opened: Permission denied; name a file in"),
    ):
        open_store(tmp_path / "store.db")


def test_a_file_that_another_program_keeps_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    with open_store(tmp_path / "store.db") as store:
        raw = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(CampaignError, match=r"another program has kept it locked for half a"):
            store.create("law", {})
        raw.execute("ROLLBACK")
        raw.close()
        store.create("law", {})
