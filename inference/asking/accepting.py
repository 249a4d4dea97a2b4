"""Accepting: what a server said is held against the rules that hold for what is loaded."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import duckdb

from warehouse.checking import rules

if TYPE_CHECKING:
    import pyarrow as pa

    from warehouse.records import Rule
    from warehouse.shard_files import ShardKind


class ShardRules:
    """The rules of one kind of shard, tried on its rows before they are written.

    They are those of `warehouse.checking`, so that `load` refuses nothing that was accepted here.
    """

    def __init__(self, kind: ShardKind) -> None:
        self._rules = rules(kind)
        cases = " ".join(
            f"when ({rule.condition}) is not true then {number}"
            for number, rule in enumerate(self._rules)
        )
        self._query = (
            "select number - 1, broken from ("
            f"select row_number() over () as number, case {cases} end as broken from shard"
            ") where broken is not null"
        )
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def broken_rows(self, table: pa.Table) -> dict[int, str]:
        """Rows that break a rule, by their index, with what is wrong."""
        with self._lock:
            if self._connection is None:
                self._connection = duckdb.connect(config={"threads": 1})
            self._connection.register("shard", table)
            try:
                found = self._connection.execute(self._query).fetchall()
            finally:
                self._connection.unregister("shard")
        return {index: self._words(table, index, self._rules[broken]) for index, broken in found}

    def _words(self, table: pa.Table, index: int, rule: Rule) -> str:
        value = table[rule.column][index].as_py()
        return (
            f"the server's answer cannot be stored: its {rule.column} is {value!r:.100}, but"
            f" {rule.sentence}"
        )
