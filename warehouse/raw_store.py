"""The raw store: a DuckDB file of everything that was asked of models and came back."""

from __future__ import annotations

import errno
import os
import time
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from warehouse.errors import (
    RawStoreBusyError,
    RawStoreUnreadableError,
    RawStoreWriteError,
)
from warehouse.last_words import last_words
from warehouse.migrating import check_version, make, migrate, store_version
from warehouse.paths import raw_store_path as raw_store_path
from warehouse.records import VERSION
from warehouse.storage import connect_for_writing, why_no_database
from warehouse.whole_files import clean_up, disk_error, folder_beside, publish_new

if TYPE_CHECKING:
    from collections.abc import Iterator


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

KEPT = (
    "What was in it before is in it still, and shards that are not in it stay where they are; make"
    " room on the disk or mend what DuckDB names, and run the same command again"
)

NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system says that does not give a file a second name, such as FAT."""


@contextmanager
def open_raw_store(
    path: Path, *, read_only: bool = False, patience_seconds: float = 60.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the raw store at `path`, which is made if it is not there.

    DuckDB lets one process write a file or several read it: this waits for its turn. A store of an
    earlier version is brought up to date when it is opened for writing, with a backup beside it; a
    new one has its name when it is whole. Should DuckDB end the process over a failing disk, which
    cannot be caught, that says so and exits with 1.

    Raises:
        RawStoreBusyError: another process has held the file for `patience_seconds`.
        RawStoreUnreadableError: it is no file (but a folder, a pipe or the like), no DuckDB
            database, no raw store, or may not be read.
        RawStoreVersionError: a newer version has written it; or an older one, and it is to be read.
        MigrationError: it could not be brought up to date, and stays as it was.
        RawStoreWriteError: DuckDB cannot read or write it any more, for instance a full disk.
        DiskError: its folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(path.parent, error, "nothing was changed") from error
    _check_file(path)
    if not path.exists():
        _make(Path(os.path.realpath(path)))
        if read_only and not path.exists():
            with open_raw_store(path, patience_seconds=patience_seconds):
                pass
    with (
        ExitStack() as until_closed,
        nullcontext() if read_only else last_words(f"{path} could not be written. {KEPT}"),
        closing(_connected(path, patience_seconds, read_only=read_only)) as connection,
    ):
        try:
            if read_only:
                check_version(connection, path)
            else:
                migrate(connection, path, until_closed)
            yield connection
        except DISK_FAILURES as error:
            raise RawStoreWriteError(
                f"{path} could not be read or written: {error}. {KEPT}"
            ) from error


def migrate_raw_store(path: Path, *, patience_seconds: float = 60.0) -> None:
    """Bring the raw store at `path`, if there is one, up to date; one that is, is only read.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError, MigrationError:
            as `open_raw_store` for writing.
    """
    _check_file(path)
    if not path.exists():
        return
    with closing(_connected(path, patience_seconds, read_only=True)) as connection:
        is_current = store_version(connection, path) == VERSION
    if not is_current:
        with open_raw_store(path, patience_seconds=patience_seconds):
            pass


def _check_file(path: Path) -> None:
    if reason := why_no_database(path):
        raise RawStoreUnreadableError(
            f"{reason}; name the right file in EVALWH_GENERATIONS, or move it away"
        )


def _make(path: Path) -> None:
    """Have an empty raw store at `path`, whole, unless another process makes one meanwhile.

    A file of which DuckDB could write only the beginning can never be opened again. Where it cannot
    be done so, there is none yet, and DuckDB makes it when it is opened for writing.

    Raises:
        RawStoreWriteError: it cannot be written, and nothing of it is left.
        DiskError: likewise.
    """
    if path.with_name(path.name + ".wal").exists():
        # Of a store that was lost. Who opens the new one for writing makes it, and DuckDB removes
        # this under its lock.
        return
    clean_up(path.parent)
    nothing = "nothing of it is left"
    advice = "make room on the disk or mend it, and run the same command again"
    try:
        with (
            folder_beside(path) as folder,
            last_words(f"{path} could not be made, and {nothing}; {advice}", leftover=folder),
        ):
            made = folder / path.name
            with closing(connect_for_writing(made)) as connection:
                make(connection)
                connection.execute("checkpoint")
            publish_new(made, path)
    except FileExistsError:
        # Another process has made one in the meantime.
        return
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise disk_error(path, error, nothing) from error
    except duckdb.Error as error:
        raise RawStoreWriteError(
            f"{path} could not be made, and {nothing}: {error}; {advice}"
        ) from error


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
