"""A rule that changes scores again what it touches, asks nobody, and says what it changed."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.dbt_project import copy_project, dbt_environment, run_dbt

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def changed(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse built again after the rule of `any_alias` has come to want capital letters."""
    directory = tmp_path_factory.mktemp("changed")
    project = copy_project(directory / "project")
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, directory)
    seed = project / "warehouse" / "seeds" / "scorers.csv"
    with seed.open(newline="") as file:
        scorers = list(csv.DictReader(file))
    for scorer in scorers:
        if scorer["scorer_id"] == "any_alias":
            scorer["scorer_version"] = "2"
    with seed.open("w", newline="") as file:
        writer = csv.DictWriter(file, scorers[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(scorers)
    macro = project / "warehouse" / "macros" / "alias_form.sql"
    macro.write_text(macro.read_text().replace("full_lower({{ text }})", "{{ text }}"))
    with duckdb.connect(str(directory / "warehouse.duckdb")) as connection:
        # A mark that scoring again would wipe out.
        connection.execute(
            "update intermediate.int_answer_scores set answer_text = 'untouched'"
            " where scorer_id = 'squad2_exact'"
        )
    build = run_dbt(
        "build",
        *("--select", "scorers+", "--exclude-resource-type", "unit_test"),
        project_dir=project,
        env=dbt_environment(directory),
    )
    assert build.returncode == 0, build.stdout[-5000:]
    return directory / "warehouse.duckdb"


def test_both_versions_are_kept_and_the_new_one_is_shown(changed: Path):
    versions = "select scorer_version, count(*) from {} where scorer_id = 'any_alias' group by 1"
    held = rows(changed, versions.format("intermediate.int_answer_scores") + " order by 1")
    assert [version for version, _ in held] == [1, 2]
    assert held[0][1] == held[1][1] == 20
    assert rows(changed, versions.format("marts.fct_item_scores")) == [(2, 20)]


def test_what_the_rule_does_not_touch_is_not_scored_again(changed: Path):
    found = rows(
        changed,
        "select distinct answer_text from intermediate.int_answer_scores"
        " where scorer_id = 'squad2_exact'",
    )
    assert found == [("untouched",)]


def test_the_changes_are_listed_with_what_they_do(changed: Path, built_warehouse: Path):
    before = {
        key: score
        for *key_parts, score in rows(
            built_warehouse,
            "select run_id, item_hash, score from marts.fct_item_scores"
            " where scorer_id = 'any_alias'",
        )
        for key in [tuple(key_parts)]
    }
    after = {
        (run, item): score
        for run, item, score in rows(
            changed,
            "select run_id, item_hash, score from marts.fct_item_scores"
            " where scorer_id = 'any_alias'",
        )
    }
    flipped = {key for key, score in after.items() if score != before[key]}
    listed = rows(
        changed,
        "select run_id, item_hash, previous_version, scorer_version, previous_score, score,"
        " run_score_change from marts.fct_score_changes",
    )
    assert flipped
    assert {(run, item) for run, item, *_ in listed} == flipped
    for run, item, previous_version, version, previous, score, effect in listed:
        assert (previous_version, version) == (1, 2)
        assert (previous, score) == (before[run, item], after[run, item])
        of_run = [after[key] - before[key] for key in after if key[0] == run]
        assert effect == pytest.approx(sum(of_run) / len(of_run))


def test_nothing_changed_before(built_warehouse: Path):
    assert rows(built_warehouse, "from marts.fct_score_changes") == []
