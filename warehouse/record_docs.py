"""Record documents: what dbt is told of the raw store, written from the records.

    python -m warehouse.record_docs

writes names, types and descriptions into `models/staging/_raw_store.yml`, where all else, such as
data tests, is kept as somebody wrote it; and the rules of rows, by which measured results are set
aside, as the macro `record_rules`.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.checking import rules_of
from warehouse.records import ROW_RULES, TABLES, Table, columns

if TYPE_CHECKING:
    from warehouse.records import Rule

WAREHOUSE = Path(__file__).resolve().parent

STAGING = WAREHOUSE.parent / "models" / "staging" / "_raw_store.yml"

RULES = WAREHOUSE / "macros" / "set_aside" / "record_rules.sql"

HEADER = """\
# Names, types and descriptions follow from warehouse/records.py: `make records` writes them anew,
# and keeps the rest. Null is forbidden where a description says nothing of it.
sources:
  - name: raw
    database: generations
    schema: raw
    description: >
      The raw store, a DuckDB file of its own: what was asked of models and what came back.
    tables:
"""


def raw_store_yaml(text: str) -> str:
    """The file that describes the raw store to dbt; of `text`, its present content, the rest."""
    kept = {
        _name(model): _entries(model, 4)
        for model in _items(text.partition("\nmodels:\n")[2].splitlines(), 2)
    }
    tables = [table for table in TABLES.values() if table.is_staged]
    lines = HEADER.splitlines()
    for table in tables:
        lines.append(f"      - name: {table.name}")
        lines += _described(description(table.row), 8)
    lines.append("models:")
    for table in tables:
        lines += _model(table, kept.get(f"stg_{table.name}", {}))
    return "\n".join(lines) + "\n"


def record_rules_macro() -> str:
    """The macro that gives dbt the key of each table of the raw store and the rules of its rows.

    A rule is its column, its condition in SQL, and the sentence that says it.
    """
    lines = [
        "{% macro record_rules() -%}",
        "{#- Keys of the raw store's tables and rules of their rows, as warehouse/records.py",
        "    declares them: `make records` writes them anew. That a column is not null is not one",
        "    of them: the tables themselves refuse it. -#}",
        "    {{ return({",
    ]
    for table in TABLES.values():
        if table.is_staged:
            lines += [
                f"        {table.name!r}: {{",
                f"            'key': {list(table.key)!r},",
                "            'rules': [",
                *(
                    f"                {(rule.column, rule.condition, rule.sentence)!r},"
                    for rule in table_rules(table)
                ),
                "            ],",
                "        },",
            ]
    return "\n".join([*lines, "    }) }}", "{%- endmacro %}", ""])


def table_rules(table: Table) -> tuple[Rule, ...]:
    """What every row of the table keeps to, and the table itself does not see to.

    A rule of a shard's row that is made of several tables' columns is one of its table.
    """
    names = {column.name for column in columns(table.row)}
    of_shards = (
        rule
        for row, row_rules in ROW_RULES.items()
        if row is not table.row and names < {column.name for column in columns(row)}
        for rule in row_rules
        if rule.column in names
    )
    not_null = {f"{column.name} is not null" for column in columns(table.row)}
    return tuple(
        rule for rule in (*rules_of(table.row), *of_shards) if rule.condition not in not_null
    )


def description(row: type) -> str:
    """What the rows of a table are, and what there is one of per row."""
    return " ".join((inspect.getdoc(row) or "").split())


def column_descriptions(row: type) -> dict[str, str]:
    """The sentence under each column of a row; for one without, the block in models/columns.md."""
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(row))).body
    assert isinstance(declared, ast.ClassDef)
    found = {column.name: f'{{{{ doc("{column.name}") }}}}' for column in columns(row)}
    for statement, following in zip(declared.body, declared.body[1:], strict=False):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as sentence)),
            ):
                found[name] = " ".join(sentence.split())
    return found


def _model(table: Table, kept: dict[str, list[str]]) -> list[str]:
    sentences = column_descriptions(table.row)
    kept_of = {_name(column): _entries(column, 8) for column in _items(kept.get("columns", []), 6)}
    lines = [f"  - name: stg_{table.name}", *_described(description(table.row), 4)]
    lines += kept.get("config", ["    config:", "      contract: {enforced: true}"])
    lines.append("    columns:")
    for column in columns(table.row):
        lines.append(f"      - name: {column.name}")
        lines += _described(sentences[column.name], 8)
        lines.append(f"        data_type: {column.sql_type}")
        lines += _others(kept_of.get(column.name, {}), "name", "description", "data_type")
    return lines + _others(kept, "name", "description", "config", "columns")


def _described(text: str, indent: int) -> list[str]:
    margin = " " * indent
    if text.startswith("{{"):
        return [f"{margin}description: '{text}'"]
    line = f"{margin}description: {json.dumps(text, ensure_ascii=False) if ': ' in text else text}"
    if len(line) <= 100:
        return [line]
    return [
        f"{margin}description: >",
        *textwrap.wrap(text, 100, initial_indent=margin + "  ", subsequent_indent=margin + "  "),
    ]


def _items(lines: list[str], indent: int) -> list[list[str]]:
    """The items of a list at this indentation, each in its lines, without the dash."""
    found: list[list[str]] = []
    for line in lines:
        if line.startswith(" " * indent + "- "):
            found.append([" " * indent + "  " + line[indent + 2 :]])
        elif found:
            found[-1].append(line)
    return found


def _entries(lines: list[str], indent: int) -> dict[str, list[str]]:
    """The entries of a mapping at this indentation, each in its lines, by key."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if line[:indent].strip() == "" and line[indent : indent + 1].strip(" #") != "":
            found[line.strip().partition(":")[0]] = [line]
        elif found:
            found[next(reversed(found))].append(line)
    return found


def _others(entries: dict[str, list[str]], *owned: str) -> list[str]:
    return [line for key, lines in entries.items() if key not in owned for line in lines]


def _name(lines: list[str]) -> str:
    return lines[0].partition("name:")[2].strip()


if __name__ == "__main__":
    STAGING.write_text(raw_store_yaml(STAGING.read_text(encoding="utf-8")), encoding="utf-8")
    RULES.write_text(record_rules_macro(), encoding="utf-8")
