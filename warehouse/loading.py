"""Loading: shards of inference into the raw store, each wholly and once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warehouse.checking import check_rows
from warehouse.errors import ShardDamagedError, ShardNewerError
from warehouse.raw_store import migrate_raw_store, open_raw_store
from warehouse.records import TABLES, columns
from warehouse.shard_files import read_shard, shard_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from warehouse.records import LoadedShard
    from warehouse.shard_files import Shard, ShardFile, ShardKind

LOADED = "loaded"
"""Subfolder of shards that are in the raw store."""

DAMAGED = "damaged"
"""Subfolder of shards that could not be read, set aside for a person to look at."""


def _added(table: str, source: str) -> str:
    """The statement that adds the rows of `source`, which are not in the table yet."""
    names = ", ".join(column.name for column in columns(TABLES[table].row))
    return f"insert into raw.{table} by name select {names} from {source}"


def _added_once(table: str) -> str:
    """The statement that adds what a shard has and the table has not, by its key."""
    names = ", ".join(column.name for column in columns(TABLES[table].row))
    key = ", ".join(TABLES[table].key)
    return (
        f"insert into raw.{table} by name select distinct on ({key}) {names} from shard"
        f" anti join raw.{table} using ({key})"
    )


STATEMENTS: dict[ShardKind, tuple[str, ...]] = {
    "session": (_added_once("run_sessions"),),
    "session_end": (_added_once("run_session_ends"),),
    "files": (_added_once("run_files"),),
    "items": (_added_once("items"),),
    "requests": tuple(_added_once(table) for table in ("prompts", "requests", "run_requests")),
    # The first answer of a request stays; it cannot be asked again, and is not replaced.
    "answers": (
        """
        create or replace temp table fresh as
        select distinct on (request_id) * from shard
        anti join raw.answers using (request_id)""",
        _added("generations", "fresh where completion_text is not null"),
        """
        insert into raw.log_likelihoods by name
        select
            request_id,
            unnest(range(len(log_likelihoods)))::integer as continuation_index,
            unnest(log_likelihoods) as log_likelihood,
            unnest(token_counts) as token_count,
            is_single_token
        from fresh
        where log_likelihoods is not null""",
        _added("answers", "fresh"),
    ),
    "failures": (_added_once("failures"),),
    "translations": (_added_once("translation_statistics"),),
    # An outcome that says nothing of the program gives way to one that does.
    "programs": (
        """
        delete from raw.program_outcomes
        using shard
        where program_outcomes.outcome = 'sandbox_error'
            and program_outcomes.request_id = shard.request_id
            and program_outcomes.item_hash = shard.item_hash
            and program_outcomes.measure_id = shard.measure_id
            and program_outcomes.measure_version = shard.measure_version""",
        _added_once("program_outcomes"),
    ),
    "logged_scores": (_added_once("logged_scores"),),
}
"""What a shard adds to the raw store, by its kind; `shard` is its table."""


@dataclass(slots=True)
class LoadReport:
    """What one call of `load` did."""

    shard_count: int = 0
    row_count: int = 0
    damaged: list[str] = field(default_factory=list)
    """Messages about shards that were set aside."""
    newer: list[str] = field(default_factory=list)
    """Messages about shards that a later version has written; they stay where they are."""


def load(
    folder: Path,
    store: Path,
    *,
    keep_files: bool = False,
    patience_seconds: float = 60.0,
    on_shard: Callable[[ShardFile], None] | None = None,
) -> LoadReport:
    """Bring the shards in `folder` into the raw store at `store`, a transaction each.

    A shard that is in is moved to the subfolder `loaded` (but with `keep_files`, which is for
    folders that are part of the project). Killed at any moment, or run twice at once, the next
    call goes on: the store remembers the shards that it holds. A shard whose bytes are not those
    that were written, or with a row that breaks a rule of `records`, is moved as a whole to the
    subfolder `damaged` and named in the report; one that a later version of this project has
    written is named and left. The store is brought up to date first, also
    where there is no shard.

    Raises:
        RawStoreBusyError: another process has held the raw store for `patience_seconds`.
        RawStoreUnreadableError: the raw store is no DuckDB database, or something else is in it.
        RawStoreVersionError: a later version of this project has written the raw store.
        MigrationError: the raw store could not be brought up to date, and stays as it was.
    """
    report = LoadReport()
    if not any(True for _ in shard_files(folder)):
        migrate_raw_store(store, patience_seconds=patience_seconds)
        return report
    with open_raw_store(store, patience_seconds=patience_seconds) as connection:
        # Every commit is on the disk, in the log. Folding the log into the file once, at the
        # end, takes half the time of doing it every 16 MB.
        connection.execute("set wal_autocheckpoint = '1GB'")
        known = {
            name
            for (name,) in connection.execute("select shard_name from raw.loaded_shards").fetchall()
        }
        for file in shard_files(folder):
            if file.name not in known:
                try:
                    shard = read_shard(file)
                except FileNotFoundError:
                    # Another process has loaded and moved it meanwhile.
                    continue
                except ShardNewerError as error:
                    report.newer.append(str(error))
                    continue
                except ShardDamagedError as error:
                    report.damaged.append(_set_aside(file, error, keep_files=keep_files))
                    continue
                try:
                    _insert(connection, file, shard)
                except ShardDamagedError as error:
                    report.damaged.append(_set_aside(file, error, keep_files=keep_files))
                    continue
                report.shard_count += 1
                report.row_count += shard.table.num_rows
            if not keep_files:
                _move(file, LOADED)
            if on_shard is not None:
                on_shard(file)
    return report


def _insert(connection: duckdb.DuckDBPyConnection, file: ShardFile, shard: Shard) -> None:
    row: LoadedShard = {
        "shard_name": file.name,
        "kind": file.kind,
        "row_count": shard.table.num_rows,
        "loaded_at": datetime.now(UTC),
        "shard_version": shard.version,
    }
    connection.begin()
    try:
        connection.register("shard", shard.table)
        check_rows(connection, file, shard.kind, "shard")
        for statement in STATEMENTS[shard.kind]:
            connection.execute(statement)
        connection.execute(
            f"insert into raw.loaded_shards ({', '.join(row)}) values"
            f" ({', '.join('?' for _ in row)})",
            list(row.values()),
        )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("shard")


def _set_aside(file: ShardFile, error: ShardDamagedError, *, keep_files: bool) -> str:
    if keep_files:
        return str(error)
    _move(file, DAMAGED)
    return f"{error}; it was set aside in {file.path.parent / DAMAGED}"


def _move(file: ShardFile, subfolder: str) -> None:
    target = file.path.parent / subfolder
    target.mkdir(exist_ok=True)
    # Another process may have moved it already.
    if file.path.exists():
        file.path.replace(target / file.name)
