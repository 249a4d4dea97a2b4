"""Loading: shards of inference into the raw store, each wholly and once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from warehouse.checking import check_determined, check_references, check_rows
from warehouse.errors import (
    ShardDamagedError,
    ShardNewerError,
    ShardUnreadableError,
    ShardWaitingError,
)
from warehouse.raw_store import migrate_raw_store, open_raw_store
from warehouse.records import TABLES, columns
from warehouse.shard_files import SET, SHARDS, read_shard, shard_files, shard_sets
from warehouse.whole_files import clean_up, disk_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from warehouse.records import LoadedShard
    from warehouse.shard_files import Shard, ShardFile, ShardKind

LOADED = "loaded"
"""Subfolder of shards that are in the raw store."""

DAMAGED = "damaged"
"""Subfolder of shards that could not be read, set aside for a person to look at."""


class Step(NamedTuple):
    """One statement of those that bring a shard in."""

    statement: str
    table: str = ""
    """The table that gets what it has not yet of the shard's rows; empty for none."""


def rows_of(table: str, source: str) -> str:
    """A query of the rows that `source`, in the columns of a shard, has for the table."""
    if table == "log_likelihoods":
        return f"""
            select
                request_id,
                unnest(range(len(log_likelihoods)))::integer as continuation_index,
                unnest(log_likelihoods) as log_likelihood,
                unnest(token_counts) as token_count,
                is_single_token
            from {source}
            where log_likelihoods is not null"""
    names = ", ".join(column.name for column in columns(TABLES[table].row))
    having = " where completion_text is not null" if table == "generations" else ""
    return f"select {names} from {source}{having}"


def _added(table: str, source: str) -> Step:
    """The step that adds the rows of `source`, which are not in the table yet."""
    return Step(f"insert into raw.{table} by name {rows_of(table, source)}", table)


def _added_once(table: str) -> Step:
    """The step that adds what a shard has and the table has not, by its key."""
    names = ", ".join(column.name for column in columns(TABLES[table].row))
    key = ", ".join(TABLES[table].key)
    return Step(
        f"insert into raw.{table} by name select distinct on ({key}) {names} from shard"
        f" anti join raw.{table} using ({key})",
        table,
    )


STEPS: dict[ShardKind, tuple[Step, ...]] = {
    "session": (_added_once("run_sessions"),),
    "session_end": (_added_once("run_session_ends"),),
    "files": (_added_once("run_files"),),
    "items": (_added_once("items"),),
    "requests": tuple(_added_once(table) for table in ("prompts", "requests", "run_requests")),
    # The first answer of a request stays; it cannot be asked again, and is not replaced.
    "answers": (
        Step(
            """
            create or replace temp table fresh as
            select distinct on (request_id) * from shard
            anti join raw.answers using (request_id)"""
        ),
        *(_added(table, "fresh") for table in ("generations", "log_likelihoods", "answers")),
    ),
    "failures": (_added_once("failures"),),
    "translations": (_added_once("translation_statistics"),),
    # An outcome that says nothing of the program gives way to one that does.
    "programs": (
        Step(
            """
            delete from raw.program_outcomes
            using shard
            where program_outcomes.outcome = 'sandbox_error'
                and program_outcomes.request_id = shard.request_id
                and program_outcomes.item_hash = shard.item_hash
                and program_outcomes.measure_id = shard.measure_id
                and program_outcomes.measure_version = shard.measure_version"""
        ),
        _added_once("program_outcomes"),
    ),
    "logged_scores": (_added_once("logged_scores"),),
}
"""What a shard adds to the raw store, by its kind; `shard` is its table."""


def main_table(kind: ShardKind) -> str:
    """The table of the raw store that has a row for each row of a shard of that kind, once."""
    return next(step.table for step in reversed(STEPS[kind]) if step.table)


@dataclass(slots=True)
class LoadReport:
    """What one call of `load` did."""

    shard_count: int = 0
    row_count: int = 0
    damaged: list[str] = field(default_factory=list)
    """Messages about shards that were set aside."""
    newer: list[str] = field(default_factory=list)
    """Messages about shards that a later version has written; they stay where they are."""
    waiting: list[str] = field(default_factory=list)
    """Messages about shards that name what is nowhere; they stay where they are."""
    unreadable: list[str] = field(default_factory=list)
    """Messages about what is named like a shard and cannot be read or moved; it stays, too."""

    @property
    def refused(self) -> list[str]:
        """All that was not brought in, and why."""
        return self.damaged + self.newer + self.waiting + self.unreadable


