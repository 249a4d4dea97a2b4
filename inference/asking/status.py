"""Status: what has been asked, answered and loaded, in the raw store and in shards beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warehouse.raw_store import open_raw_store
from warehouse.shard_files import shard_files

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


class Status(NamedTuple):
    """One run and benchmark."""

    run_id: str
    benchmark_id: str
    asked_count: int
    """Requests that the run needs of this benchmark."""
    answered_count: int
    """Of these, with an answer on the disk: loaded or in a shard."""
    failed_count: int
    """Of these, without an answer, and given up at least once."""
    loaded_count: int
    """Of these, with an answer in the raw store."""


QUERY = """
with
asked as (
    select distinct run_id, benchmark_id, request_id from raw.run_requests
    union
    select distinct run_id, benchmark_id, request_id from shard_requests
),
loaded as (select request_id from raw.answers),
waiting as (select distinct request_id from shard_answers),
failed as (
    select request_id from raw.failures
    union
    select request_id from shard_failures
)
select
    asked.run_id,
    asked.benchmark_id,
    count(*) as asked_count,
    count(*) filter (coalesce(loaded.request_id, waiting.request_id) is not null),
    count(*) filter (
        coalesce(loaded.request_id, waiting.request_id) is null
        and failed.request_id is not null
    ),
    count(loaded.request_id)
from asked
left join loaded on asked.request_id = loaded.request_id
left join waiting on asked.request_id = waiting.request_id
left join failed on asked.request_id = failed.request_id
group by all
order by all"""


def status(folder: Path, store: Path) -> list[Status]:
    """Every run and benchmark, by name. Damaged shards are not looked at.

    Raises:
        RawStoreBusyError: the raw store is being written for too long.
    """
    with open_raw_store(store, read_only=True) as connection:
        loaded = {
            name
            for (name,) in connection.execute("select shard_name from raw.loaded_shards").fetchall()
        }
        for kind, columns in (
            ("requests", "run_id, benchmark_id, request_id"),
            ("answers", "request_id"),
            ("failures", "request_id"),
        ):
            paths = [
                str(shard.path)
                for shard in shard_files(folder)
                if shard.kind == kind and shard.name not in loaded
            ]
            _view(connection, f"shard_{kind}", columns, paths)
        return [Status(*row) for row in connection.execute(QUERY).fetchall()]


def _view(connection: duckdb.DuckDBPyConnection, name: str, columns: str, paths: list[str]) -> None:
    if paths:
        connection.execute(
            f"create temp table {name} as select {columns} from read_parquet($paths)",
            {"paths": paths},
        )
    else:
        typed = ", ".join(f"null::varchar as {column}" for column in columns.split(", "))
        connection.execute(f"create temp table {name} as select {typed} where false")
