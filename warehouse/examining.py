"""Examining: whether the shards and the raw store are as they should be, and what is not.

The raw store is looked at by the rules of `checking`, over its rows put together again as shards
have them. Nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from warehouse.checking import (
    check_rows,
    determined_breaches,
    quoted,
    reference_breaches,
    row_breaches,
    scorer_breaches,
    shown,
)
from warehouse.errors import WarehouseError
from warehouse.loading import DAMAGED, LOADED, STEPS, main_table, remembered, rows_of
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
-- Of a session that was put together again, not all benchmarks are known.
where not contains(sessions.configuration::varchar, '"restored_from"')
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
        comparison = Comparison(connection)
        for place in (folder, *shard_sets(folder), folder / LOADED):
            for file in shard_files(place):
                shard_count += 1
                findings += _shard(comparison, file, is_loaded=place.name == LOADED, known=known)
        findings += comparison.differences(folder / LOADED)
        aside = [file.name for file in shard_files(folder / DAMAGED)]
        aside += [place.name for place in shard_sets(folder / DAMAGED)]
        if aside:
            said = f"set aside: {first_of(aside)}"
            findings.append(Finding(str(folder / DAMAGED), "", "", len(aside), said))
        row_count = sum(_count(connection, name) for name in TABLES)
        findings += _store(connection)
    return Examination(shard_count, row_count, findings)


class Comparison:
    """The raw store's rows beside those of the shards that it was loaded from.

    They are compared by their hashes, shard by shard, so that no shard takes a look at every text
    of the store. What no shard has cannot be told: shards may have been deleted.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._hashed: set[str] = set()
        connection.execute(
            "create or replace temp table differing"
            " (table_name varchar, id varchar, run_id varchar, benchmark_id varchar,"
            " names varchar, file varchar)"
        )

    def compare(self, file: ShardFile, table: str) -> Iterator[Finding]:
        """Look for the rows that `shard`, the rows of the file, has for the table.

        What differs is kept for `differences`: of two shards with the same key, the first is in.
        """
        rows = self._rows(table)
        key = ", ".join(TABLES[table].key)
        unlike = f"select * from ({rows}) anti join kept_{table} using ({key}, fingerprint)"
        if not self.connection.execute(f"{unlike} limit 1").fetchall():
            return
        names = [column.name for column in columns(TABLES[table].row)]
        id_ = _as_text(TABLES[table].key)
        yield from _listed(
            self.connection,
            f"raw.{table}",
            f"select distinct {id_}, {OWNER}"
            f" from ({owned(f'{unlike} anti join kept_{table} using ({key})', names)})",
            f"rows of {file.path} are not in it",
        )
        differing = ", ".join(
            f"case when {_value('unlike', table, name)} is distinct from"
            f" {_value('stored', table, name)} then '{name}' end"
            for name in names
        )
        self.connection.execute(
            f"insert into differing select distinct '{table}', {id_}, {OWNER}, names, ?"
            f" from ({owned(self._beside(table, unlike, differing), names)})",
            [str(file.path)],
        )

    def differences(self, loaded: Path) -> Iterator[Finding]:
        """Rows of the raw store that are like those of no shard in the folder."""
        found = self.connection.execute("select distinct table_name from differing").fetchall()
        differing = {table for (table,) in found}
        for file in shard_files(loaded) if differing else ():
            tables = [table for table in tables_of(file.kind) if table in differing]
            if not tables:
                continue
            try:
                self.connection.register("shard", read_shard(file).table)
            except (WarehouseError, FileNotFoundError):
                # Named already, or moved.
                continue
            for table in tables:
                key = TABLES[table].key
                self.connection.execute(
                    f"delete from differing where table_name = '{table}' and id in"
                    f" (select {_as_text(key)} from ({self._rows(table)})"
                    f" semi join kept_{table} using ({', '.join(key)}, fingerprint))"
                )
        for table, names, file_name in self.connection.execute(
            "select distinct table_name, names, file from differing order by all"
        ).fetchall():
            yield from _listed(
                self.connection,
                f"raw.{table}",
                "select distinct id, run_id, benchmark_id from differing"
                f" where table_name = '{table}' and names = '{names}'"
                f" and file = {quoted(file_name)}",
                f"its {names} is not that of {file_name}",
            )

    def _rows(self, table: str) -> str:
        """A query of the shard's rows for the table, with the hash of each."""
        if table not in self._hashed:
            key = ", ".join(TABLES[table].key)
            self.connection.execute(
                f"create or replace temp table kept_{table} as"
                f" select {key}, {_fingerprint(table)} from raw.{table} as one"
            )
            self._hashed.add(table)
        return f"select *, {_fingerprint(table)} from ({rows_of(table, 'shard')}) as one"

    def _beside(self, table: str, unlike: str, differing: str) -> str:
        """A query of the rows of `unlike` whose key the table has, with the columns that differ."""
        on = " and ".join(f"unlike.{name} = stored.{name}" for name in TABLES[table].key)
        return (
            f"select unlike.*, concat_ws(', ', {differing}) as names from ({unlike}) as unlike"
            f" inner join raw.{table} as stored on {on}"
        )


def tables_of(kind: str) -> list[str]:
    """The tables of the raw store that a shard of that kind has rows for."""
    return [table for one, steps in STEPS.items() if one == kind for _, table in steps if table]


def _fingerprint(table: str) -> str:
    names = (column.name for column in columns(TABLES[table].row))
    return f"hash({', '.join(_value('one', table, name) for name in names)}) as fingerprint"


def _value(relation: str, table: str, name: str) -> str:
    """A column as shard and table both have it: JSON is text in a shard."""
    types = {column.name: column.sql_type for column in columns(TABLES[table].row)}
    sql_type = "varchar" if types[name] == "json" else types[name]
    return f"{relation}.{name}::{sql_type}"


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
    comparison: Comparison, file: ShardFile, *, is_loaded: bool, known: set[str]
) -> Iterator[Finding]:
    connection = comparison.connection
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
    for table in tables_of(shard.kind):
        yield from comparison.compare(file, table)


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
    yield from _remembered_rows(connection)
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


def _remembered_rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    """Tables with more rows than shards brought in, or with none though shards brought some.

    Fewer rows are no fault by themselves: what two shards have is in the store once.
    """
    for kind in STEPS:
        table = main_table(kind)
        ((brought,),) = connection.execute(
            "select coalesce(sum(row_count), 0) from raw.loaded_shards where kind = ?", [kind]
        ).fetchall()
        found = _count(connection, table)
        if found > brought or (brought and not found):
            said = (
                f"it has {found} rows, and the shards of {kind} that raw.loaded_shards remembers"
                f" have {brought}"
            )
            yield Finding(f"raw.{table}", "", "", abs(found - int(brought)), said)


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
    for breaches in queries:
        found = connection.execute(
            f"select owner_run_id, owner_benchmark_id, column_name, sentence, any_value(found),"
            f" list(key order by number) from ({breaches.all}) group by all order by all"
        ).fetchall()
        for run_id, benchmark_id, column, sentence, value, keys in found:
            yield Finding(
                f"raw.{main_table(kind)}",
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
