"""Checking: whether the rows of a shard are valid, by what `records` declares of them.

A row keeps to rules by itself; it names rows of the raw store, which have to be there; and what it
says under a key is what the raw store says under that key. The same queries look at one shard as it
is loaded, and at all that the raw store holds, put together as the shards were.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from warehouse.errors import ShardDamagedError, ShardWaitingError
from warehouse.outside_text import visible
from warehouse.records import (
    DETERMINED,
    REFERENCES,
    ROW_RULES,
    TABLES,
    Between,
    Column,
    Determined,
    JsonObject,
    Reference,
    Rule,
    Within,
    columns,
)
from warehouse.shard_files import SHARDS

if TYPE_CHECKING:
    import duckdb

    from warehouse.shard_files import ShardFile, ShardKind

SCORERS = Path(__file__).parent / "seeds" / "scorers.csv"
"""The register of scorers; a shard with one that is not in it waits until it is."""


class Breach(NamedTuple):
    """A row that does not keep a rule."""

    number: int
    """Of the row, from 1."""
    key: str
    column: str
    found: str
    """Its value there, as text, cut off."""
    sentence: str


class Query(NamedTuple):
    """How the rows that do not keep a rule are found."""

    any: str
    """Gives a row if there is one, and takes no more time than it must: nearly always there is
    none."""
    all: str
    """All of them, as `Breach` has them."""


def rules(kind: ShardKind) -> tuple[Rule, ...]:
    """What every row of a shard of that kind keeps to: of its columns first, then of the row."""
    return rules_of(SHARDS[kind])


@cache
def rules_of(row: type) -> tuple[Rule, ...]:
    """What every row of that type keeps to: of its columns first, then of the row."""
    own = tuple(rule for column in columns(row) for rule in _column_rules(column))
    return own + ROW_RULES.get(row, ())


def check_rows(
    connection: duckdb.DuckDBPyConnection, file: ShardFile, kind: ShardKind, table: str
) -> None:
    """Look at every row of `table`, a table or view of the connection with the shard's rows.

    Raises:
        ShardDamagedError: a row breaks a rule; the first such row is named, with the value.
    """
    for breach in _found(connection, row_breaches(kind, table)):
        raise _damaged(file, breach)


def check_references(
    connection: duckdb.DuckDBPyConnection, file: ShardFile, kind: ShardKind, table: str
) -> None:
    """Look at what the rows of `table` name in the raw store of the connection.

    Raises:
        ShardWaitingError: what a row names is not there.
        ShardDamagedError: it is there, and does not fit the row.
    """
    if kind == "requests":
        for breach in _found(connection, scorer_breaches(table)):
            raise _waiting(file, breach)
    for reference in REFERENCES.get(SHARDS[kind], ()):
        for breach in _found(connection, reference_breaches(kind, reference, table)):
            is_missing = breach.sentence == _missing(reference)
            raise (_waiting if is_missing else _damaged)(file, breach)


def check_determined(
    connection: duckdb.DuckDBPyConnection,
    file: ShardFile,
    kind: ShardKind,
    table: str,
    repeated: frozenset[str],
) -> None:
    """Compare the rows of `table`, which have been added, with what was there under their keys.

    Only tables in `repeated` had some of the keys already, or got one twice.

    Raises:
        ShardDamagedError: the same key has two contents.
    """
    for one in DETERMINED.get(SHARDS[kind], ()):
        stored = f"raw.{one.table}"
        # Of what is not a table's key, a row that is new may say something new.
        if one.key != TABLES[one.table].key:
            stored = _stated(connection, one, table)
        elif one.table not in repeated:
            continue
        for breach in _found(connection, determined_breaches(kind, one, table, stored)):
            raise _damaged(file, breach)


def row_breaches(kind: ShardKind, table: str, also: str = "") -> Query:
    """A query of the rows that break a rule by themselves, as `Breach` has them.

    `also` are more columns of the table for each row, as of all these queries.
    """
    kept = rules(kind)
    return _breaches(
        kind,
        f"select shard.*, {{case}} as broken from {_numbered(table)} as shard",
        [rule.condition for rule in kept],
        [rule.column for rule in kept],
        [rule.sentence for rule in kept],
        also,
    )


def reference_breaches(kind: ShardKind, reference: Reference, table: str, also: str = "") -> Query:
    """A query of the rows that name what is not there, or what does not fit them."""
    column = reference.column
    named = f"raw.{reference.table}"
    if TABLES[reference.table].key != (column,):
        # Of what rows say of the same key, `DETERMINED` sees that they say the same.
        named = f"(select distinct on ({column}) * from {named})"
    return _breaches(
        kind,
        f"select shard.*, {{case}} as broken from {_numbered(table)} as shard"
        f" left join {named} as named on shard.{column} = named.{column}",
        [f"named.{column} is not null", *(rule.condition for rule in reference.rules)],
        [column, *(rule.column for rule in reference.rules)],
        [_missing(reference), *(rule.sentence for rule in reference.rules)],
        also,
    )


def scorer_breaches(table: str, also: str = "") -> Query:
    """A query of the requests whose scorer is not in the register."""
    names = ", ".join(f"'{name}'" for name in registered_scorers())
    return _breaches(
        "requests",
        f"select shard.*, {{case}} as broken from {_numbered(table)} as shard",
        [f"scorer in ({names})"],
        ["scorer"],
        [f"which is not in {SCORERS.relative_to(SCORERS.parents[2])}"],
        also,
    )


def determined_breaches(
    kind: ShardKind, determined: Determined, table: str, stored: str, also: str = ""
) -> Query:
    """A query of the rows that say something else than the table `stored` under their key."""
    types = {one.name: one.sql_type for one in columns(TABLES[determined.table].row)}
    key = ", ".join(determined.key)
    return _breaches(
        kind,
        f"select shard.*, {{case}} as broken from {_numbered(table)} as shard"
        f" inner join {stored} as stored using ({key})",
        [_same(name, types[name]) for name in determined.columns],
        list(determined.columns),
        [f"the raw store has another under the same {key}, and {determined.sentence}"]
        * len(determined.columns),
        also,
    )


@cache
def registered_scorers() -> tuple[str, ...]:
    """The scorers that there are."""
    with SCORERS.open(encoding="utf-8", newline="") as rows:
        return tuple(row["scorer_id"] for row in csv.DictReader(rows))


def _stated(connection: duckdb.DuckDBPyConnection, determined: Determined, table: str) -> str:
    """A temporary table of what the raw store and the rows of `table` say, each once.

    It is kept for the shards that follow: the raw store is read once.
    """
    name = f"stated_{determined.table}"
    names = ", ".join((*determined.key, *determined.columns))
    connection.execute(
        f"create temp table if not exists {name} as select distinct {names}"
        f" from raw.{determined.table}"
    )
    connection.execute(
        f"insert into {name} select distinct {names} from {table}"
        f" anti join {name} using ({', '.join(determined.key)})"
    )
    return name


def _found(connection: duckdb.DuckDBPyConnection, query: Query) -> list[Breach]:
    """The first row that the query finds, if there is one."""
    if not connection.execute(query.any).fetchall():
        return []
    found = connection.execute(f"{query.all} order by number limit 1").fetchall()
    return [Breach(*row) for row in found]


def _breaches(
    kind: ShardKind,
    rows: str,
    conditions: list[str],
    named: list[str],
    sentences: list[str],
    also: str,
) -> Query:
    """A query as `Breach` has its rows: those of `rows` for which a condition is not true."""
    case = " ".join(
        f"when ({condition}) is not true then {number}"
        for number, condition in enumerate(conditions)
    )
    key = " || ', ' || ".join(
        f"'{name} ' || coalesce({name}::varchar, 'null')" for name in _key(kind)
    )
    found = " ".join(
        f"when {number} then coalesce(left({column}::varchar, 100), 'null')"
        for number, column in enumerate(named)
    )
    texts = ", ".join(
        f"[{quoted(column)}, {quoted(text)}]" for column, text in zip(named, sentences, strict=True)
    )
    found_rows = rows.format(case=f"case {case} end")
    return Query(
        f"select 1 from ({found_rows.replace(_NUMBER, 'null as row_number')})"
        " where broken is not null limit 1",
        f"select row_number as number, {key} as key, [{texts}][broken + 1][1] as column_name,"
        f" case broken {found} end as found, [{texts}][broken + 1][2] as sentence"
        f"{', ' if also else ''}{also} from ({found_rows}) where broken is not null",
    )


_NUMBER = "row_number() over () as row_number"


def _numbered(table: str) -> str:
    return f"(select *, {_NUMBER} from {table})"


def _missing(reference: Reference) -> str:
    return f"which is not in raw.{reference.table}"


def _same(name: str, sql_type: str) -> str:
    if sql_type != "json":
        return f"shard.{name} is not distinct from stored.{name}"
    # Whatever the order of its keys.
    return (
        f"shard.{name}::varchar = stored.{name}::varchar or ("
        f"json_contains(shard.{name}::json, stored.{name}::json)"
        f" and json_contains(stored.{name}::json, shard.{name}::json))"
    )


def quoted(text: str) -> str:
    """The text as a literal of SQL."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _damaged(file: ShardFile, breach: Breach) -> ShardDamagedError:
    return ShardDamagedError(
        f"{shown(str(file.path), None)} is damaged: row {breach.number} ({shown(breach.key)}) has"
        f" {breach.column} {shown(breach.found)}, but {breach.sentence}. None of its rows was"
        " loaded; mend what wrote it, and write it again"
    )


