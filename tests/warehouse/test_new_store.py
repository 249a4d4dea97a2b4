"""A new raw store has its name when it is whole, and nobody's is ever replaced."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import duckdb
import pytest

from tests.dbt_project import REPOSITORY
from tests.warehouse.test_checking import VALID
from tests.warehouse.test_disk_faults import evalwh, write
from warehouse import raw_store
from warehouse.raw_store import open_raw_store

MARK = (
    "insert into raw.loaded_shards by name select ? as shard_name, 'session' as kind,"
    " 0 as row_count, now() as loaded_at, 1 as shard_version"
)

MARKER = f"""
import os, pathlib, sys
from warehouse.raw_store import open_raw_store
sys.stdin.readline()
with open_raw_store(pathlib.Path(sys.argv[1])) as connection:
    connection.execute({MARK!r}, [str(os.getpid())])
"""
"""Waits for a line, and leaves its number in the raw store."""


def marks(store):
    with open_raw_store(store, read_only=True) as connection:
        rows = connection.execute("select shard_name from raw.loaded_shards order by all")
        return [name for (name,) in rows.fetchall()]


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize("size", [4096, 8192, 100_000])
def test_what_could_not_be_made_is_gone_and_the_next_command_makes_it(size, tmp_path):
    write(tmp_path / "shards", "session", [VALID["session"][1]], 0)
    said = evalwh(tmp_path, "load", size=size)
    assert (said.returncode, "Traceback" in said.stderr) == (1, False)
    assert f"{tmp_path / 'generations.duckdb'} could not be made" in said.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    said = evalwh(tmp_path, "load")
    assert (said.returncode, said.stderr) == (0, "")
    assert len(marks(tmp_path / "generations.duckdb")) == 1


def test_a_store_that_another_process_made_meanwhile_stays(tmp_path, monkeypatch):
    path = tmp_path / "generations.duckdb"
    make = raw_store.make

    def made_by_both(connection):
        make(connection)
        monkeypatch.undo()
        with open_raw_store(path) as other:
            other.execute(MARK, ["of the other"])

    monkeypatch.setattr(raw_store, "make", made_by_both)
    with open_raw_store(path) as connection:
        connection.execute(MARK, ["our own"])
    assert marks(path) == ["of the other", "our own"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow(seconds=3)
def test_processes_that_begin_at_once_share_one_store(tmp_path):
    path = tmp_path / "generations.duckdb"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MARKER, str(path)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.wait() for process in processes] == [0] * len(processes)
    for process in processes:
        process.stdin.close()
    assert marks(path) == sorted(str(process.pid) for process in processes)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_system_without_second_names_has_a_store_too(read_only, tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "generations.duckdb"
    with open_raw_store(path, read_only=read_only) as connection:
        assert connection.execute("select count(*) from raw.answers").fetchall() == [(0,)]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("read_only", [True, False])
def test_the_log_of_a_lost_store_is_not_taken_for_the_new_ones(read_only, tmp_path):
    path = tmp_path / "generations.duckdb"
    lost = tmp_path / "lost.duckdb"
    with duckdb.connect(lost) as connection:
        connection.execute("create table numbers as select 1 as number")
        shutil.copy(tmp_path / "lost.duckdb.wal", tmp_path / "generations.duckdb.wal")
    with open_raw_store(path, read_only=read_only) as connection:
        assert (
            connection.execute("from duckdb_tables() where table_name = 'numbers'").fetchall() == []
        )
    assert marks(path) == []


def test_a_link_to_nothing_yet_is_followed(tmp_path):
    path = tmp_path / "generations.duckdb"
    path.symlink_to(tmp_path / "elsewhere.duckdb")
    with open_raw_store(path) as connection:
        connection.execute(MARK, ["one"])
    assert path.is_symlink()
    assert marks(tmp_path / "elsewhere.duckdb") == ["one"]