def load(
    folder: Path,
    store: Path,
    *,
    keep_files: bool = False,
    patience_seconds: float = 60.0,
    on_shard: Callable[[ShardFile], None] | None = None,
) -> LoadReport:
    """Bring the shards in `folder` into the raw store at `store`, a transaction each or each set.

    A shard that is in is moved to the subfolder `loaded` (but with `keep_files`, which is for
    folders that are part of the project). Killed at any moment, or run twice at once, the next
    call goes on: the store remembers the shards that it holds. Those in `loaded` that it does not
    remember, because it or its log was lost, are brought in again.

    Kinds of shards come one after another, each after those whose rows it names. A shard whose
    bytes are not those that were written, or with a row that breaks a rule of `records`, is moved
    as a whole to the subfolder `damaged` and named in the report. One that a later version of this
    project has written, that names what neither the store nor another shard has, or that cannot be
    read, is named and left. The store is brought up to date first, also where there is no shard.

    Raises:
        RawStoreBusyError: another process has held the raw store for `patience_seconds`.
        RawStoreUnreadableError: the raw store is no DuckDB database, or something else is in it.
        RawStoreVersionError: a later version of this project has written the raw store.
        RawStoreWriteError: DuckDB cannot write it, for instance to a full disk; what is in stays.
        MigrationError: the raw store could not be brought up to date, and stays as it was.
    """
    report = LoadReport()
    clean_up(folder)
    if not _is_there_more(folder, store, patience_seconds):
        return report
    with open_raw_store(store, patience_seconds=patience_seconds) as connection:
        # Every commit is on the disk, in the log. Folding the log into the file once, at the
        # end, takes half the time of doing it every 16 MB.
        connection.execute("set wal_autocheckpoint = '1GB'")
        known = remembered(connection)
        handled: set[str] = set()
        listed: set[str] = set()
        while units := _together(folder, known, handled):
            names = {file.name for files in units for file in files}
            if names <= listed:
                break
            # What shards wait for may have been written while the folder was listed.
            listed |= names
            report.waiting.clear()
            for files in units:
                fresh = [file for file in files if file.name not in known]
                is_in = _is_in(connection, folder, files, fresh, report, keep_files=keep_files)
                if is_in is not None:
                    handled.update(file.name for file in files)
                if is_in and not keep_files:
                    _move_or_say(files, folder, store, report)
                if is_in and on_shard is not None:
                    for file in files:
                        on_shard(file)
    return report


def _is_in(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    files: Sequence[ShardFile],
    fresh: Sequence[ShardFile],
    report: LoadReport,
    *,
    keep_files: bool,
) -> bool | None:
    """Whether the raw store has the shards now; null if they wait for others."""
    try:
        if fresh:
            report.row_count += bring_in(connection, fresh).row_count
            report.shard_count += len(fresh)
    except FileNotFoundError:
        # Another process has loaded and moved it meanwhile.
        return False
    except ShardWaitingError as error:
        report.waiting.append(str(error))
        return None
    except ShardNewerError as error:
        report.newer.append(str(error))
        return False
    except ShardUnreadableError as error:
        report.unreadable.append(str(error))
        return False
    except ShardDamagedError as error:
        report.damaged.append(_set_aside(folder, files, error, keep_files=keep_files))
        return False
    return True


def _move_or_say(files: Sequence[ShardFile], folder: Path, store: Path, report: LoadReport) -> None:
    try:
        _move(files, folder / LOADED)
    except OSError as error:
        kept = f"its rows are in {store}, and it stays where it is"
        report.unreadable.append(str(disk_error(files[0].path, error, kept)))


