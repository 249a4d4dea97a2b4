"""What stands in a database's place and is no file is refused by every command, at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.snapshot import NoSnapshotError, open_snapshot
from tests.dbt_project import REPOSITORY
from warehouse.builds import Build, building_path, unpublished_build
from warehouse.connection import attach_raw_store, connect_pinned, connect_read_only
from warehouse.door import Limits, read
from warehouse.errors import (
    BuildError,
    RawStoreUnreadableError,
    WarehouseMissingError,
    WarehouseUnreadableError,
)
from warehouse.raw_store import migrate_raw_store, open_raw_store
from warehouse.storage import why_no_database

EVALWH = str(Path(sys.executable).parent / "evalwh")

SAID = {
    "folder": "is a folder",
    "pipe": "is a named pipe",
    "socket": "is a socket",
    "device": "is a device",
    "loop": "Too many levels of symbolic links",
}


def put(kind: str, path: Path) -> None:
    """Put something of the kind at `path`."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # The name of a socket has to be short.
        with socket.socket(socket.AF_UNIX) as listener, working_in(path.parent):
            listener.bind(path.name)
    elif kind == "device":
        path.symlink_to("/dev/null")
    else:
        path.symlink_to(path.name)


@contextmanager
def working_in(folder: Path):
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture(params=SAID)
def odd(request, tmp_path):
    """The kind of what stands in the place of a database, and its path."""
    path = tmp_path / "odd.duckdb"
    put(request.param, path)
    return SAID[request.param], path


def test_a_warehouse_that_is_no_file_is_refused(odd):
    said, path = odd
    for opened in (connect_read_only, connect_pinned):
        with pytest.raises(WarehouseUnreadableError, match=rf"odd\.duckdb.* {said}.*; name the"):
            opened(path)
    with pytest.raises(WarehouseUnreadableError, match=said):
        read("select 1", Limits(seconds=20), warehouse=path)
    with pytest.raises(NoSnapshotError, match=said):
        open_snapshot(path)
    assert unpublished_build(path) is None
    with pytest.raises(BuildError, match=rf"{said}.*; move it away"):
        Build(path, "build")
    assert not building_path(path).exists()


def test_a_raw_store_that_is_no_file_is_refused(odd):
    said, path = odd
    for read_only in (True, False):
        with (
            pytest.raises(RawStoreUnreadableError, match=rf"odd\.duckdb.* {said}.*; name the"),
            open_raw_store(path, read_only=read_only),
        ):
            pass
    with pytest.raises(RawStoreUnreadableError, match=said):
        migrate_raw_store(path)
    assert said in (attach_raw_store(None, path) or "")


def test_a_link_to_a_device_names_both(tmp_path):
    path = tmp_path / "odd.duckdb"
    put("device", path)
    assert (
        why_no_database(path) == f"{path} (a link to /dev/null) is a device, and no DuckDB database"
    )


def test_a_link_to_nothing_is_named_with_its_target(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    path.symlink_to("elsewhere.duckdb")
    assert why_no_database(path) is None
    for error, opened in (
        (WarehouseMissingError, connect_read_only),
        (NoSnapshotError, open_snapshot),
    ):
        with pytest.raises(error, match=r"/warehouse\.duckdb \(a link to elsewhere\.duckdb\)"):
            opened(path)


@pytest.mark.parametrize(
    "command",
    [
        *("report", "sql from_nowhere", "export run folder", "status", "check", "load", "repair"),
        *("measure", "import nowhere", "forget run --yes"),
    ],
)
def test_a_command_ends_in_a_sentence(command, tmp_path):
    os.mkfifo(tmp_path / "odd.duckdb")
    said = subprocess.run(
        [EVALWH, *command.split()],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "EVALWH_WAREHOUSE": str(tmp_path / "odd.duckdb"),
            "EVALWH_GENERATIONS": str(tmp_path / "odd.duckdb"),
            "EVALWH_SHARDS": str(tmp_path / "shards"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, "Traceback" in said.stderr) == (1, False)
    assert "is a named pipe" in " ".join(said.stderr.split())
