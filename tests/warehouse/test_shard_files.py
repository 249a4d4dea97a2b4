"""Shards of every version: earlier ones are read, later ones are left, damaged ones are named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.dbt_project import REPOSITORY
from tests.warehouse.installation import OLD_SHARDS
from tests.warehouse.written_shards import write_as_shard
from warehouse.errors import ShardDamagedError, ShardNewerError
from warehouse.loading import load
from warehouse.records import VERSION
from warehouse.shard_files import SCHEMAS, VERSION_KEY, read_shard, shard_files, write_shard

EVALWH = str(Path(sys.executable).parent / "evalwh")


def old_table(kind: str) -> pa.Table:
    """The table of a shard of version 1, as it was written."""
    (first, *_) = (shard for shard in shard_files(OLD_SHARDS) if shard.kind == kind)
    return pq.read_table(first.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shards"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "generations.duckdb"


def test_a_shard_says_its_version(folder):
    folder.mkdir()
    table = pa.table({name: [] for name in SCHEMAS["items"].names}, schema=SCHEMAS["items"])
    file = write_shard(folder, "session", 0, "items", table)
    assert pq.read_schema(file.path).metadata[VERSION_KEY] == str(VERSION).encode()
    assert read_shard(file).version == VERSION


EARLIER = {"code_version": None, "protocol_version": "", "is_recorded": False}
"""What rows of version 1 say in the columns that came later."""


@pytest.mark.parametrize("file", list(shard_files(OLD_SHARDS)), ids=lambda file: file.name[:34])
def test_what_a_shard_of_version_1_says_is_read_and_the_rest_is_as_it_was_then(file):
    assert VERSION_KEY not in (pq.read_schema(file.path).metadata or {})
    version, table = read_shard(file)[1:]
    assert version == 1
    assert table.schema == SCHEMAS[file.kind]
    written = pq.read_table(file.path)
    assert table.select(written.schema.names).equals(written)
    for name in set(table.schema.names) - set(written.schema.names):
        assert set(table[name].to_pylist()) == {EARLIER[name]}


def test_all_shards_of_version_1_are_loaded_and_none_is_set_aside(folder, store):
    shutil.copytree(OLD_SHARDS, folder)
    report = load(folder, store)
    assert (report.damaged, report.newer) == ([], [])
    assert report.shard_count == len(list(shard_files(OLD_SHARDS)))
    assert not list(shard_files(folder))
    with duckdb.connect(store, read_only=True) as connection:
        assert connection.execute(
            "select distinct shard_version from raw.loaded_shards"
        ).fetchall() == [(1,)]
        assert connection.execute(
            "select distinct code_version from raw.run_sessions"
        ).fetchall() == [(None,)]


def test_a_shard_of_a_newer_version_stays_and_the_others_are_loaded(folder, store):
    table = old_table("session").append_column("mood", pa.array(["fine"]))
    newer = write_as_shard(folder, table, metadata={VERSION_KEY: str(VERSION + 1)})
    # A later version may have kinds that this one has not.
    unknown = write_as_shard(folder, table, "moods", {VERSION_KEY: str(VERSION + 1)})
    write_as_shard(folder, old_table("items"), "items")
    for _ in range(2):
        report = load(folder, store)
        assert report.damaged == []
        for file, message in zip((newer, unknown), report.newer, strict=True):
            assert str(file.path) in message
            assert f"is of version {VERSION + 1}" in message
            assert "update evalwh" in message
            assert file.path.exists()
    with duckdb.connect(store, read_only=True) as connection:
        assert connection.execute("select kind from raw.loaded_shards").fetchall() == [("items",)]


def test_load_fails_where_a_shard_is_newer_and_says_so(folder, store):
    write_as_shard(folder, old_table("session"), metadata={VERSION_KEY: str(VERSION + 1)})
    done = subprocess.run(
        [EVALWH, "load"],
        cwd=REPOSITORY,
        env={"EVALWH_SHARDS": str(folder), "EVALWH_GENERATIONS": str(store), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "written by a newer evalwh" in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_that_nobody_here_knows_are_of_another_version(folder):
    more = old_table("session").append_column("mood", pa.nulls(len(old_table("session"))))
    for metadata in ({}, {VERSION_KEY: str(VERSION)}):
        file = write_as_shard(folder, more, metadata=metadata)
        with pytest.raises(ShardNewerError, match="does not know: mood"):
            read_shard(file)


def test_a_column_that_may_be_null_may_be_missing(folder):
    file = write_as_shard(folder, old_table("session").drop_columns(["gpu_names"]))
    assert read_shard(file).table["gpu_names"].null_count == len(old_table("session"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop_columns(["engine"]), "engine is missing, not string"),
        (
            lambda table: table.set_column(0, "run_id", pa.array([1] * len(table))),
            "run_id is int64, not string",
        ),
        (lambda table: table.append_column("engine", table["engine"]), "Multiple matches"),
    ],
)
def test_other_columns_than_the_version_has_are_damage(folder, change, said):
    file = write_as_shard(folder, change(old_table("session")))
    with pytest.raises(ShardDamagedError, match=said):
        read_shard(file)


@pytest.mark.parametrize("said", ["0", "-1", "two", ""])
def test_a_version_that_is_none_is_damage(folder, said):
    file = write_as_shard(folder, old_table("session"), metadata={VERSION_KEY: said})
    with pytest.raises(ShardDamagedError, match="says that it is of version"):
        read_shard(file)


def test_a_kind_that_there_is_not_is_damage(folder):
    file = write_as_shard(folder, old_table("session"), "moods")
    with pytest.raises(ShardDamagedError, match="names no kind"):
        read_shard(file)


def test_a_newer_shard_is_told_before_its_columns_are_looked_at(folder):
    file = write_as_shard(folder, pa.table({"a": [1]}), metadata={VERSION_KEY: "99"})
    with pytest.raises(ShardNewerError, match="version 99"):
        read_shard(file)
