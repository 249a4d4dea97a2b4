"""Migrating: the raw store brought to the version of this code, and nothing of it lost.

`migrations/` holds one SQL file per version, numbered from 1. The store remembers in
`raw.migrations` which were applied; one that remembers nothing was made before there were versions,
and the first file makes all of these alike. Each file is applied in one transaction: a process that
is killed leaves a store of one version or the next, and the next call goes on.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from warehouse.errors import MigrationError, RawStoreUnreadableError, RawStoreVersionError
from warehouse.records import TABLES, columns
from warehouse.whole_files import whole_file

if TYPE_CHECKING:
    from contextlib import ExitStack

LOGGER = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"

HISTORY = """
create schema if not exists raw;

create table if not exists raw.migrations (
    version integer not null primary key,
    migration varchar not null,
    applied_at timestamptz not null
);
"""


MADE_ANEW = (
    "Move it away and run `evalwh load`: a new one is filled from the shards in the subfolder"
    " `loaded`, which have all that was asked and answered"
)


class Step(NamedTuple):
    """One step of the raw store, from the version before it."""

    version: int
    path: Path


def migrations() -> list[Step]:
    """All steps, in their order; the last one's version is that of this code."""
    return [
        Step(int(path.name.partition("_")[0]), path)
        for path in sorted(MIGRATIONS.glob("[0-9]*.sql"))
    ]


def store_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The version of the open raw store at `path`: 0 if it is empty, 1 if it does not say.

    Raises:
        RawStoreUnreadableError: the database holds something else, or is of this version and lacks
            a table or a column of it.
        RawStoreVersionError: a later version of this project has written it.
    """
    tables = {
        f"{schema}.{table}"
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables()"
            " where database_name = current_database()"
        ).fetchall()
    }
    if not tables:
        return 0
    if not any(name.startswith("raw.") for name in tables):
        raise RawStoreUnreadableError(
            f"{path} is no raw store: it holds {', '.join(sorted(tables)[:5])}; name the right file"
            " in EVALWH_GENERATIONS"
        )
    applied = _applied(connection)
    if not applied and "raw.migrations" in tables:
        # It is made and filled in one transaction.
        raise RawStoreUnreadableError(
            f"{path} does not say of which version it is: raw.migrations was emptied. {MADE_ANEW}"
        )
    # One that remembers nothing was made before there were versions.
    applied = applied or 1
    newest = migrations()[-1].version
    if applied > newest:
        raise RawStoreVersionError(
            f"{path} was written by a newer evalwh: it is of version {applied}, and this one reads"
            f" up to {newest}. Update evalwh; or, to go back, put a backup of version {newest} in"
            " its place, if there is one beside it"
        )
    if applied == newest and (lacking := _lacking(connection)):
        raise RawStoreUnreadableError(f"{path} lacks {', '.join(lacking)}. {MADE_ANEW}")
    return applied


def check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Nothing, if the open raw store at `path` can be read by this code.

    Raises:
        RawStoreVersionError: it is of another version; the message says what to do.
        RawStoreUnreadableError: as of `store_version`.
    """
    found = store_version(connection, path)
    newest = migrations()[-1].version
    if found < newest:
        raise RawStoreVersionError(
            f"{path} is of version {found}, and this evalwh reads version {newest}: run"
            " `evalwh load`, which brings it up to date and keeps a backup beside it"
        )


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of a raw store in the empty database of the connection.

    Raises:
        duckdb.Error: they cannot be written.
    """
    _apply_after(connection, 0)


def migrate(connection: duckdb.DuckDBPyConnection, path: Path, until_closed: ExitStack) -> None:
    """Bring the raw store at `path`, open for writing, to the version of this code.

    Before the first step, a copy is kept beside it, named after version and time. What has to stay
    open until the connection is closed is entered into `until_closed`.

    Raises:
        MigrationError: a step or the backup failed; the store is of its last whole version.
        RawStoreVersionError: a later version of this project has written it.
        RawStoreUnreadableError: as of `store_version`.
    """
    found = store_version(connection, path)
    steps = migrations()
    newest = steps[-1].version
    if found == newest:
        return
    try:
        backup = _back_up(connection, path, found, until_closed) if found else None
    except (OSError, duckdb.Error) as error:
        raise MigrationError(f"{path} cannot be backed up and stays as it was: {error}") from error
    # A store of version 1 that does not say it may lack what the first step mends.
    recorded = _applied(connection)
    try:
        _apply_after(connection, recorded)
    except (duckdb.Error, MigrationError) as error:
        # Its tables are not those of its version; the disk can do nothing about it.
        is_otherwise = isinstance(error, MigrationError | duckdb.ProgrammingError)
        is_as_before = False
        # After a fault of the disk DuckDB may answer nothing more.
        with suppress(duckdb.Error):
            is_as_before = _applied(connection) == recorded
        if backup and is_as_before:
            # A copy of what is there still; another one each time would fill the disk.
            backup.unlink()
        raise MigrationError(
            f"{path} cannot be brought from version {found} to {newest}: {error}. It is as it was"
            f" before the step that failed"
            f"{f'; a backup is {backup}' if backup and not is_as_before else ''}"
            f"{f'. {MADE_ANEW}' if is_otherwise else ''}"
        ) from error
    if backup:
        LOGGER.warning(
            "%s was brought from version %d to %d; a backup is %s", path, found, newest, backup
        )


def differences(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Columns of the open raw store that are not as the records say, with their types."""
    declared = {
        (table.name, one.name, one.sql_type.upper(), one.is_nullable)
        for table in TABLES.values()
        for one in columns(table.row)
    }
    found = set(
        connection.execute(
            """
            select table_name, column_name, data_type, is_nullable
            from duckdb_columns()
            where database_name = current_database() and schema_name = 'raw'
                and table_name in (select unnest(?))""",
            [list(TABLES)],
        ).fetchall()
    )
    return [
        f"{table}.{name} {sql_type} {'null' if is_nullable else 'not null'} ({where})"
        for where, ones in (("missing", declared - found), ("unknown", found - declared))
        for table, name, sql_type, is_nullable in sorted(ones)
    ]


