"""A value of the raw store that is changed by hand, under the same times, is scored again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.dbt_project import dbt_environment, run_dbt
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=40)

CHANGES = {
    "gsm8k": "update raw.generations set completion_text = target from raw.items"
    " inner join raw.run_requests using (item_hash)"
    " where run_requests.request_id = generations.request_id"
    " and items.benchmark_id = 'gsm8k'",
    "niilc": "update raw.items set target = completion_text from raw.run_requests"
    " inner join raw.generations using (request_id)"
    " where run_requests.item_hash = items.item_hash and items.benchmark_id = 'niilc'",
    "triviaqa": "update raw.items set golds = ['made up'] where benchmark_id = 'triviaqa'",
    "hellaswag": "update raw.items set gold_index = (gold_index + 1) % 4"
    " where benchmark_id = 'hellaswag'",
    "mmlu": "update raw.log_likelihoods set log_likelihood = -continuation_index - 1"
    " where request_id in (select request_id from raw.run_requests where benchmark_id = 'mmlu')",
    "humaneval": "update raw.program_outcomes set outcome = 'passed' where request_id in"
    " (select request_id from raw.run_requests where benchmark_id = 'humaneval')",
    "wmt20_ja_en": "update raw.translation_statistics set match_counts = ngram_counts"
    " where request_id in"
    " (select request_id from raw.run_requests where benchmark_id = 'wmt20_ja_en')",
    "xlsum_ja": "update raw.generations set completion_token_ids = target_token_ids"
    " from raw.run_requests where run_requests.request_id = generations.request_id"
    " and benchmark_id = 'xlsum_ja'",
}
"""By benchmark: what is done to all that was answered of it."""


@pytest.fixture(scope="module")
def stores(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The warehouse, and the same built on after the changes."""
    folder = tmp_path_factory.mktemp("changed")
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, folder)
    with open_raw_store(folder / "generations.duckdb") as connection:
        for statement in CHANGES.values():
            ((count,),) = connection.execute(statement).fetchall()
            assert count > 0, statement
    said = run_dbt("run", "--select", "int_run_pieces+", env=dbt_environment(folder))
    assert said.returncode == 0, said.stdout[-3000:]
    return built_warehouse, folder / "warehouse.duckdb"


def by_benchmark(path: Path, query: str) -> dict[str, list[tuple]]:
    found: dict[str, list[tuple]] = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for benchmark_id, *rest in connection.execute(query).fetchall():
            found.setdefault(benchmark_id, []).append(tuple(rest))
    return found


@pytest.mark.parametrize("benchmark_id", CHANGES)
def test_it_is_scored_again(stores: tuple[Path, Path], benchmark_id: str) -> None:
    query = (
        "select benchmark_id, run_id, item_id, sample_index, score from marts.fct_item_scores"
        " order by all"
    )
    before, after = (by_benchmark(path, query)[benchmark_id] for path in stores)
    assert len(before) == len(after)
    assert before != after


def test_all_else_is_held_as_it_was(stores: tuple[Path, Path]) -> None:
    query = (
        "select distinct benchmark_id, run_id, content_key from marts.fct_item_scores order by all"
    )
    before, after = (by_benchmark(path, query) for path in stores)
    assert {name for name in before if before[name] != after[name]} == CHANGES.keys()
