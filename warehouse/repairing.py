"""Repairing: what the raw store lacks, fetched back from the shards that there are.

Nothing is asked of a model here, and nothing made up: a row comes from a shard, or, of a session
that was lost, from what its answers and the run's other sessions say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from warehouse.errors import WarehouseError
from warehouse.loading import DAMAGED, LOADED, bring_in, in_order_of_need, load, remembered
from warehouse.raw_store import open_raw_store
from warehouse.records import TABLES
from warehouse.shard_files import SCHEMAS, read_shard, shard_files, shard_sets, write_shard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import duckdb

    from warehouse.shard_files import ShardFile

HOLLOW = """
select answers.request_id
from raw.answers
left join raw.requests on answers.request_id = requests.request_id
left join raw.generations on answers.request_id = generations.request_id
left join (
    select request_id, count(*) as value_count from raw.log_likelihoods group by request_id
) as weighed on answers.request_id = weighed.request_id
where case requests.kind
    when 'generation' then generations.request_id is null
    when 'log_likelihood' then weighed.value_count is distinct from len(requests.continuations)
    else generations.request_id is null and weighed.request_id is null
end"""
"""Answers without their completion, or without all their log-likelihoods."""

LOST_SESSIONS = """
with
answered as (
    select session_id, request_id, endpoint, answered_at as happened_at from raw.answers
    union all
    select session_id, request_id, endpoint, failed_at as happened_at from raw.failures
    union all
    select session_id, request_id, endpoint, happened_at from waiting_answers
),
lost as (select * from answered anti join raw.run_sessions using (session_id)),
claimed as (
    -- A request may be of several runs: the session is taken for one that asked the most of it.
    select
        lost.session_id,
        run_requests.run_id,
        list(distinct run_requests.benchmark_id order by run_requests.benchmark_id)
            as benchmark_ids,
        list(distinct lost.endpoint order by lost.endpoint) as endpoints,
        min(lost.happened_at) as started_at
    from lost
    inner join raw.run_requests on lost.request_id = run_requests.request_id
    group by lost.session_id, run_requests.run_id
    qualify row_number() over (
        partition by lost.session_id
        order by count(distinct lost.request_id) desc, run_requests.run_id
    ) = 1
)
select
    claimed.run_id,
    claimed.session_id,
    known.item_set,
    known.protocol,
    known.model_id,
    known.model_revision,
    known.tokenizer_id,
    claimed.benchmark_ids,
    claimed.endpoints,
    known.engine,
    json_object('restored_from', known.session_id)::varchar as configuration,
    claimed.started_at
