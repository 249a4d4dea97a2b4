"""An installation of before there were versions, upgraded: nothing lost, the same scores."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest

from tests.dbt_project import dbt_environment, run_dbt
from tests.warehouse.installation import OLD_SHARDS, unpacked
from warehouse.builds import building_path
from warehouse.loading import LoadReport, load
from warehouse.records import TABLES, columns
from warehouse.shard_files import shard_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=20)

DERIVED = {"loaded_shards", "migrations"}
"""Tables that say when something was done here, and what."""


class Upgraded(NamedTuple):
    """The installation after `evalwh load` and what `dbt build` makes of its scores."""

    folder: Path
    report: LoadReport
    old_store: Path
    old_warehouse: Path


def build_scores(folder: Path) -> None:
    no_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    wanted = ("--select", "+fct_item_scores", "+fct_run_scores")
    built = run_dbt("build", *wanted, *no_tests, env=dbt_environment(folder))
    assert built.returncode == 0, built.stdout[-8_000:]


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    kept, folder = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("upgraded")
    old_store = unpacked("generations.duckdb", kept)
    old_warehouse = unpacked("warehouse.duckdb", kept)
    store = folder / old_store.name
    shutil.copy(old_store, store)
    shutil.copy(old_warehouse, folder)
    shutil.copytree(OLD_SHARDS, folder / "shards")
    report = load(folder / "shards", store)
    build_scores(folder)
    return Upgraded(folder, report, old_store, old_warehouse)


def difference_counts(one: Path, other: Path) -> dict[str, tuple[int, int]]:
    """By table of the raw store: rows of one that the other has not, and the other way round.

    What an earlier version did not know of a row is left out.
    """
    found = {}
    with closing(duckdb.connect(one, read_only=True)) as connection:
        connection.execute(f"attach '{other}' as other (read_only)")
        for table in TABLES.keys() - DERIVED:
            names = ", ".join(c.name for c in columns(TABLES[table].row) if c.since.version == 1)
            here, there = (f"select {names} from {place}raw.{table}" for place in ("", "other."))
            found[table] = tuple(
                connection.execute(f"select count(*) from ({a} except all {b})").fetchall()[0][0]
                for a, b in ((here, there), (there, here))
            )
    return found


def nothing_differs() -> dict[str, tuple[int, int]]:
    return dict.fromkeys(TABLES.keys() - DERIVED, (0, 0))


def test_no_shard_is_set_aside_or_loaded_twice(upgraded):
    assert upgraded.report == LoadReport()
    shards = upgraded.folder / "shards"
    assert not list(shard_files(shards))
    assert [file.name for file in shard_files(shards / "loaded")] == [
        file.name for file in shard_files(OLD_SHARDS)
    ]


def test_the_raw_store_holds_what_it_held(upgraded):
    store = upgraded.folder / "generations.duckdb"
    assert difference_counts(store, upgraded.old_store) == nothing_differs()


def test_the_old_shards_make_the_same_raw_store_today(upgraded, tmp_path):
    store = tmp_path / "generations.duckdb"
    load(OLD_SHARDS, store, keep_files=True)
    assert difference_counts(store, upgraded.old_store) == nothing_differs()


KEYS = {
    "fct_item_scores": ("run_id", "benchmark_id", "item_hash", "sample_index"),
    "fct_run_scores": ("run_id", "benchmark_id"),
}
"""What names a row of a mart of scores, under any scorer."""

SAME_RULE = "old.scorer_id = new.scorer_id and old.scorer_version = new.scorer_version"


def score_rows(
    warehouse: Path, old_warehouse: Path, mart: str, condition: str
) -> list[tuple[object, ...]]:
    """Rows of the old warehouse's mart, beside those of `warehouse`, that meet the condition."""
    key = ", ".join(KEYS[mart])
    with closing(duckdb.connect(warehouse, read_only=True)) as connection:
        connection.execute(f"attach '{old_warehouse}' as old (read_only)")
        return connection.execute(
            f"""
            select {key}, old.scorer_id, old.scorer_version, new.scorer_version, old.score,
                new.score
            from old.marts.{mart} as old
            left join marts.{mart} as new using ({key})
            where {condition}
            order by all"""
        ).fetchall()


def check_scores(warehouse: Path, old_warehouse: Path) -> None:
    for mart in KEYS:
        assert score_rows(warehouse, old_warehouse, mart, "new.run_id is null") == []
        assert score_rows(warehouse, old_warehouse, mart, SAME_RULE)
        for differing in (
            "abs(old.score - new.score) > 1e-12",
            "(old.score is null) != (new.score is null)",
        ):
            condition = f"{SAME_RULE} and {differing}"
            assert score_rows(warehouse, old_warehouse, mart, condition) == []


def test_the_old_warehouse_is_built_on_and_its_scores_stay(upgraded):
    check_scores(upgraded.folder / "warehouse.duckdb", upgraded.old_warehouse)


def test_a_new_warehouse_has_the_old_scores(upgraded, tmp_path):
    shutil.copy(upgraded.folder / "generations.duckdb", tmp_path)
    build_scores(tmp_path)
    check_scores(building_path(tmp_path / "warehouse.duckdb"), upgraded.old_warehouse)
