"""Forgetting: what a run asked and was told, taken out of the raw store and of its shards.

What another run asks too stays, with its answer. A shard with rows that are forgotten is written
again without them, and the old one is kept in the subfolder `forgotten`, which nothing reads.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from warehouse.errors import (
    NothingToForgetError,
    RawStoreWriteError,
    ShardDamagedError,
    ShardUnreadableError,
    WarehouseError,
)
from warehouse.loading import DAMAGED, LOADED, STEPS, load, main_table, remembered
from warehouse.raw_store import open_raw_store
from warehouse.records import VERSION
from warehouse.shard_files import NAME, read_shard, shard_files, write_shard

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from warehouse.shard_files import ShardFile, ShardKind

FORGOTTEN = "forgotten"
"""Subfolder of shards with rows that were forgotten, as they were."""


class What(NamedTuple):
    """What is to be forgotten: a run, or of it a benchmark, a request, or both."""

    run_id: str
    benchmark_id: str | None = None
    request_id: str | None = None


class Forgotten(NamedTuple):
    """How much is forgotten."""

    mapping_count: int
    """Requests of the run, by item."""
    answer_count: int
    """Answers, which can be asked for again."""
    shared_count: int
    """Requests whose answer stays because other runs need it."""
    shared_with: list[str]
    """These runs."""
    set_aside: tuple[str, ...] = ()
    """Shards of the run that could not be read, and are in the subfolder `damaged` now."""


SELECTED = """
create or replace temp table forgotten_mappings as
select * from raw.run_requests
where run_id = $run_id
    and ($benchmark_id is null or benchmark_id = $benchmark_id)
    and ($request_id is null or request_id = $request_id);

create or replace temp view kept_mappings as
select * from raw.run_requests
where not (
    run_id = $run_id
    and ($benchmark_id is null or benchmark_id = $benchmark_id)
    and ($request_id is null or request_id = $request_id)
);
"""

FOLLOWING = """
create or replace temp table forgotten_requests as
select distinct request_id from forgotten_mappings anti join kept_mappings using (request_id);

create or replace temp table forgotten_items as
select distinct item_hash from forgotten_mappings anti join kept_mappings using (item_hash);

create or replace temp table forgotten_prompts as
select distinct requests.prompt_id from raw.requests
semi join forgotten_requests using (request_id)
where requests.prompt_id not in (
    select requests.prompt_id from raw.requests anti join forgotten_requests using (request_id)
);

create or replace temp table forgotten_benchmarks as
select distinct run_id, benchmark_id from forgotten_mappings
anti join kept_mappings using (run_id, benchmark_id);

-- A session goes with its run, but where an answer that stays came in it.
create or replace temp table forgotten_sessions as
select session_id from raw.run_sessions
where run_id in (select run_id from forgotten_mappings)
    and run_id not in (select run_id from kept_mappings)
    and session_id not in (
        select session_id from raw.answers anti join forgotten_requests using (request_id)
        union all
        select session_id from raw.failures anti join forgotten_requests using (request_id)
    );

