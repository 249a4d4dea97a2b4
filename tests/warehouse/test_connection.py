"""Opening the warehouse, and what a reader is told when that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from warehouse.connection import (
    connect_pinned,
    connect_read_only,
    pinned_cursor,
    warehouse_path,
)
from warehouse.errors import (
    WarehouseBusyError,
    WarehouseMissingError,
    WarehouseUnreadableError,
)

WRITER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table numbers as select 1 as number")
print("writing", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table numbers as select 1 as number")
    return path


def test_the_path_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALWH_WAREHOUSE", "/somewhere/else.duckdb")
    assert warehouse_path() == Path("/somewhere/else.duckdb")


@pytest.mark.parametrize("value", [None, ""])
def test_the_path_is_below_the_working_folder_otherwise(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("EVALWH_WAREHOUSE", raising=False)
    else:
        monkeypatch.setenv("EVALWH_WAREHOUSE", value)
    assert warehouse_path() == Path("data/warehouse.duckdb")


def test_a_connection_reads_and_does_not_write(database: Path) -> None:
    with connect_read_only(database) as connection:
        assert connection.execute("select number from numbers").fetchall() == [(1,)]
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("drop table numbers")


def test_two_readers_share_the_file(database: Path) -> None:
    with connect_read_only(database), connect_read_only(database) as second:
        assert second.execute("select count(*) from numbers").fetchall() == [(1,)]


def test_a_pinned_connection_reads_the_file_that_it_found(database: Path) -> None:
    with connect_pinned(database) as earlier:
        newer = database.with_name("newer.duckdb")
        with duckdb.connect(newer) as connection:
            connection.execute("create table numbers as select 2 as number")
        newer.replace(database)
        with connect_pinned(database) as later:
            for connection, expected in ((earlier, 1), (later, 2)):
                with pinned_cursor(connection) as cursor:
                    assert cursor.execute("from numbers").fetchall() == [(expected,)]
                    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                        cursor.execute("drop table numbers")


@pytest.mark.parametrize("name", ["it's.duckdb", "warehouse.duckdb"])
def test_a_pinned_connection_says_what_any_other_says(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(WarehouseMissingError, match="run `make run` or `dbt"):
        connect_pinned(path)
    path.write_text("model_id,score")
    with pytest.raises(WarehouseUnreadableError, match="cannot be opened"):
        connect_pinned(path)
    path.unlink()
    with duckdb.connect(path) as connection:
        connection.execute("create table numbers as select 1 as number")
    with connect_pinned(path) as connection, pinned_cursor(connection) as cursor:
        assert cursor.execute("from numbers").fetchall() == [(1,)]


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "nothing.duckdb"
    with pytest.raises(WarehouseMissingError, match=r"nothing\.duckdb: run `make run` or `dbt"):
        connect_read_only(path)
    assert not path.exists()


def test_a_file_that_is_being_written_names_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        with pytest.raises(WarehouseBusyError, match=f"open for writing in process {writer.pid}"):
            connect_read_only(path)
        writer.communicate("")
    with connect_read_only(path) as connection:
        assert connection.execute("select number from numbers").fetchall() == [(1,)]


def test_what_a_killed_writer_left_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        writer.kill()
    with connect_read_only(path) as connection:
        assert connection.execute("select number from numbers").fetchall() == [(1,)]


@pytest.mark.parametrize("content", [b"", b"model_id,score\n" * 1_000])
def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(WarehouseUnreadableError, match=r"scores\.csv cannot be opened"):
        connect_read_only(path)
    assert path.read_bytes() == content
