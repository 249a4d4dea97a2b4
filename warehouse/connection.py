"""Connection: opening the warehouse for reading."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from warehouse.errors import (
    WarehouseBusyError,
    WarehouseError,
    WarehouseMissingError,
    WarehouseUnreadableError,
)
from warehouse.storage import why_no_database, with_target

if TYPE_CHECKING:
    from collections.abc import Iterator

PINNED = "pinned"
"""The catalog of the file that a connection of `connect_pinned` reads."""


def warehouse_path() -> Path:
    """Path of the warehouse: EVALWH_WAREHOUSE, or data/warehouse.duckdb below the working folder.

    `warehouse/profiles.yml` says the same to dbt.
    """
    return Path(os.environ.get("EVALWH_WAREHOUSE") or "data/warehouse.duckdb")


def check_warehouse_file(path: Path) -> None:
    """Nothing, if what stands at `path` may be a warehouse, or nothing stands there.

    Raises:
        WarehouseUnreadableError: it is a folder, a pipe, a link that goes round, or the like.
    """
    if reason := why_no_database(path):
        raise WarehouseUnreadableError(
            f"{reason}; name the right file in EVALWH_WAREHOUSE, or move it away and run"
            " `dbt build`"
        )


def connect_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that can read the DuckDB file at `path` and cannot write it.

    It keeps no build out, and goes on reading the file that it opened when a build has published
    another one under this name.

    Raises:
        WarehouseMissingError: there is no file at `path`.
        WarehouseBusyError: another process has it open for writing, which no build has.
        WarehouseUnreadableError: the file is no DuckDB database, or may not be read.
    """
    with _explained(path):
        return duckdb.connect(path, read_only=True)


def connect_pinned(path: Path) -> duckdb.DuckDBPyConnection:
    """As `connect_read_only`, on the file that stands at `path` now.

    Of what this process has opened under this name before, DuckDB would open the same again. To be
    read through `pinned_cursor`.
    """
    connection = duckdb.connect()
    try:
        with _explained(path):
            connection.execute(f"attach {_quoted(path)} as {PINNED} (read_only)")
    except WarehouseError:
        connection.close()
        raise
    return connection


@contextmanager
def pinned_cursor(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor of its own for a thread, over a connection of `connect_pinned`."""
    with connection.cursor() as cursor:
        cursor.execute(f"use {PINNED}")
        yield cursor


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Has what DuckDB says when it cannot open `path` say what to do."""
    check_warehouse_file(path)
    if not path.exists():
        raise WarehouseMissingError(
            f"there is no warehouse at {with_target(path)}: run `make run` or `dbt build` first"
        )
    try:
        yield
    except duckdb.Error as error:
        message = str(error)
        # DuckDB has no class of its own for this, hence the look at the message.
        if "Could not set lock" in message:
            holder = re.search(r"\(PID (\d+)\)", message)
            writer = f"process {holder[1]}" if holder else "another process"
            raise WarehouseBusyError(
                f"{path} is open for writing in {writer}, which is no build; end it there, or open"
                " it there for reading only, and try again"
            ) from error
        raise WarehouseUnreadableError(
            f"{path} cannot be opened as a DuckDB database: {message}. If it is not one, name the"
            " right file in EVALWH_WAREHOUSE; if it is damaged, delete it and run `dbt build`"
        ) from error


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def attach_raw_store(connection: duckdb.DuckDBPyConnection, path: Path) -> str | None:
    """Make the staging views readable, which are views over the raw store at `path`.

    Returns:
        Why it could not be attached, for instance because it is being written; null if it was,
        and where there is none.
    """
    if reason := why_no_database(path):
        return reason
    if not path.exists():
        return None
    try:
        connection.execute(f"attach {_quoted(path)} as generations (read_only)")
    except duckdb.Error as error:
        return str(error)
    return None
