"""Hostile text: names that try to be more than names, and a warehouse in which all are such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

MEANT = (
    *("language", "training_type", "budget_language", "target_kind", "target", "item_set"),
    *("method", "certainty"),
)
"""Columns whose values the pages know, and find rows by."""

ACTING = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\r", "\u2028")


def hostile_name(address: str) -> str:
    """A name with everything that a terminal, rich, Markdown or a browser might obey."""
    return (
        "日本\x1b[31m\x1b]0;title\x07\x9b2J\u202eabc\u2066\u200b\r\u2028"
        "[bold]b[/bold] [link=http://a]l[/link] [/] "
        f"![i]({address}/markdown.png) [l]({address}/link) <{address}/angle> {address}/bare "
        f"<img src={address}/tag.png> <b>b</b> :red[r] :material/home: $x$ **s** `c` | _e_ ]("
    )


def plant(warehouse: Path, name: str) -> None:
    """Put the name behind every text in the tables of the marts, ids of models included."""
    with duckdb.connect(warehouse) as connection:
        columns = connection.execute(
            """
            select table_name, column_name
            from duckdb_columns()
            inner join duckdb_tables() using (database_name, schema_name, table_name)
            where database_name = current_database() and schema_name = 'marts'
                and data_type = 'VARCHAR'
                and column_name not in (select unnest(?))
                and (not column_name.regexp_matches('_id(_\\d)?$') or column_name = 'model_id')
            """,
            [MEANT],
        ).fetchall()
        for table, column in columns:
            connection.execute(f"update marts.{table} set {column} = {column} || ?", [name])
