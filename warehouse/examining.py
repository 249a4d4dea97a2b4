"""Examining: whether the shards and the raw store are as they should be, and what is not.

The raw store is looked at by the rules of `checking`, over its rows put together again as shards
have them. Nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warehouse.checking import (
    check_rows,
    determined_breaches,
    reference_breaches,
    row_breaches,
    scorer_breaches,
    shown,
)
from warehouse.errors import WarehouseError
from warehouse.loading import DAMAGED, LOADED, STEPS, remembered
from warehouse.raw_store import open_raw_store
from warehouse.records import DETERMINED, REFERENCES, TABLES, Determined, columns
from warehouse.repairing import HOLLOW
from warehouse.shard_files import SHARDS, read_shard, shard_files, shard_sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

    from warehouse.shard_files import ShardFile, ShardKind

IDS_SHOWN = 3


class Finding(NamedTuple):
    """Something that is not as it should be."""

    place: str
    """A table of the raw store, or a shard."""
    run_id: str
    """Empty where it is of no run alone."""
    benchmark_id: str
    """Empty where it is of no benchmark alone."""
    row_count: int
    """Rows, or shards."""
    what: str
    """What is wrong, with the ids of the first few rows."""


class Examination(NamedTuple):
    """What was looked at, and what was found."""

    shard_count: int
    row_count: int
    findings: list[Finding]


AS_SHARDS: dict[ShardKind, str] = {
    "session": "select * from raw.run_sessions",
    "session_end": "select * from raw.run_session_ends",
    "files": "select * from raw.run_files",
    "items": "select * from raw.items",
    "requests": """
        select run_requests.*, requests.* exclude (request_id, sample_index), prompts.prompt_text
        from raw.run_requests
        inner join raw.requests on run_requests.request_id = requests.request_id
        inner join raw.prompts on requests.prompt_id = prompts.prompt_id""",
    "answers": """
        select
            answers.*,
            generations.* exclude (request_id),
            weighed.* exclude (request_id)
        from raw.answers
        left join raw.generations on answers.request_id = generations.request_id
        left join (
            select
                request_id,
                list(log_likelihood order by continuation_index) as log_likelihoods,
                list(token_count order by continuation_index) as token_counts,
                any_value(is_single_token) as is_single_token
            from raw.log_likelihoods
            group by request_id
        ) as weighed on answers.request_id = weighed.request_id""",
    "failures": "select * from raw.failures",
    "translations": "select * from raw.translation_statistics",
    "programs": "select * from raw.program_outcomes",
    "logged_scores": "select * from raw.logged_scores",
}
"""The raw store's rows as the shards of each kind have them."""

NAMED_ALONGSIDE = {
    "run_requests": (("request_id", "requests"), ("item_hash", "items")),
    "requests": (("prompt_id", "prompts"),),
    "generations": (("request_id", "answers"),),
    "log_likelihoods": (("request_id", "answers"),),
}
"""What rows name that came in the same shard as they, by column: the table that has it."""

UNPLANNED = """
select sessions.session_id, sessions.run_id, '' as benchmark_id
from raw.run_sessions as sessions
inner join raw.run_session_ends as ends on sessions.session_id = ends.session_id
left join (
    select run_id, benchmark_id, count(distinct request_id) as request_count
    from raw.run_requests
    group by run_id, benchmark_id
) as planned
    on sessions.run_id = planned.run_id
    and list_contains(sessions.benchmark_ids, planned.benchmark_id)
group by sessions.session_id, sessions.run_id, ends.request_count
having coalesce(sum(planned.request_count), 0) < ends.request_count"""
"""Sessions that came to their end and needed more requests than their run has."""

OWNER = "owner_run_id, owner_benchmark_id"
"""Run and benchmark of a row; of several runs, the first by name. Empty for none."""


def examine(folder: Path, store: Path) -> Examination:
    """Look at every shard in `folder` and its `loaded`, and at every row of the raw store.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError: as of `open_raw_store`.
    """
    findings: list[Finding] = []
    shard_count = 0
    with open_raw_store(store, read_only=True) as connection:
        known = remembered(connection)
        for place in (folder, *shard_sets(folder), folder / LOADED):
            for file in shard_files(place):
                shard_count += 1
                findings += _shard(connection, file, is_loaded=place.name == LOADED, known=known)
        aside = [file.name for file in shard_files(folder / DAMAGED)]
        aside += [place.name for place in shard_sets(folder / DAMAGED)]
        if aside:
            said = f"set aside: {first_of(aside)}"
            findings.append(Finding(str(folder / DAMAGED), "", "", len(aside), said))
        row_count = sum(_count(connection, name) for name in TABLES)
        findings += _store(connection)
    return Examination(shard_count, row_count, findings)


