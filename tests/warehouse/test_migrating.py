"""Migrating: a raw store of any version comes to this one, or stays as it was and says why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from tests.warehouse.installation import OLD_SHARDS, unpacked
from warehouse import migrating
from warehouse.errors import MigrationError, RawStoreUnreadableError, RawStoreVersionError
from warehouse.loading import load
from warehouse.raw_store import migrate_raw_store, open_raw_store
from warehouse.records import TABLES, VERSION, columns

pytestmark = pytest.mark.slow(seconds=20)

EVALWH = str(Path(sys.executable).parent / "evalwh")

OLD_TABLES = [name for name in TABLES if name != "migrations"]

MIGRATE = """
import sys, pathlib
from warehouse import migrating
from warehouse.raw_store import open_raw_store
migrating.MIGRATIONS = pathlib.Path(sys.argv[2])
with open_raw_store(pathlib.Path(sys.argv[1])):
    pass
"""


def content(store: Path) -> dict[str, tuple[int, int]]:
    """Rows of each table, and a hash of what the columns of version 1 say."""
    found = {}
    with closing(duckdb.connect(store, read_only=True)) as connection:
        for table in OLD_TABLES:
            old = ", ".join(c.name for c in columns(TABLES[table].row) if c.since.version == 1)
            found[table] = connection.execute(
                "select count(*), bit_xor(hash(to_json(row)))"
                f" from (select {old} from raw.{table}) as row"
            ).fetchall()[0]
    return found


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    try:
        return connection.execute("select max(version) from raw.migrations").fetchall()[0][0]
    except duckdb.CatalogException:
        return 1


def backups(store: Path) -> list[Path]:
    return sorted(store.parent.glob(f"{store.stem}.version-*.backup.duckdb"))


@pytest.fixture(scope="module")
def old_store(tmp_path_factory) -> Path:
    return unpacked("generations.duckdb", tmp_path_factory.mktemp("old"))


@pytest.fixture
def store(old_store, tmp_path) -> Path:
    return Path(shutil.copy(old_store, tmp_path))


class Shape(NamedTuple):
    """What a test may find of a store on the disk."""

    files: list[str]
    version: int


def shape(store: Path) -> Shape:
    with closing(duckdb.connect(store, read_only=True)) as connection:
        return Shape(sorted(one.name for one in store.parent.iterdir()), version_of(connection))


def test_an_old_store_is_brought_up_to_date_with_a_backup_beside_it(store, old_store, caplog):
    before = content(store)
    with open_raw_store(store) as connection:
        assert migrating.differences(connection) == []
        assert connection.execute(
            "select version, migration from raw.migrations order by version"
        ).fetchall() == [(step.version, step.path.name) for step in migrating.migrations()]
    assert content(store) == before
    assert sum(count for count, _ in before.values()) > 4_000
    (backup,) = backups(store)
    assert backup.name.startswith("generations.version-1.2")
    assert backup.read_bytes() == old_store.read_bytes()
    assert f"from version 1 to {VERSION}; a backup is {backup}" in caplog.text


VALUES = {
    "VARCHAR": "'x'",
    "JSON": "'{}'",
    "BOOLEAN": "true",
    "INTEGER": "1",
    "BIGINT": "1",
    "DOUBLE": "0.5",
    "TIMESTAMP WITH TIME ZONE": "now()",
}
"""A value of each type of the raw store, as SQL; those of lists are empty lists."""


def test_a_store_with_rows_in_every_table_is_brought_up_to_date(store):
    # An installation may hold what the kept one does not: some statements fail on rows only.
    with closing(duckdb.connect(store)) as connection:
        for table in OLD_TABLES:
            types = connection.execute(
                "select data_type from duckdb_columns()"
                " where schema_name = 'raw' and table_name = ? order by column_index",
                [table],
            ).fetchall()
            values = ["[]" if name.endswith("[]") else VALUES[name] for (name,) in types]
            connection.execute(f"insert into raw.{table} values ({', '.join(values)})")
    before = {table: row_count for table, (row_count, _) in content(store).items()}
    assert min(before.values()) > 0
    migrate_raw_store(store)
    assert {table: row_count for table, (row_count, _) in content(store).items()} == before
    with closing(duckdb.connect(store, read_only=True)) as connection:
        recorded = connection.execute("select distinct is_recorded from raw.program_outcomes")
        assert recorded.fetchall() == [(False,)]


def test_a_store_that_is_up_to_date_is_left_alone(store):
    migrate_raw_store(store)
    written = store.read_bytes()
    migrate_raw_store(store)
    with open_raw_store(store):
        pass
    with open_raw_store(store, read_only=True):
        pass
    assert store.read_bytes() == written
    assert len(backups(store)) == 1


def test_a_new_store_has_no_backup(tmp_path):
    store = tmp_path / "generations.duckdb"
    migrate_raw_store(store)
    assert not store.exists()
    with open_raw_store(store, read_only=True):
        pass
    assert shape(store) == Shape([store.name], VERSION)


def test_a_store_of_before_there_were_imports_is_recognised(store):
    with closing(duckdb.connect(store)) as connection:
        # As at commit dc78763.
        connection.execute("drop table raw.logged_scores")
        connection.execute("delete from raw.answers where attempt_count is null")
        connection.execute("alter table raw.answers alter column attempt_count set not null")
    with open_raw_store(store) as connection:
        assert migrating.differences(connection) == []


def test_loading_nothing_brings_the_store_up_to_date_too(store):
    load(store.parent / "shards", store)
    assert shape(store).version == VERSION


def test_what_reads_says_what_to_do_and_changes_nothing(store):
    written = store.read_bytes()
    with (
        pytest.raises(RawStoreVersionError, match=r"is of version 1.* run `evalwh load`"),
        open_raw_store(store, read_only=True),
    ):
        pass
    assert store.read_bytes() == written
    assert backups(store) == []


def test_dbt_says_what_to_do_in_a_sentence(store):
    environment = dbt_environment(store.parent)
    said = run_dbt("build", "--select", "stg_items", env=environment)
    assert said.returncode != 0
    assert "run `evalwh load`, which brings it up to date" in said.stdout
    assert "Traceback" not in said.stdout


@pytest.mark.parametrize("read_only", [True, False])
def test_a_store_of_a_newer_version_is_refused_and_left(store, read_only):
    with open_raw_store(store) as connection:
        connection.execute(
            "insert into raw.migrations values (?, 'later.sql', now())", [VERSION + 1]
        )
    written = store.read_bytes()
    with (
        pytest.raises(RawStoreVersionError, match=f"newer evalwh: it is of version {VERSION + 1}"),
        open_raw_store(store, read_only=read_only),
    ):
        pass
    with pytest.raises(RawStoreVersionError, match="Update evalwh"):
        load(OLD_SHARDS, store, keep_files=True)
    assert store.read_bytes() == written


@pytest.mark.parametrize("forgotten", ["true", "version > 1"])
def test_a_store_that_has_lost_its_versions_says_how_all_comes_back(forgotten, tmp_path):
    shutil.copytree(REPOSITORY / "warehouse" / "demo", tmp_path / "shards")
    path = tmp_path / "generations.duckdb"
    assert load(tmp_path / "shards", path).refused == []
    with closing(duckdb.connect(path)) as connection:
        before = connection.execute("from raw.answers order by all").fetchall()
        connection.execute(f"delete from raw.migrations where {forgotten}")
    places = {"EVALWH_GENERATIONS": str(path), "EVALWH_SHARDS": str(tmp_path / "shards")}
    for command in ("load", "repair"):
        said = subprocess.run(
            [str(Path(sys.executable).parent / "evalwh"), command],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 1
        assert "Move it away and run `evalwh load`" in said.stderr
        assert len(said.stderr.splitlines()) == 1
    path.rename(tmp_path / "away.duckdb")
    assert load(tmp_path / "shards", path).refused == []
    with closing(duckdb.connect(path, read_only=True)) as connection:
        assert connection.execute("from raw.answers order by all").fetchall() == before


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A folder with a raw store of this version, and its shards."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copytree(REPOSITORY / "warehouse" / "demo", folder / "shards")
    assert load(folder / "shards", folder / "generations.duckdb").refused == []
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "alter table raw.answers drop column latency_seconds",
            "the column latency_seconds (double) of raw.answers",
        ),
        (
            "alter table raw.answers alter column latency_seconds type varchar",
            "the column latency_seconds (double) of raw.answers",
        ),
        ("drop table raw.failures", "the table raw.failures"),
        (
            "drop table raw.loaded_shards; alter table raw.items drop column target",
            "the column target (varchar) of raw.items, the table raw.loaded_shards",
        ),
    ],
)
def test_a_store_that_lacks_a_part_says_which_and_how_all_comes_back(
    change, said, filled, tmp_path
):
    folder = Path(shutil.copytree(filled, tmp_path / "data"))
    path = folder / "generations.duckdb"
    with closing(duckdb.connect(path)) as connection:
        connection.execute(change)
    sentence = f"{path} lacks {said}. {migrating.MADE_ANEW}"
    places = {"EVALWH_GENERATIONS": str(path), "EVALWH_SHARDS": str(folder / "shards")}
    for command in ("load", "check", "repair", "status", "measure"):
        answer = subprocess.run(
            [EVALWH, command],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (command, answer.returncode) == (command, 1)
        assert (command, answer.stdout) == (command, "")
        assert answer.stderr.splitlines() == [f"Error: {sentence}"]
    built = run_dbt("build", "--select", "stg_items", env=dbt_environment(folder))
    assert built.returncode != 0
    assert f" {said}. {migrating.MADE_ANEW}" in built.stdout
    assert "Traceback" not in built.stdout
    path.rename(folder / "away.duckdb")
    assert load(folder / "shards", path).refused == []
    with closing(duckdb.connect(path, read_only=True)) as connection:
        assert version_of(connection) == VERSION


def test_another_database_is_not_taken_for_a_raw_store(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with closing(duckdb.connect(path)) as connection:
        connection.execute("create schema marts; create table marts.dim_models (model_id varchar)")
    with pytest.raises(RawStoreUnreadableError, match=r"no raw store.*marts\.dim_models"):
        load(OLD_SHARDS, path, keep_files=True)


def test_a_store_with_a_column_missing_stays_as_it_was(store):
    with closing(duckdb.connect(store)) as connection:
        connection.execute("alter table raw.items drop column subset")
    with pytest.raises(MigrationError, match=r"items\.subset VARCHAR not null \(missing\).*backup"):
        migrate_raw_store(store)
    assert len(backups(store)) == 1
    with closing(duckdb.connect(store, read_only=True)) as connection:
        # The first step, which changes nothing in such a store, is in.
        assert version_of(connection) == 1
        assert connection.execute("select count(*) from raw.items").fetchall() == [(229,)]


def test_without_room_for_a_backup_nothing_is_done(store, monkeypatch):
    written = store.read_bytes()
    usage = shutil.disk_usage(store.parent)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(MigrationError, match=r"a copy takes \d MB, and 1 MB are free"):
        migrate_raw_store(store)
    assert store.read_bytes() == written
    assert shape(store) == Shape([store.name], 1)


def test_a_backup_that_does_not_hold_all_stops_it(store, monkeypatch):
    monkeypatch.setattr(shutil, "copyfileobj", lambda source, target, length: target.write(b"half"))
    with pytest.raises(MigrationError, match="cannot be backed up and stays as it was"):
        migrate_raw_store(store)
    assert shape(store) == Shape([store.name], 1)


def test_while_it_migrates_no_other_process_gets_in(store, monkeypatch):
    held = []

    def attempt(connection):
        held.append(
            subprocess.run(
                [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1])", store],
                capture_output=True,
                text=True,
                check=False,
            ).stderr
        )
        return []

    # The last thing before the commit, when the backup has been made.
    monkeypatch.setattr(migrating, "differences", attempt)
    migrate_raw_store(store)
    assert ["Could not set lock" in error for error in held] == [True]


def test_three_at_once_migrate_once_and_load_everything_once(store, tmp_path):
    shards = tmp_path / "shards"
    shutil.copytree(OLD_SHARDS, shards)
    with closing(duckdb.connect(store)) as connection:
        connection.execute("delete from raw.loaded_shards")
    before = content(store)
    environment = {**os.environ, "EVALWH_SHARDS": str(shards), "EVALWH_GENERATIONS": str(store)}
    loads = [subprocess.Popen([EVALWH, "load"], cwd=REPOSITORY, env=environment) for _ in range(3)]
    assert [process.wait(120) for process in loads] == [0, 0, 0]
    assert len(backups(store)) == 1
    del before["loaded_shards"]
    assert {table: found for table, found in content(store).items() if table in before} == before


def test_killed_in_the_middle_of_a_step_the_next_call_goes_on(store, tmp_path, monkeypatch):
    before = content(store)
    steps = tmp_path / "migrations"
    shutil.copytree(migrating.MIGRATIONS, steps)
    begun = tmp_path / "begun.csv"
    last = steps / f"{VERSION + 1:04d}_slow.sql"
    # It has deleted everything when it is killed.
    last.write_text(
        f"create table raw.extra (number integer); delete from raw.answers;"
        f" copy (select 1) to '{begun}';"
        " select count(*) from range(1000000000000) as numbers (number) where hash(number) = 1;"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATE, str(store), str(steps)], cwd=REPOSITORY
    )
    deadline = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    assert begun.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    # The steps before are in, each wholly.
    assert shape(store).version == VERSION
    assert content(store) == before
    last.write_text("create table raw.extra (number integer)")
    monkeypatch.setattr(migrating, "MIGRATIONS", steps)
    with open_raw_store(store) as connection:
        assert version_of(connection) == VERSION + 1
        assert connection.execute("select count(*) from raw.extra").fetchall() == [(0,)]
    assert content(store) == before


def test_killed_at_any_moment_nothing_is_lost(old_store, tmp_path):
    before = content(old_store)
    killed = 0
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        store = Path(shutil.copy(old_store, folder))
        process = subprocess.Popen(
            [sys.executable, "-c", MIGRATE, str(store), str(migrating.MIGRATIONS)], cwd=REPOSITORY
        )
        # From the first file beside it on, which is its log or its backup.
        deadline = time.monotonic() + 60
        while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.001)
        time.sleep(0.01 * number)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        migrate_raw_store(store)
        assert content(store) == before
        assert shape(store).version == VERSION
        assert not list(folder.glob(".*.tmp"))
        for backup in backups(store):
            assert content(backup) == before
    assert killed >= 2
