"""The raw store: a DuckDB file of everything that was asked of models and came back."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import duckdb

from warehouse.errors import RawStoreBusyError, RawStoreUnreadableError, RawStoreWriteError
from warehouse.migrating import check_version, migrate, store_version
from warehouse.paths import raw_store_path as raw_store_path
from warehouse.records import VERSION
from warehouse.storage import connect_for_writing
from warehouse.whole_files import disk_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


DISK_FAILURES = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.OutOfMemoryException,
    duckdb.SerializationException,
    # What a commit that cannot be written raises.
    duckdb.TransactionException,
)
"""What DuckDB raises where a disk is full, fails, or gives other bytes than were written."""


@contextmanager
def open_raw_store(
    path: Path, *, read_only: bool = False, patience_seconds: float = 60.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the raw store at `path`, which is made if it is not there.

    DuckDB lets one process write a file or several read it: this waits for its turn. A store of an
    earlier version is brought up to date when it is opened for writing, with a backup beside it.

    Raises:
        RawStoreBusyError: another process has held the file for `patience_seconds`.
        RawStoreUnreadableError: the file is no DuckDB database, no raw store, or may not be read.
        RawStoreVersionError: a newer version has written it; or an older one, and it is to be read.
        MigrationError: it could not be brought up to date, and stays as it was.
        RawStoreWriteError: DuckDB cannot read or write it any more, for instance a full disk.
        DiskError: its folder cannot be made.
    """
    if read_only and not path.exists():
        with open_raw_store(path, patience_seconds=patience_seconds):
            pass
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(path.parent, error, "nothing was changed") from error
    with (
        ExitStack() as until_closed,
        closing(_connected(path, patience_seconds, read_only=read_only)) as connection,
    ):
        if read_only:
            check_version(connection, path)
        else:
            migrate(connection, path, until_closed)
        try:
            yield connection
        except DISK_FAILURES as error:
            raise RawStoreWriteError(
                f"{path} could not be read or written: {error}. What was in it before is in it"
                " still, and shards that are not in it stay where they are; make room on the disk"
                " or mend what DuckDB names, and run the same command again"
            ) from error


def migrate_raw_store(path: Path, *, patience_seconds: float = 60.0) -> None:
    """Bring the raw store at `path`, if there is one, up to date; one that is, is only read.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError, MigrationError:
            as `open_raw_store` for writing.
    """
    if not path.exists():
        return
    with closing(_connected(path, patience_seconds, read_only=True)) as connection:
        is_current = store_version(connection, path) == VERSION
    if not is_current:
        with open_raw_store(path, patience_seconds=patience_seconds):
            pass


def _connected(
    path: Path, patience_seconds: float, *, read_only: bool
) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            if read_only:
                return duckdb.connect(path, read_only=True)
            return connect_for_writing(path)
        except duckdb.Error as error:
            # DuckDB has no class of its own for this, hence the look at the message.
            if "Could not set lock" not in str(error):
                raise RawStoreUnreadableError(
                    f"{path} cannot be opened as a DuckDB database: {error}"
                ) from error
            if time.monotonic() > deadline:
                raise RawStoreBusyError(
                    f"{path} has been in use by another process (dbt build? evalwh load?) for"
                    f" {patience_seconds:.0f} s: {error}; try again when it is done"
                ) from error
        time.sleep(0.1)