def first_of(names: list[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = f", and {len(names) - IDS_SHOWN} more" if len(names) > IDS_SHOWN else ""
    return "; ".join(map(shown, names[:IDS_SHOWN])) + more


def owned(query: str, names: Iterable[str]) -> str:
    """The rows of `query`, which has the columns `names`, with run and benchmark of each."""
    there = set(names)
    if "request_id" in there and "run_id" not in there:
        return (
            "select mine.*, coalesce(run_id, '') as owner_run_id,"
            f" coalesce(benchmark_id, '') as owner_benchmark_id from ({query}) as mine"
            " left join (select request_id, min(run_id) as run_id, min(benchmark_id) as"
            " benchmark_id from raw.run_requests group by request_id) as owners"
            " on mine.request_id = owners.request_id"
        )
    if "session_id" in there and "run_id" not in there:
        return (
            "select mine.*, coalesce(run_id, '') as owner_run_id, '' as owner_benchmark_id"
            f" from ({query}) as mine left join (select distinct on (session_id) session_id, run_id"
            " from raw.run_sessions) as owners on mine.session_id = owners.session_id"
        )
    run = "mine.run_id" if "run_id" in there else "''"
    benchmark = "mine.benchmark_id" if "benchmark_id" in there else "''"
    return (
        f"select mine.*, {run} as owner_run_id, {benchmark} as owner_benchmark_id"
        f" from ({query}) as mine"
    )


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    ((count,),) = connection.execute(f"select count(*) from raw.{table}").fetchall()
    return int(count)


def _shard(
    connection: duckdb.DuckDBPyConnection, file: ShardFile, *, is_loaded: bool, known: set[str]
) -> Iterator[Finding]:
    try:
        shard = read_shard(file)
        connection.register("shard", shard.table)
        check_rows(connection, file, shard.kind, "shard")
    except FileNotFoundError:
        # Another process has loaded and moved it meanwhile.
        return
    except WarehouseError as error:
        yield Finding(str(file.path), "", "", 1, str(error))
        return
    if not is_loaded:
        return
    if file.name not in known:
        yield Finding(
            str(file.path), "", "", 1, "the raw store does not remember it; `evalwh load` loads it"
        )
        return
    names = [column.name for column in columns(SHARDS[shard.kind])]
    for _, table in STEPS[shard.kind]:
        if table and set(names).issuperset(TABLES[table].key):
            has_row = "completion_text is not null" if table == "generations" else "true"
            rows = (
                f"select * from shard anti join raw.{table} using ({', '.join(TABLES[table].key)})"
                f" where {has_row}"
            )
            yield from _listed(
                connection,
                f"raw.{table}",
                f"select distinct {_as_text(TABLES[table].key)}, {OWNER}"
                f" from ({owned(rows, names)})",
                f"rows of {file.path} are not in it",
            )


def _store(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    for name, table in TABLES.items():
        rows = owned(f"select * from raw.{name}", (column.name for column in columns(table.row)))
        connection.execute(f"create or replace temp view owned_{name} as {rows}")
        key = ", ".join(table.key)
        yield from _listed(
            connection,
            f"raw.{name}",
            f"select {_as_text(table.key)}, min(owner_run_id), min(owner_benchmark_id)"
            f" from owned_{name} group by {key} having count(*) > 1",
            "its key is there more than once",
        )
    for name, named in NAMED_ALONGSIDE.items():
        for column, other in named:
            yield from _listed(
                connection,
                f"raw.{name}",
                f"select distinct {column}, {OWNER} from owned_{name}"
                f" anti join raw.{other} using ({column})",
                f"its {column} is not in raw.{other}",
            )
    yield from _listed(
        connection,
        "raw.prompts",
        "select prompt_id, '', '' from raw.prompts"
        " where prompt_id != left(sha256(prompt_text), 32)",
        "its prompt_id is not that of its text",
    )
    yield from _listed(
        connection,
        "raw.run_requests",
        UNPLANNED,
        "its run has fewer requests than the session needed, which came to its end",
    )
    yield from _listed(
        connection,
        "raw.answers",
        f"select request_id, {OWNER} from owned_answers semi join ({HOLLOW}) using (request_id)",
        "its completion, or one of its log-likelihoods, is not there",
    )
    for kind, query in AS_SHARDS.items():
        yield from _kept_rules(connection, kind, query)


def _kept_rules(
    connection: duckdb.DuckDBPyConnection, kind: ShardKind, query: str
) -> Iterator[Finding]:
    row, table = SHARDS[kind], f"stored_{kind}"
    rows = owned(query, (column.name for column in columns(row)))
    connection.execute(f"create or replace temp view {table} as {rows}")
    queries = [row_breaches(kind, table, OWNER)]
    if kind == "requests":
        queries.append(scorer_breaches(table, OWNER))
    queries += [reference_breaches(kind, one, table, OWNER) for one in REFERENCES.get(row, ())]
    queries += [
        determined_breaches(kind, one, table, _distinct(one), OWNER)
        for one in DETERMINED.get(row, ())
        # Of what is a table's key there is one row, or it was named already.
        if one.key != TABLES[one.table].key
    ]
    place = next(step.table for step in reversed(STEPS[kind]) if step.table)
    for breaches in queries:
        found = connection.execute(
            f"select owner_run_id, owner_benchmark_id, column_name, sentence, any_value(found),"
            f" list(key order by number) from ({breaches.all}) group by all order by all"
        ).fetchall()
        for run_id, benchmark_id, column, sentence, value, keys in found:
            yield Finding(
                f"raw.{place}",
                run_id,
                benchmark_id,
                len(keys),
                f"{column} is {shown(value)}, but {sentence}: {first_of(keys)}",
            )


def _distinct(determined: Determined) -> str:
    names = ", ".join((*determined.key, *determined.columns))
    return f"(select distinct {names} from raw.{determined.table})"


def _listed(
    connection: duckdb.DuckDBPyConnection, place: str, query: str, what: str
) -> Iterator[Finding]:
    """What `query` finds, whose columns are the row's id, its run and its benchmark."""
    found = connection.execute(
        "select run_id, benchmark_id, list(id order by id)"
        f" from ({query}) as found (id, run_id, benchmark_id) group by all order by all"
    ).fetchall()
    for run_id, benchmark_id, names in found:
        yield Finding(place, run_id, benchmark_id, len(names), f"{what}: {first_of(names)}")


def _as_text(key: tuple[str, ...]) -> str:
    return "concat_ws(' ', " + ", ".join(f"{name}::varchar" for name in key) + ")"
