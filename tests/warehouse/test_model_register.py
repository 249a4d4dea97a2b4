"""The register of models: its dates and names hold together, and it may gain columns."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt

if TYPE_CHECKING:
    from pathlib import Path

TEST = "compiled/evalwh/tests/warehouse/assert_models_are_consistent.sql"

DISAGREE = "released_at, release_certainty and release_source do not agree"

FAULTS = {
    "Qwen/Qwen2-7B": ({"release_certainty": "unknown"}, DISAGREE),
    "Qwen/Qwen2-72B": ({"released_at": None, "release_source": None}, DISAGREE),
    "Qwen/Qwen3-8B-Base": ({"release_source": None}, DISAGREE),
    "rinna/youri-7b": (
        {"released_at": "2023-07-17"},
        "released on 2023-07-17, its parent meta-llama/Llama-2-7b-hf on 2023-07-18",
    ),
    "rinna/nekomata-7b": (
        {"released_at": "2024-06-23", "release_certainty": "upper_bound"},
        "released on 2024-06-23, scored by swallow_evaluation_2024_06 on 2024-06-22",
    ),
    "tokyotech-llm/Llama-3.1-Swallow-8B-v0.1": (
        {"model_name": "Llama 3.3 Swallow 8B v0.1"},
        "the name Llama 3.3 Swallow 8B v0.1 has version 3.3",
    ),
}


@pytest.fixture
def damaged(built_warehouse: Path, tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A copy of the built warehouse with every fault in its register."""
    copy = shutil.copy(built_warehouse, tmp_path / built_warehouse.name)
    connection = duckdb.connect(str(copy))
    for model_id, (values, _) in FAULTS.items():
        for column, value in values.items():
            changed = connection.execute(
                f"update seeds.models set {column} = ? where model_id = ?", [value, model_id]
            ).fetchall()
            assert changed == [(1,)]
    return connection


def test_each_fault_is_named_with_its_model_and_nothing_else_is(
    built_warehouse: Path, damaged: duckdb.DuckDBPyConnection
) -> None:
    test = (built_warehouse.parent / "target" / TEST).read_text(encoding="utf-8")
    found = damaged.execute(test).fetchall()
    assert sorted(found) == sorted((model_id, fault) for model_id, (_, fault) in FAULTS.items())


@pytest.mark.slow(seconds=5)
def test_a_seed_gains_a_column_in_a_warehouse_that_was_built_without_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema seeds")
        connection.execute("create table seeds.models (model_id varchar, released_at date)")
    seeding = run_dbt("seed", "-s", "models", env=dbt_environment(tmp_path))
    assert seeding.returncode == 0, seeding.stdout


def rows_of(seed: str) -> list[dict[str, str]]:
    path = REPOSITORY / "warehouse" / "seeds" / seed
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_an_id_that_was_corrected_is_found_in_the_notes() -> None:
    """The note of a corrected row gives the id of the source, which is some other id."""
    ids = {row["model_id"] for row in rows_of("models.csv")}
    corrected = [
        row for row in rows_of("published_scores.csv") if row["note"].startswith("model_id corr")
    ]
    assert corrected
    for row in corrected:
        source_id = row["note"].split("carries the wrong id ")[1].split(" ")[0]
        assert source_id != row["model_id"] in ids
