"""Opening a store: what is there, what is not, and what is something else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from bayescmr.campaign import open_store
from bayescmr.campaign.tables import HEAD, VERSION_TABLE, metadata
from bayescmr.errors import CampaignError


def engine_of(url):
    address = f"sqlite:///{url}" if "://" not in url else url.replace("://", "+psycopg://")
    return create_engine(address)


def test_the_newest_migration_makes_the_tables_of_the_code(url, store):
    config = Config()
    config.set_main_option("script_location", "bayescmr.campaign:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD
    engine = engine_of(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD
    engine.dispose()


def test_a_newer_schema_is_refused_and_left_alone(url, store):
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(CampaignError, match="schema 9999 was written by a newer version") as caught:
        open_store(url)
    assert "pip install --upgrade bayescmr" in str(caught.value)
    assert store.campaigns() == []


def test_an_opening_that_was_killed_half_way_is_done_again(url):
    # The tables come in one transaction with their version: there is no half way.
    with open_store(url) as store:
        store.create("law", {})
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
        for table in reversed(metadata.sorted_tables):
            table.drop(connection)
    engine.dispose()
    with open_store(url) as store:
        assert store.campaigns() == []


def test_a_file_is_kept_as_safe_as_sqlite_can(tmp_path):
    with open_store(tmp_path / "a.db") as store, store._database.writing() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000,
    }  # fmt: skip


def test_a_reader_goes_on_while_another_writes(tmp_path):
    with open_store(tmp_path / "a.db") as store, open_store(tmp_path / "a.db") as reader:
        store.create("law", {})
        with store._database.writing() as connection:
            connection.execute(text("UPDATE bayescmr_campaigns SET reason = 'not yet'"))
            assert reader.campaign("law").reason == ""


@pytest.mark.parametrize("name", ["a store.db", "what?.db", "100%#.db", "ä.db", "x.db?mode=memory"])
def test_odd_names_of_files(tmp_path, name):
    for place in (tmp_path / name, str(tmp_path / name)):
        with open_store(place) as store:
            assert store.name == str(tmp_path / name)
    assert name in {path.name for path in tmp_path.iterdir()}


def test_a_url_of_sqlite_is_a_file(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        store.create("law", {})
    with open_store(tmp_path / "a.db", create=False) as store:
        assert store.campaigns() == ["law"]


def test_a_mistyped_name_makes_nothing(tmp_path):
    with pytest.raises(CampaignError, match="there is no such store; check the name"):
        open_store(tmp_path / "typo.db", create=False)
    with pytest.raises(
        CampaignError, match=r"cannot be opened: No such file.*in a folder that exi"
    ):
        open_store(tmp_path / "no" / "a.db")
    with pytest.raises(CampaignError, match=r"Is a directory|unable to open|cannot be opened"):
        open_store(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "store: got an empty name"),
        ("mysql://u@h/d", "got a URL of mysql, expected a file"),
        ("postgresql+psycopg2://u@h/d", r"got a URL of postgresql\+psycopg2"),
        ("sqlite://", "got a URL of sqlite"),
        ("://x", "the URL cannot be read"),
        ("postgresql://u@h:port/d", "the URL cannot be read"),
    ],
)
def test_a_url_that_is_none(url, words):
    with pytest.raises(CampaignError, match=words):
        open_store(url)


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("run,size,domain\n" * 200)
    before = path.read_bytes()
    with pytest.raises(CampaignError, match=r"runs.csv: the file is no SQLite database; name anot"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_database_of_another_program(tmp_path):
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE runs (id INTEGER)")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(CampaignError, match=r"a database of another program \(tables runs\)"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_damaged_file(tmp_path):
    path = tmp_path / "a.db"
    with open_store(path) as store:
        for i in range(50):
            store.create(f"c{i}", {"x": "y" * 500})
    whole = bytearray(path.read_bytes())
    whole[4096:] = b"\x5a" * (len(whole) - 4096)
    path.write_bytes(whole)
    with pytest.raises(CampaignError, match="the file is damaged; restore a copy"):
        open_store(path).campaigns()


def test_a_server_may_be_shared_with_other_programs(postgresql):
    url = postgresql.new()
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
    with open_store(url) as store:
        store.create("law", {})
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 0
    engine.dispose()


def test_a_password_is_never_shown(postgresql):
    url = f"postgresql://bayescmr:secret@/nowhere?host={postgresql.folder}"
    with pytest.raises(CampaignError, match="there is no such database; make it with") as caught:
        open_store(url)
    assert "secret" not in str(caught.value) and "***" in str(caught.value)


def test_without_sqlalchemy_the_extra_is_named():
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from bayescmr.campaign import open_store\n"
        "from bayescmr.errors import CampaignError\n"
        "try: open_store('x.db')\n"
        "except CampaignError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.endswith(
        "campaigns need the package sqlalchemy, which is not installed: pip install"
        " 'bayescmr[campaign]'\n"
    )
    assert not Path("x.db").exists()
