"""Restoring: items, and the files they are of, that the raw store has lost and a benchmark has.

An item is named by its content: what is read out of the benchmark's files again is the lost one
where its hash is the one that requests name. Prompts and requests need the model's tokenizer, and
come back with `evalwh run`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inference.asking.running import benchmark_files, file_rows, item_hash_of, item_row
from inference.errors import InferenceError
from inference.planning.declarations import read_benchmark
from inference.planning.items import read_items
from warehouse.errors import WarehouseError
from warehouse.loading import in_order_of_need, load, remembered
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, read_shard, write_shard

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.shard_files import ShardKind

ASKED = ["run_id", "benchmark_id", "protocol_version", "item_hash"]

LACKING = """
with
asked as (
    select run_id, benchmark_id, protocol_version, item_hash from raw.run_requests
    union
    select run_id, benchmark_id, protocol_version, item_hash from waiting_requests
),
runs as (
    select distinct on (run_id) run_id, item_set, protocol from raw.run_sessions
    where item_set != 'imported'
    order by run_id, session_id
)
select
    asked.run_id,
    asked.benchmark_id,
    asked.protocol_version,
    runs.item_set,
    runs.protocol,
    list(asked.item_hash),
    coalesce(list(asked.item_hash) filter (items.item_hash is null), []),
    bool_and(files.run_id is null)
from asked
inner join runs on asked.run_id = runs.run_id
left join raw.items on asked.item_hash = items.item_hash
left join (
    select distinct run_id, benchmark_id, protocol_version from raw.run_files
) as files
    on asked.run_id = files.run_id
    and asked.benchmark_id = files.benchmark_id
    and files.protocol_version in (asked.protocol_version, '')
group by all
having count(*) filter (items.item_hash is null) > 0 or bool_and(files.run_id is null)
order by all"""


def restore_items(
    folder: Path, store: Path, cache: Path, session_id: str
) -> tuple[dict[str, int], list[str]]:
    """Bring lost items and files of runs back from the benchmarks' files in `cache`.

    Returns:
        The number of items and files that came back, by benchmark; and messages about what did
        not.

    Raises:
        RawStoreBusyError, RawStoreWriteError, DiskError: as of `load` and of writing shards.
    """
    with open_raw_store(store) as connection:
        waiting = _waiting_requests(folder, remembered(connection))
        connection.register("waiting_requests", waiting)
        lacking = connection.execute(LACKING).fetchall()
    found: dict[str, int] = {}
    problems: list[str] = []
    number = 0
    for run, name, version, item_set, protocol, hashes, lost, has_no_files in lacking:
        try:
            benchmark = read_benchmark(name, protocol)
            files = benchmark_files(benchmark, item_set, cache)
            items = {item_hash_of(one, benchmark): one for one in read_items(benchmark, files).test}
        except InferenceError as error:
            problems.append(f"{name} of {run}: {error}")
            continue
        rows = [item_row(items[one], one, benchmark, item_set) for one in set(lost) if one in items]
        if len(rows) < len(set(lost)):
            problems.append(
                f"{name} of {run}: {len(set(lost)) - len(rows)} of its items are not in the"
                " benchmark's files as they are now"
            )
        # Files are taken for those of the run if all its items are theirs.
        are_of_run = version == benchmark.protocol_version and items.keys() >= set(hashes)
        told = file_rows(run, benchmark, files) if has_no_files and are_of_run else []
        kinds: tuple[tuple[ShardKind, list[dict[str, Any]]], ...] = (
            ("files", told),
            ("items", rows),
        )
        for kind, some in kinds:
            if some:
                table = pa.Table.from_pylist(some, schema=SCHEMAS[kind])
                write_shard(folder, session_id, number, kind, table)
                number += 1
        if rows or told:
            found[name] = found.get(name, 0) + len(rows) + len(told)
    if number:
        load(folder, store)
    return found, problems


def _waiting_requests(folder: Path, known: set[str]) -> pa.Table:
    tables = [SCHEMAS["requests"].empty_table().select(ASKED)]
    for file in in_order_of_need(folder, known):
        if file.kind == "requests" and file.name not in known:
            try:
                tables.append(read_shard(file).table.select(ASKED))
            except (WarehouseError, OSError):
                # Such a shard is named by `load`.
                continue
    return pa.concat_tables(tables)