from claimed
inner join (
    select distinct on (run_id) * from raw.run_sessions order by run_id, session_id
) as known on claimed.run_id = known.run_id
order by claimed.session_id"""


@dataclass(slots=True)
class RepairReport:
    """What one repair did."""

    loaded_count: int = 0
    """Rows of shards that the store did not remember."""
    fetched: dict[str, int] = field(default_factory=dict)
    """Rows that it had lost, by table."""
    sessions: list[str] = field(default_factory=list)
    """Sessions that were put together again from their answers."""
    emptied_count: int = 0
    """Answers without content that no shard has: they are asked again."""
    refused: list[str] = field(default_factory=list)
    """What could not be brought in, and why."""

    @property
    def did_anything(self) -> bool:
        """Whether the raw store has changed."""
        return bool(self.loaded_count or self.fetched or self.sessions or self.emptied_count)


def repair(folder: Path, store: Path, session_id: str) -> RepairReport:
    """Fetch back what the shards in `folder` and its subfolders can give of what `store` lacks.

    Shards in `damaged` are tried again: what was missing or mended since is taken. `session_id`
    names what is written for the sessions that were lost.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError, RawStoreWriteError,
        MigrationError: as of `load`.
    """
    report = RepairReport()
    for file in shard_files(folder / DAMAGED):
        if _is_whole(file) and not (folder / file.name).exists():
            file.path.rename(folder / file.name)
    for place in shard_sets(folder / DAMAGED):
        if (
            all(_is_whole(file) for file in shard_files(place))
            and not (folder / place.name).exists()
        ):
            place.rename(folder / place.name)
    report.loaded_count = load(folder, store).row_count
    with open_raw_store(store) as connection:
        before = _row_counts(connection)
        hollow = _without_hollow(connection)
        for file in _loaded(folder):
            try:
                if file.kind == "answers":
                    _make_room(connection, read_shard(file).table)
                bring_in(connection, [file])
            except WarehouseError as error:
                report.refused.append(str(error))
        after = _row_counts(connection)
    report.fetched = {
        name: after[name] - before[name] for name in before if after[name] > before[name]
    }
    report.emptied_count = max(hollow - report.fetched.get("answers", 0), 0)
    report.sessions = restore_sessions(folder, store, session_id)
    report.refused += load(folder, store).refused
    return report


def restore_sessions(folder: Path, store: Path, session_id: str) -> list[str]:
    """Put together sessions that answers name and nothing else does, and load what waited for them.

    Of such a session is known what its run's other sessions say of the run, which is the same for
    all of them, and what its answers say; the rest is null. Returns the sessions' names.

    Raises:
        DiskError, RawStoreWriteError, RawStoreBusyError: as of writing shards and `load`.
    """
    with open_raw_store(store) as connection:
        connection.register("waiting_answers", _waiting_answers(folder, remembered(connection)))
        found = connection.execute(LOST_SESSIONS)
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    if rows:
        table = pa.Table.from_pylist(rows, schema=SCHEMAS["session"])
        write_shard(folder, session_id, 0, "session", table)
        load(folder, store)
    return [row["session_id"] for row in rows]


def _waiting_answers(folder: Path, known: set[str]) -> pa.Table:
    """Session, request, server and time of what is answered or failed in shards that wait."""
    columns = {"answers": "answered_at", "failures": "failed_at"}
    schema = pa.schema(
        [(name, pa.string()) for name in ("session_id", "request_id", "endpoint")]
        + [("happened_at", pa.timestamp("us", tz="UTC"))]
    )
    tables = [schema.empty_table()]
    for file in in_order_of_need(folder, known):
        if file.kind in columns and file.name not in known and _is_whole(file):
            table = read_shard(file).table
            names = ["session_id", "request_id", "endpoint", columns[file.kind]]
            tables.append(table.select(names).rename_columns(schema.names))
    return pa.concat_tables(tables)


def _is_whole(file: ShardFile) -> bool:
    try:
        read_shard(file)
    except (WarehouseError, OSError):
        return False
    return True


def _loaded(folder: Path) -> Iterable[ShardFile]:
    return in_order_of_need(folder / LOADED, set())


def _without_hollow(connection: duckdb.DuckDBPyConnection) -> int:
    """Take answers without content out, so that a shard or a run can give them; how many."""
    connection.execute(f"create or replace temp table hollow as {HOLLOW}")
    ((count,),) = connection.execute("select count(*) from hollow").fetchall()
    if count:
        connection.begin()
        for table in ("answers", "generations", "log_likelihoods"):
            connection.execute(
                f"delete from raw.{table} where request_id in (select request_id from hollow)"
            )
        connection.commit()
    return int(count)


def _make_room(connection: duckdb.DuckDBPyConnection, answers: pa.Table) -> None:
    """Take out contents without an answer that the answers of a shard bring again."""
    connection.register("shard", answers)
    connection.begin()
    for table in ("generations", "log_likelihoods"):
        connection.execute(
            f"delete from raw.{table} where request_id in ("
            "select request_id from shard anti join raw.answers using (request_id))"
        )
    connection.commit()
    connection.unregister("shard")


def _row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts: dict[str, Any] = {}
    for name in TABLES:
        ((counts[name],),) = connection.execute(f"select count(*) from raw.{name}").fetchall()
    return counts
