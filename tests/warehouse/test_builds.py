"""Builds: the files of a build, without dbt."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import duckdb
import pytest
from dbt_common.exceptions import DbtRuntimeError

from warehouse import build_plugin, builds
from warehouse.builds import Build, BuildState, building_path, record_path, unpublished_build
from warehouse.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from warehouse.builds import Build
build = Build(Path(sys.argv[1]), "build")
print("building", flush=True)
sys.stdin.read()
"""
"""A process that is building until its input ends."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "warehouse.duckdb"


def write(path: Path, number: int) -> None:
    with duckdb.connect(path) as connection:
        connection.execute(f"create or replace table numbers as select {number} as number")


def read(path: Path) -> int:
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute("from numbers").fetchall()[0][0]


def publish(path: Path, number: int) -> None:
    build = Build(path, "build")
    write(build.building, number)
    build.publish()


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    return process


def left_beside(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir()} - {path.name, record_path(path).name}


def test_what_is_built_is_seen_when_it_is_published_and_not_before(path):
    publish(path, 1)
    build = Build(path, "build")
    assert read(build.building) == 1
    write(build.building, 2)
    assert read(path) == 1
    build.publish()
    assert read(path) == 2
    assert unpublished_build(path) is None
    assert left_beside(path) == set()


def test_who_has_the_file_open_goes_on_reading_what_it_was(path):
    publish(path, 1)
    with duckdb.connect(path, read_only=True) as reader:
        publish(path, 2)
        assert reader.execute("from numbers").fetchall() == [(1,)]
    assert read(path) == 2


def test_who_has_the_file_open_for_writing_stops_no_build(path):
    publish(path, 1)
    session = (
        "import duckdb, sys; connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create table mine as select 7 as seven')\n"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", session, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert path.with_name("warehouse.duckdb.wal").exists()
        publish(path, 2)
        assert read(path) == 2
        process.communicate("")
    # What the session wrote at its end went into the file that it had open.
    assert read(path) == 2


def test_a_build_that_is_given_up_leaves_what_is_published_and_what_it_built(path):
    publish(path, 1)
    written = path.read_bytes()
    build = Build(path, "run")
    write(build.building, 2)
    build.give_up("two steps failed")
    assert path.read_bytes() == written
    assert read(building_path(path)) == 2
    found = unpublished_build(path)
    assert found is not None
    assert (found.state, found.command, found.reason) == (
        BuildState.FAILED,
        "run",
        "two steps failed",
    )
    # The next one begins with what is published.
    publish_nothing_new = Build(path, "build")
    assert read(publish_nothing_new.building) == 1
    publish_nothing_new.publish()
    assert unpublished_build(path) is None


def test_a_retry_goes_on_with_what_a_failed_build_has_left(path):
    publish(path, 1)
    build = Build(path, "build")
    write(build.building, 2)
    build.give_up("a step failed")
    retry = Build(path, "build", is_retry=True)
    assert read(retry.building) == 2
    retry.publish()
    assert read(path) == 2


def test_without_a_warehouse_a_build_goes_on_with_what_was_left(path):
    build = Build(path, "seed")
    write(build.building, 1)
    build.give_up("not all was built")
    assert not path.exists()
    build = Build(path, "run")
    assert read(build.building) == 1
    build.publish()
    assert read(path) == 1


@pytest.mark.parametrize("is_published", [True, False])
def test_what_a_killed_build_has_left_is_neither_published_nor_used(path, is_published):
    if is_published:
        publish(path, 1)
    with holder(path) as process:
        building = unpublished_build(path)
        write(building_path(path), 2)
        process.kill()
    killed = unpublished_build(path)
    assert building is not None
    assert killed is not None
    assert (building.state, killed.state) == (BuildState.RUNNING, BuildState.KILLED)
    assert building.started_at == killed.started_at
    with pytest.raises(BuildError, match=r"nothing to retry.* run `dbt build`"):
        Build(path, "build", is_retry=True)
    assert path.exists() == is_published
    build = Build(path, "build")
    assert build.building.exists() == is_published
    write(build.building, 3)
    build.publish()
    assert read(path) == 3
    assert left_beside(path) == set()


def test_the_second_of_two_builds_ends_with_a_sentence(path):
    publish(path, 1)
    with holder(path) as process:
        with pytest.raises(BuildError, match=r"another dbt is building .*warehouse\.duckdb now"):
            Build(path, "build")
        assert read(building_path(path)) == 1
        process.communicate("")
    publish(path, 2)
    assert read(path) == 2


def test_a_copy_that_does_not_fit_changes_nothing(path, monkeypatch):
    publish(path, 1)

    def write_half(_, target):
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(builds, "_copy", write_half)
    with pytest.raises(BuildError, match=r"No space left on device; the warehouse is as it was"):
        Build(path, "build")
    assert left_beside(path) == set()
    found = unpublished_build(path)
    assert found is not None
    assert found.state is BuildState.FAILED
    monkeypatch.undo()
    publish(path, 2)
    assert read(path) == 2


def test_a_rename_that_fails_leaves_what_is_published(path, monkeypatch):
    publish(path, 1)
    build = Build(path, "build")
    write(build.building, 2)

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(builds, "publish", fail)
    with pytest.raises(BuildError, match=r"could not take the place of .*Input/output error"):
        build.publish()
    assert read(path) == 1
    monkeypatch.undo()
    publish(path, 3)
    assert read(path) == 3


def test_a_file_that_is_still_written_is_not_published(path):
    publish(path, 1)
    build = Build(path, "build")
    with duckdb.connect(build.building) as connection:
        connection.execute("create table half as select 1 as one")
        with pytest.raises(BuildError, match="is still open"):
            build.publish()
    assert read(path) == 1


def test_a_killed_build_is_told_behind_a_link_too(path):
    target = path.parent / "file.db"
    target.parent.mkdir()
    path.symlink_to(target)
    with holder(path) as process:
        write(building_path(path), 1)
        process.kill()
    for name in (path, target):
        found = unpublished_build(name)
        assert found is not None
        assert found.state is BuildState.KILLED


def test_a_link_stays_a_link(path):
    path.parent.mkdir()
    target = path.parent / "elsewhere" / "file.db"
    target.parent.mkdir()
    path.symlink_to(target)
    build = Build(path, "build")
    with duckdb.connect(build.building) as connection:
        connection.execute("create table numbers as select 1 as number")
        # What views of the warehouse have been calling it.
        assert connection.execute("select current_catalog()").fetchall() == [("warehouse",)]
    build.publish()
    assert path.is_symlink()
    assert read(target) == 1


def test_the_permissions_of_the_warehouse_stay(path):
    publish(path, 1)
    path.chmod(0o640)
    publish(path, 2)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_copy_where_the_file_system_has_no_call_for_it_is_the_same(path, monkeypatch):
    publish(path, 1)

    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    build = Build(path, "build")
    assert build.building.read_bytes() == path.read_bytes()
    build.publish()


def test_dbt_waits_for_the_raw_store_once_and_not_for_every_step(path, monkeypatch):
    store = path.parent / "generations.duckdb"
    store.parent.mkdir()
    write(store, 1)
    monkeypatch.setattr(build_plugin, "RAW_STORE_PATIENCE_SECONDS", 0.2)
    credentials = SimpleNamespace(
        path=str(path), attach=[SimpleNamespace(path=str(store))], database="warehouse"
    )
    plugin = build_plugin.Plugin("build_plugin", {}, credentials)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(DbtRuntimeError, match="in use by another process"):
            plugin.update_connection_config(credentials, {})
        monkeypatch.setattr(build_plugin, "open_raw_store", None)
        with pytest.raises(DbtRuntimeError, match="in use by another process"):
            plugin.update_connection_config(credentials, {})
        process.communicate(b"\n")


def test_a_damaged_warehouse_is_told_in_a_sentence_and_left(path, monkeypatch):
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    written = path.read_bytes()
    told = {"WHICH": "build", "INVOCATION_COMMAND": "dbt build"}
    monkeypatch.setattr(build_plugin, "_flag", told.get)
    credentials = SimpleNamespace(path=str(path), attach=None, database="warehouse")
    plugin = build_plugin.Plugin("build_plugin", {}, credentials)
    with pytest.raises(DbtRuntimeError, match="if it is damaged, delete it and run `dbt build`"):
        plugin.update_connection_config(credentials, {})
    assert path.read_bytes() == written
    assert left_beside(path) == set()
    path.unlink()
    publish(path, 1)
    assert read(path) == 1


def plugin_of(path, monkeypatch):
    told = {"WHICH": "build", "INVOCATION_COMMAND": "dbt build"}
    monkeypatch.setattr(build_plugin, "_flag", told.get)
    credentials = SimpleNamespace(path=str(path), attach=None, database="warehouse")
    return build_plugin.Plugin("build_plugin", {}, credentials), credentials


def test_what_a_failed_build_left_half_written_keeps_no_later_one_out(path, monkeypatch):
    build = Build(path, "build")
    build.building.write_bytes(bytes(4096))
    build.give_up("the disk was full")
    plugin, credentials = plugin_of(path, monkeypatch)
    with pytest.raises(DbtRuntimeError, match=r"duckdb\.building cannot be written or opened: .*"):
        plugin.update_connection_config(credentials, {})
    assert left_beside(path) == set()
    plugin, credentials = plugin_of(path, monkeypatch)
    plugin.update_connection_config(credentials, {})
    assert credentials.path == str(building_path(path))


def test_dbt_is_told_in_a_sentence_that_duckdb_does_not_go_on(path, monkeypatch):
    class Ended:
        def execute(self, _):
            raise duckdb.FatalException("the database is invalid\nbecause fsync failed")

    plugin, credentials = plugin_of(path, monkeypatch)
    plugin.update_connection_config(credentials, {})
    with duckdb.connect() as connection:
        plugin.configure_cursor(connection.cursor())
    message = r"duckdb\.building can be read and written no more: the .* invalid; because fsync"
    with pytest.raises(DbtRuntimeError, match=message):
        plugin.configure_cursor(Ended())


def test_what_cannot_be_removed_is_no_second_fault(path, monkeypatch):
    build = Build(path, "build")
    build.building.write_bytes(b"half")

    def refuse(name, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(name))

    monkeypatch.setattr(os, "unlink", refuse)
    build.give_up("the disk can only be read", is_kept=False)
    assert unpublished_build(path).reason == "the disk can only be read"
