"""Checking: whether the rows of a shard are valid, by what `records` declares of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from warehouse.errors import ShardDamagedError
from warehouse.records import ROW_RULES, TABLES, Column, JsonObject, Rule, Within, columns
from warehouse.shard_files import SHARDS

if TYPE_CHECKING:
    import duckdb

    from warehouse.shard_files import ShardFile, ShardKind


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
    found = connection.execute(_query(kind, table)).fetchone()
    if found is None:
        return
    number, broken, key, values = found
    rule = rules(kind)[broken]
    raise ShardDamagedError(
        f"{file.path} is damaged: row {number} ({key}) has {rule.column} {values[broken]}, but"
        f" {rule.sentence}. None of its rows was loaded; mend what wrote it, and write it again"
    )


@cache
def _query(kind: ShardKind, table: str) -> str:
    cases = " ".join(
        f"when ({rule.condition}) is not true then {number}"
        for number, rule in enumerate(rules(kind))
    )
    values = ", ".join(
        f"coalesce(left({rule.column}::varchar, 100), 'null')" for rule in rules(kind)
    )
    key = " || ', ' || ".join(
        f"'{name} ' || coalesce({name}::varchar, 'null')" for name in _key(kind)
    )
    return (
        f"select number, broken, {key}, [{values}] from ("
        f"select *, row_number() over () as number, case {cases} end as broken from {table}"
        ") where broken is not null order by number limit 1"
    )


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
        conditions.append(f"{value} >= {mark.at_least}")
        words.append(f"at least {mark.at_least}")
    if mark.at_most is not None:
        conditions.append(f"{value} <= {mark.at_most}")
        words.append(f"at most {mark.at_most}")
    if mark.is_finite:
        conditions.append(f"isfinite({value})")
        words.append("finite")
    return " and ".join(conditions), ", ".join(words)