-- A session that needed what is forgotten has no longer come to its end: more is to be asked.
create or replace temp table forgotten_ends as
select session_id from raw.run_sessions
where exists (
    select 1 from forgotten_mappings
    where forgotten_mappings.run_id = run_sessions.run_id
        and list_contains(run_sessions.benchmark_ids, forgotten_mappings.benchmark_id)
);
"""

_REQUEST = "request_id in (select request_id from forgotten_requests)"
_SESSION = "session_id in (select session_id from forgotten_sessions)"
_END = "session_id in (select session_id from forgotten_ends)"
_MAPPING = (
    "(run_id, benchmark_id, request_id) in"
    " (select (run_id, benchmark_id, request_id) from forgotten_mappings)"
)
_FILE = "(run_id, benchmark_id) in (select (run_id, benchmark_id) from forgotten_benchmarks)"
_ITEM = "item_hash in (select item_hash from forgotten_items)"

OF_SHARDS: dict[ShardKind, str] = {
    "session": _SESSION,
    "session_end": _END,
    "files": _FILE,
    "items": _ITEM,
    "requests": _MAPPING,
    "answers": _REQUEST,
    "failures": _REQUEST,
    "translations": _REQUEST,
    "programs": _REQUEST,
    "logged_scores": _REQUEST,
}
"""Which rows of a shard are forgotten, by its kind."""

OF_TABLES = {
    "translation_statistics": _REQUEST,
    "program_outcomes": _REQUEST,
    "logged_scores": _REQUEST,
    "failures": _REQUEST,
    "log_likelihoods": _REQUEST,
    "generations": _REQUEST,
    "answers": _REQUEST,
    "run_requests": _MAPPING,
    "requests": _REQUEST,
    "prompts": "prompt_id in (select prompt_id from forgotten_prompts)",
    "items": _ITEM,
    "run_files": _FILE,
    "run_session_ends": _END,
    "run_sessions": _SESSION,
}
"""Which rows of a table are forgotten."""


def what_would_go(store: Path, what: What) -> Forgotten:
    """How much `forget` would take away.

    Raises:
        NothingToForgetError: there is no such run, benchmark or request.
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError: as of `open_raw_store`.
    """
    with open_raw_store(store, read_only=True) as connection:
        return _select(connection, what)


def forget(folder: Path, store: Path, what: What) -> Forgotten:
    """Take it out of the raw store and of the shards in `folder`; what it was is returned.

    Loaded shards of the run's sessions that cannot be read are moved to the subfolder `damaged`.
    The store no longer remembers them, nor those that are gone: what is asked or imported again
    may well be the same bytes, and would be taken for loaded.

    Shards come first: killed in between, the next call finds the same in the store and goes on.

    Raises:
        NothingToForgetError: there is no such run, benchmark or request.
        RawStoreWriteError: DuckDB cannot write the raw store; it is as it was.
        DiskError: a shard cannot be written; the raw store is as it was.
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError, MigrationError: as of
            `load`.
    """
    load(folder, store)
    with open_raw_store(store) as connection:
        forgotten = _select(connection, what)
        written: list[tuple[ShardFile, pa.Table]] = []
        set_aside: list[str] = []
        own = _own_shards(connection, what.run_id)
        whole: set[str] = set()
        replaced: list[str] = []
        changed: set[str] = set()
        for place in (folder, folder / LOADED):
            for file in shard_files(place):
                try:
                    table = read_shard(file).table
                except (ShardDamagedError, ShardUnreadableError):
                    if place != folder and file.name in own:
                        (folder / DAMAGED).mkdir(exist_ok=True)
                        file.path.replace(folder / DAMAGED / file.name)
                        set_aside.append(file.name)
                    continue
                except (WarehouseError, OSError):
                    # It is not loaded either.
                    continue
                whole.add(file.name)
                kept = _kept(connection, file, table)
                if kept.num_rows < table.num_rows:
                    if kept.num_rows:
                        written.append((_write_again(file, kept), kept))
                    (folder / FORGOTTEN).mkdir(exist_ok=True)
                    file.path.replace(folder / FORGOTTEN / file.name)
                    replaced.append(file.name)
        connection.begin()
        try:
            for table_name, condition in OF_TABLES.items():
                ((gone,),) = connection.execute(
                    f"delete from raw.{table_name} where {condition}"
                ).fetchall()
                if gone:
                    changed.add(table_name)
            connection.execute(
                "delete from raw.loaded_shards where shard_name in (select unnest(?))",
                [[*replaced, *(own - whole)]],
            )
            for file, kept in written:
                connection.execute(
                    "insert or ignore into raw.loaded_shards by name select"
                    " ? as shard_name, ? as kind, ? as row_count,"
                    " ?::timestamptz as loaded_at, ? as shard_version",
                    [file.name, file.kind, kept.num_rows, datetime.now(UTC), VERSION],
                )
            _remember_no_rows(connection, changed)
            connection.commit()
        except duckdb.Error as error:
            raise RawStoreWriteError(
                f"{store} could not be written: {error}. Nothing of it was forgotten, and the"
                f" shards as they were are in {folder / FORGOTTEN}; make room on the disk or mend"
                " what DuckDB names, and run the same command again"
            ) from error
    return forgotten._replace(set_aside=tuple(set_aside))


def _own_shards(connection: duckdb.DuckDBPyConnection, run_id: str) -> set[str]:
    """Names of the loaded shards that sessions of the run have written."""
    sessions = connection.execute(
        "select session_id from raw.run_sessions where run_id = ?", [run_id]
    ).fetchall()
    names = {session for (session,) in sessions}
    return {name for name in remembered(connection) if name.partition(".")[0] in names}


def _select(connection: duckdb.DuckDBPyConnection, what: What) -> Forgotten:
    given = what._asdict()
    for statement in SELECTED.split(";"):
        if statement.strip():
            quoted = statement
            for name, value in given.items():
                literal = "null" if value is None else "'" + value.replace("'", "''") + "'"
                quoted = quoted.replace(f"${name}", literal)
            connection.execute(quoted)
    connection.execute(FOLLOWING)
    ((mapping_count, request_count),) = connection.execute(
        "select count(*), count(distinct request_id) from forgotten_mappings"
    ).fetchall()
    if not mapping_count:
        runs = connection.execute(
            "select distinct run_id from raw.run_requests order by all"
        ).fetchall()
        named = ", ".join(f"{name} {value!r}" for name, value in given.items() if value is not None)
        raise NothingToForgetError(
            f"the raw store has nothing of {named}; its runs are"
            f" {', '.join(run for (run,) in runs) or 'none'}"
        )
    ((answer_count, own_count),) = connection.execute(
        "select (select count(*) from raw.answers semi join forgotten_requests using (request_id)),"
        " (select count(*) from forgotten_requests)"
    ).fetchall()
    shared_with = connection.execute(
        "select distinct run_id from kept_mappings semi join forgotten_mappings using (request_id)"
        " order by all"
    ).fetchall()
    return Forgotten(
        mapping_count, answer_count, request_count - own_count, [run for (run,) in shared_with]
    )


def _remember_no_rows(connection: duckdb.DuckDBPyConnection, changed: set[str]) -> None:
    """Have shards that are elsewhere stay remembered, without rows where none of theirs is left.

    Else a table that was emptied on purpose would look like one that lost its rows.
    """
    for kind in STEPS:
        if (table := main_table(kind)) in changed:
            connection.execute(
                "update raw.loaded_shards set row_count = 0 where kind = ?"
                f" and not exists (select 1 from raw.{table})",
                [kind],
            )


def _kept(connection: duckdb.DuckDBPyConnection, file: ShardFile, shard: pa.Table) -> pa.Table:
    condition = next(text for kind, text in OF_SHARDS.items() if kind == file.kind)
    connection.register("shard", shard)
    kept = connection.execute(
        f"select * from shard where ({condition}) is not true"
    ).to_arrow_table()
    connection.unregister("shard")
    return kept.cast(shard.schema)


def _write_again(file: ShardFile, kept: pa.Table) -> ShardFile:
    named = NAME.fullmatch(file.name)
    if named is None:
        raise WarehouseError(f"{file.path} is not named like a shard")
    kind = next(kind for kind in OF_SHARDS if kind == file.kind)
    return write_shard(file.path.parent, named["session"], int(named["number"]), kind, kept)