def _waiting(file: ShardFile, breach: Breach) -> ShardWaitingError:
    return ShardWaitingError(
        f"{shown(str(file.path), None)} waits: row {breach.number} ({shown(breach.key)}) has"
        f" {breach.column} {shown(breach.found)}, {breach.sentence}. None of its rows was loaded;"
        " it stays where it is until what it names"
        " is there (`evalwh run` with the same model, or `evalwh repair`, may bring it)"
    )


def shown(text: str, length: int | None = 400) -> str:
    """A value that is named in a message: on one line, and no longer than so many characters."""
    line = visible(text)
    return line if length is None or len(line) <= length else line[:length] + "..."


def _key(kind: ShardKind) -> tuple[str, ...]:
    """The key of the widest table that the shard's rows go to."""
    names = {column.name for column in columns(SHARDS[kind])}
    tables = [
        table
        for table in TABLES.values()
        if names.issuperset(column.name for column in columns(table.row))
    ]
    return max(tables, key=lambda table: len(columns(table.row))).key


def _column_rules(column: Column) -> list[Rule]:
    name = column.name
    found: list[Rule] = []
    if not column.is_nullable:
        found.append(Rule(name, f"{name} is not null", "it is never null"))

    def add(condition: str, sentence: str) -> None:
        found.append(Rule(name, f"{name} is null or {condition}", sentence))

    is_list = pa.types.is_list(column.arrow_type)
    if is_list and not column.has_null_elements:
        add(f"list_count({name}) = len({name})", "none of its elements is null")
    if column.accepted:
        accepted = ", ".join(f"'{value}'" for value in column.accepted)
        add(f"{name} in ({accepted})", f"it is one of {accepted}")
    if column.sql_type == "json":
        add(f"json_valid({name})", "it is JSON")
    for mark in column.marks:
        if isinstance(mark, JsonObject):
            # On what is no JSON, json_type would raise.
            add(
                f"case when json_valid({name}) then json_type({name}) = 'OBJECT' end",
                "it is a JSON object",
            )
        elif isinstance(mark, Between):
            # As text: of a zone, a date would be as early as it begins there.
            moments = [f"'{date} 00:00:00+00'::timestamptz" for date in (mark.first, mark.last)]
            add(
                f"{name} between {' and '.join(moments)}",
                f"it is a time from {mark.first} to {mark.last}",
            )
        elif isinstance(mark, Within):
            condition, sentence = _within(mark, "one" if is_list else name)
            if is_list:
                condition = (
                    f"len(list_filter({name}, lambda one: one is not null and not ({condition})))"
                    " = 0"
                )
                sentence = f"of each element, {sentence}"
            add(condition, sentence)
    return found


def _within(mark: Within, value: str) -> tuple[str, str]:
    # To DuckDB, NaN is more than any other number.
    conditions = [f"{value}::double <= 'infinity'::double"]
    words = ["it is a number"]
    if mark.at_least is not None:
        least = f"{value} >= {mark.at_least}"
        if mark.or_minus_infinity:
            least = f"({least} or {value} = '-infinity'::double)"
        conditions.append(least)
        words.append(
            f"at least {mark.at_least}" + (" or minus infinity" if mark.or_minus_infinity else "")
        )
    if mark.at_most is not None:
        conditions.append(f"{value} <= {mark.at_most}")
        words.append(f"at most {mark.at_most}")
    if mark.is_finite:
        conditions.append(f"isfinite({value})")
        words.append("finite")
    return " and ".join(conditions), ", ".join(words)