def _lacking(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables and columns of the records that the open raw store has not, or of another type."""
    found: dict[str, dict[str, str]] = {}
    for table, name, sql_type in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'raw'"
    ).fetchall():
        found.setdefault(table, {})[name] = sql_type
    lacking = []
    for table in TABLES.values():
        if table.name not in found:
            lacking.append(f"the table raw.{table.name}")
            continue
        lacking += [
            f"the column {one.name} ({one.sql_type}) of raw.{table.name}"
            for one in columns(table.row)
            if found[table.name].get(one.name) != one.sql_type.upper()
        ]
    return lacking


def _applied(connection: duckdb.DuckDBPyConnection) -> int:
    """The last step that the store remembers; 0 for none."""
    is_there = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'raw' and table_name = 'migrations'"
    ).fetchall()[0][0]
    if not is_there:
        return 0
    return int(
        connection.execute("select coalesce(max(version), 0) from raw.migrations").fetchall()[0][0]
    )


def _apply_after(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Apply all steps after this version, each in a transaction."""
    steps = migrations()
    for step in steps:
        if step.version > version:
            _apply(connection, step, is_last=step is steps[-1])


def _apply(connection: duckdb.DuckDBPyConnection, step: Step, *, is_last: bool) -> None:
    connection.begin()
    try:
        connection.execute(HISTORY)
        connection.execute(step.path.read_text(encoding="utf-8"))
        connection.execute(
            "insert into raw.migrations values (?, ?, ?)",
            [step.version, step.path.name, datetime.now(UTC)],
        )
        if is_last and (differing := differences(connection)):
            raise MigrationError(f"its columns would not be those of the records: {differing}")
    except BaseException:
        # Where the disk is full, DuckDB has taken it back already.
        with suppress(duckdb.Error):
            connection.rollback()
        raise
    connection.commit()


def _back_up(
    connection: duckdb.DuckDBPyConnection, path: Path, version: int, until_closed: ExitStack
) -> Path:
    """The path of a copy of the store, which was opened and holds as many rows."""
    # What a process that was killed left of its backup: whoever has the store open is alone.
    for left in path.parent.glob(f".{path.stem}.version-*.tmp"):
        left.unlink()
    connection.execute("checkpoint")
    size = path.stat().st_size
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(
            f"a copy takes {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free in {path.parent}"
        )
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    backup = path.with_name(f"{path.stem}.version-{version}.{moment}.backup.duckdb")
    # Closing any handle of a file drops the locks that the process has on it (POSIX), and DuckDB's
    # is one: this handle is closed after DuckDB's.
    source = until_closed.enter_context(path.open("rb"))
    with whole_file(backup) as written:
        with written.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 24)
        with duckdb.connect(written, read_only=True) as copy:
            if _row_counts(copy) != _row_counts(connection):
                raise OSError(f"the copy {backup} does not hold what the store holds")
    return backup


def _row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = connection.execute(
        "select format('{}.{}', schema_name, table_name) from duckdb_tables()"
        " where database_name = current_database() order by all"
    ).fetchall()
    return {
        name: connection.execute(f"select count(*) from {name}").fetchall()[0][0]
        for (name,) in names
    }
