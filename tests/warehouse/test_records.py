"""Records: what follows from them is what is there."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml

from tests.dbt_project import REPOSITORY
from warehouse.migrating import differences, migrations
from warehouse.raw_store import open_raw_store
from warehouse.record_docs import (
    RULES,
    STAGING,
    column_descriptions,
    description,
    raw_store_yaml,
    record_rules_macro,
    table_rules,
)
from warehouse.records import (
    HIGHEST_LOG_LIKELIHOOD,
    TABLES,
    VERSION,
    Answer,
    AnsweredRequest,
    Generation,
    PlannedRequest,
    Prompt,
    Request,
    RunRequest,
    columns,
)
from warehouse.shard_files import SHARDS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "generations.duckdb"
    with open_raw_store(path):
        pass
    return path


def test_migrations_are_numbered_up_to_the_version_of_the_records() -> None:
    assert [step.version for step in migrations()] == list(range(1, VERSION + 1))
    since = {one.since.version for table in TABLES.values() for one in columns(table.row)}
    since |= {one.since.version for row in SHARDS.values() for one in columns(row)}
    assert since <= set(range(1, VERSION + 1))


def test_migrations_make_the_tables_of_the_records_and_no_other(store: Path) -> None:
    with closing(duckdb.connect(store, read_only=True)) as connection:
        assert differences(connection) == []
        made = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert {name for (name,) in made} == set(TABLES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("add column note varchar", "answers.note VARCHAR null (unknown)"),
        ("drop column latency_seconds", "answers.latency_seconds DOUBLE null (missing)"),
        ("alter column endpoint drop not null", "answers.endpoint VARCHAR null (unknown)"),
        ("alter column attempt_count type bigint", "answers.attempt_count BIGINT null (unknown)"),
    ],
)
def test_a_table_that_is_otherwise_is_seen(store: Path, change: str, said: str) -> None:
    with closing(duckdb.connect(store)) as connection:
        connection.execute(f"alter table raw.answers {change}")
        assert said in differences(connection)


def test_the_columns_of_a_shard_are_those_of_the_tables_that_it_fills() -> None:
    of_tables = {one for row in (RunRequest, Request, Prompt) for one in columns(row)}
    assert set(columns(PlannedRequest)) == of_tables
    of_answers = {one.name: one.arrow_type for one in columns(AnsweredRequest)}
    for row in (Answer, Generation):
        for one in columns(row):
            assert of_answers[one.name] == one.arrow_type


def test_what_dbt_is_told_of_the_raw_store_is_up_to_date() -> None:
    text = STAGING.read_text(encoding="utf-8")
    assert raw_store_yaml(text) == text, "make records"


def test_the_rules_that_dbt_is_told_are_up_to_date() -> None:
    assert record_rules_macro() == RULES.read_text(encoding="utf-8"), "make records"


def test_a_rule_of_a_shard_is_one_of_the_table_with_its_columns() -> None:
    rules = {
        (table.name, rule.column): rule.condition
        for table in TABLES.values()
        for rule in table_rules(table)
    }
    assert "log_likelihood" in rules["requests", "continuations"]
    assert str(HIGHEST_LOG_LIKELIHOOD) in rules["log_likelihoods", "log_likelihood"]
    assert not any(condition.endswith(" is not null") for condition in rules.values())


def test_dbt_is_told_of_every_table_and_column() -> None:
    told = yaml.safe_load(STAGING.read_text(encoding="utf-8"))
    staged = [table for table in TABLES.values() if table.is_staged]
    assert [table["name"] for table in told["sources"][0]["tables"]] == [t.name for t in staged]
    for table, model in zip(staged, told["models"], strict=True):
        assert model["name"] == f"stg_{table.name}"
        assert model["description"].strip() == description(table.row)
        sentences = column_descriptions(table.row)
        assert [
            (column["name"], column["data_type"], column["description"].strip())
            for column in model["columns"]
        ] == [(one.name, one.sql_type, sentences[one.name]) for one in columns(table.row)]


def test_what_others_wrote_there_is_kept() -> None:
    text = STAGING.read_text(encoding="utf-8")
    tests = "        data_tests:\n          - is_odd:\n              arguments: {by: 2}\n"
    kept = "        constraints: [{type: not_null}]\n" + tests
    # Out of date, with a test more.
    damaged = re.sub(
        r"        description: Server that answered.*\n        data_type: varchar\n",
        "        description: Something else.\n        data_type: bigint\n" + kept,
        text,
    )
    assert damaged != text
    mended = raw_store_yaml(damaged)
    assert kept in mended
    assert "Something else" not in mended
    assert raw_store_yaml(mended) == mended
    before, after = yaml.safe_load(text), yaml.safe_load(mended)
    (answers,) = (model for model in after["models"] if model["name"] == "stg_answers")
    (changed,) = (column for column in answers["columns"] if column["name"] == "endpoint")
    assert changed.pop("constraints") == [{"type": "not_null"}]
    assert changed.pop("data_tests") == [{"is_odd": {"arguments": {"by": 2}}}]
    assert after == before


def test_every_column_is_described() -> None:
    blocks = set(
        re.findall(r"{% docs (\w+) %}", (REPOSITORY / "models" / "columns.md").read_text("utf-8"))
    )
    for table in TABLES.values():
        assert re.search(r"One row per [^.]+\.$", description(table.row))
        for name, sentence in column_descriptions(table.row).items():
            named = re.fullmatch(r'{{ doc\("(\w+)"\) }}', sentence)
            assert named is None or named[1] in blocks, f"{table.name}.{name}"
