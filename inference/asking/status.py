"""Status: what has been asked, answered and loaded, in the raw store and in shards beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from warehouse.checking import check_rows
from warehouse.errors import ShardDamagedError, ShardNewerError, ShardUnreadableError
from warehouse.loading import in_order_of_need, remembered
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, read_shard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from warehouse.shard_files import ShardKind


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


COUNTED: dict[ShardKind, list[str]] = {
    "requests": ["run_id", "benchmark_id", "request_id"],
    "answers": ["request_id"],
    "failures": ["request_id"],
}
"""Columns of the shards that are counted, by kind."""

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


def status(
    folder: Path, store: Path, on_left_out: Callable[[str], None] = lambda _: None
) -> list[Status]:
    """Every run and benchmark, by name.

    `on_left_out` gets a message about each shard that is not counted: damaged, not to be read, or
    of a newer version. None is moved.

    Raises:
        RawStoreBusyError: the raw store is being written for too long.
    """
    found: dict[str, list[pa.Table]] = {kind: [] for kind in COUNTED}
    with open_raw_store(store, read_only=True) as connection:
        known = remembered(connection)
        for file in in_order_of_need(folder, known):
            if file.name in known:
                continue
            try:
                shard = read_shard(file)
                connection.register("shard", shard.table)
                check_rows(connection, file, shard.kind, "shard")
            except FileNotFoundError:
                # Another process has loaded and moved it meanwhile.
                continue
            except (ShardDamagedError, ShardNewerError, ShardUnreadableError) as error:
                on_left_out(str(error))
                continue
            if shard.kind in COUNTED:
                found[shard.kind].append(shard.table.select(COUNTED[shard.kind]))
        for kind, names in COUNTED.items():
            empty = SCHEMAS[kind].empty_table().select(names)
            connection.register(f"shard_{kind}", pa.concat_tables([empty, *found[kind]]))
        return [Status(*row) for row in connection.execute(QUERY).fetchall()]