def remembered(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of the shards that the raw store of the connection holds."""
    rows = connection.execute("select shard_name from raw.loaded_shards").fetchall()
    return {name for (name,) in rows}


def in_order_of_need(folder: Path, known: set[str]) -> list[ShardFile]:
    """The shards of `folder`, and those of its `loaded` that are not known, what is named first."""
    files = [*shard_files(folder)]
    files += [file for file in shard_files(folder / LOADED) if file.name not in known]
    ranks: dict[str, int] = {kind: rank for rank, kind in enumerate(SHARDS)}
    return sorted(files, key=lambda file: (ranks.get(file.kind, len(ranks)), file.name))


def _together(folder: Path, known: set[str], handled: set[str]) -> list[list[ShardFile]]:
    """What is brought in, a transaction each: single shards, and sets; not what is handled."""
    singles = [[file] for file in in_order_of_need(folder, known)]
    units = singles + [in_order_of_need(path, set()) for path in shard_sets(folder)]
    return [files for files in units if not handled.issuperset(file.name for file in files)]


def _is_there_more(folder: Path, store: Path, patience_seconds: float) -> bool:
    """Whether there is a shard to bring in or to move; the store is brought up to date anyway."""
    if any(True for _ in shard_files(folder)) or shard_sets(folder):
        return True
    migrate_raw_store(store, patience_seconds=patience_seconds)
    loaded = {file.name for file in shard_files(folder / LOADED)}
    if not loaded or not store.exists():
        return bool(loaded)
    with open_raw_store(store, read_only=True, patience_seconds=patience_seconds) as connection:
        return not loaded <= remembered(connection)


class Brought(NamedTuple):
    """What a transaction brought in."""

    row_count: int
    """Rows of the shards."""
    added_count: int
    """Rows that the raw store had not yet, over all of its tables."""


def bring_in(connection: duckdb.DuckDBPyConnection, files: Sequence[ShardFile]) -> Brought:
    """Add to the raw store of the connection what it has not yet of the shards, or nothing.

    Raises:
        ShardDamagedError, ShardNewerError, ShardUnreadableError, FileNotFoundError: as of
            `read_shard`; and the first of these where a row breaks a rule.
        ShardWaitingError: a row names what is not there.
        duckdb.Error: the store cannot be written; it is as it was.
    """
    row_count = added_count = 0
    connection.begin()
    try:
        for file in files:
            shard = read_shard(file)
            row_count += shard.table.num_rows
            added_count += _add(connection, file, shard)
        connection.commit()
    except BaseException:
        # Where the disk is full, DuckDB has taken it back already.
        with suppress(duckdb.Error):
            connection.rollback()
        raise
    return Brought(row_count, added_count)


def _add(connection: duckdb.DuckDBPyConnection, file: ShardFile, shard: Shard) -> int:
    """Add the shard in the transaction that is under way; how many rows were new."""
    row: LoadedShard = {
        "shard_name": file.name,
        "kind": file.kind,
        "row_count": shard.table.num_rows,
        "loaded_at": datetime.now(UTC),
        "shard_version": shard.version,
    }
    added_count = 0
    connection.register("shard", shard.table)
    try:
        check_rows(connection, file, shard.kind, "shard")
        check_references(connection, file, shard.kind, "shard")
        repeated: set[str] = set()
        for statement, table in STEPS[shard.kind]:
            result = connection.execute(statement)
            if table:
                ((count,),) = result.fetchall()
                added_count += count
                if count < shard.table.num_rows:
                    repeated.add(table)
        check_determined(connection, file, shard.kind, "shard", frozenset(repeated))
        connection.execute(
            f"insert or ignore into raw.loaded_shards ({', '.join(row)}) values"
            f" ({', '.join('?' for _ in row)})",
            list(row.values()),
        )
    finally:
        with suppress(duckdb.Error):
            connection.unregister("shard")
    return added_count


def _set_aside(
    folder: Path, files: Sequence[ShardFile], error: ShardDamagedError, *, keep_files: bool
) -> str:
    if keep_files:
        return str(error)
    target = folder / DAMAGED
    place = files[0].path.parent
    try:
        if place.suffix == SET and not (target / place.name).exists():
            # Whole, so that it can be tried again as a whole.
            target.mkdir(exist_ok=True)
            place.replace(target / place.name)
        else:
            _move(files, target)
    except OSError as failure:
        return f"{error}; it could not be set aside in {folder / DAMAGED} ({failure.strerror})"
    others = f" with the {len(files) - 1} shards of its set" if len(files) > 1 else ""
    return f"{error}; it was set aside{others} in {folder / DAMAGED}"


def _move(files: Sequence[ShardFile], target: Path) -> None:
    target.mkdir(exist_ok=True)
    for file in files:
        # Another process may have moved it already, and what was loaded from there stays there.
        if file.path.parent != target and file.path.exists():
            file.path.replace(target / file.name)
    for place in {file.path.parent for file in files}:
        if place.suffix == SET:
            with suppress(OSError):
                place.rmdir()
