"""Registers with errors in them stop the build, with tests that name each culprit."""

import csv
import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.dbt_project import copy_project, dbt_environment, run_dbt
from warehouse.builds import building_path

pytestmark = pytest.mark.slow(seconds=35)

Rows = list[dict[str, str]]

SOURCE = "swallow_evaluation_2024_12"
LLAMA = "meta-llama/Llama-2-7b-hf"
QWEN = "Qwen/Qwen2-7B"
YOURI = "rinna/youri-7b"


def rewrite(seed: Path, change: Callable[[Rows], Rows]) -> None:
    with seed.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    changed = change(rows)
    assert changed != rows or len(changed) != len(rows)
    with seed.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(changed)


def matches(row: dict[str, str], **values: str) -> bool:
    return all(row[name] == value for name, value in values.items())


def delete(**key: str) -> Callable[[Rows], Rows]:
    return lambda rows: [row for row in rows if not matches(row, **key)]


def double(**key: str) -> Callable[[Rows], Rows]:
    return lambda rows: rows + [row for row in rows if matches(row, **key)]


def change(values: dict[str, str], **key: str) -> Callable[[Rows], Rows]:
    return lambda rows: [row | values if matches(row, **key) else dict(row) for row in rows]


def mmlu_of(model_id: str) -> dict[str, str]:
    return {"source_id": SOURCE, "model_id": model_id, "benchmark_id": "mmlu"}


CAUTIOUS = ("--indirect-selection", "cautious")
"""Tests of what is selected only."""

BUILDS = {
    "rules of registers": (),
    "sentences over registers": ("--select", "+path:models/staging", *CAUTIOUS),
    "ancestry": ("--select", "+int_model_ancestry", *CAUTIOUS),
    "budgets": ("--select", "+fct_token_budgets", "hand_checked_budgets", *CAUTIOUS),
}
"""How far each build goes. What a failed test is of is not built upon, so that a fault which only
shows later needs a build without earlier ones."""

DAMAGES = {
    "doubled score": (
        "rules of registers",
        "published_scores",
        double(**mmlu_of(LLAMA)),
        "rules_of_published_scores",
        f"row_key=source_id={SOURCE}, model_id={LLAMA}, benchmark_id=mmlu, found=2 rows",
    ),
    "score of 1.7": (
        "rules of registers",
        "published_scores",
        change({"score": "1.7"}, **mmlu_of("Qwen/Qwen1.5-7B")),
        "rules_of_published_scores",
        f"row_key=source_id={SOURCE}, model_id=Qwen/Qwen1.5-7B, benchmark_id=mmlu, found=1.7",
    ),
    "score that is not a number": (
        "rules of registers",
        "published_scores",
        change({"score": "nan"}, **mmlu_of(QWEN)),
        "rules_of_published_scores",
        f"row_key=source_id={SOURCE}, model_id={QWEN}, benchmark_id=mmlu, found=nan",
    ),
    "deleted model": (
        "rules of registers",
        "models",
        delete(model_id=YOURI),
        "rules_of_published_scores",
        f"found={YOURI}",
    ),
    "doubled model": (
        "rules of registers",
        "models",
        double(model_id=LLAMA),
        "rules_of_models",
        f"rule=model_id is unique, row_key=model_id={LLAMA}, found=2 rows",
    ),
    "deleted benchmark": (
        "rules of registers",
        "benchmarks",
        delete(benchmark_id="niilc"),
        "rules_of_published_scores",
        "found=niilc",
    ),
    "deleted publication": (
        "rules of registers",
        "published_sources",
        delete(source_id="swallow_leaderboard_main"),
        "rules_of_published_scores",
        "found=swallow_leaderboard_main",
    ),
    "deleted panel": (
        "rules of registers",
        "panels",
        delete(panel_id="complete"),
        "assert_registers_have_all_their_rows",
        "register=panels, expected_row_count=4, found_row_count=3",
    ),
    "deleted score": (
        "sentences over registers",
        "published_scores",
        delete(**mmlu_of(LLAMA)),
        "assert_complete_publications_have_every_benchmark",
        f"source_id={SOURCE}, model_id={LLAMA}, benchmark_id=mmlu",
    ),
    "deleted score of a publication with gaps": (
        "sentences over registers",
        "published_scores",
        delete(
            source_id="swallow_evaluation_2024_06",
            model_id="rinna/nekomata-7b",
            benchmark_id="niilc",
        ),
        "assert_no_published_score_is_lost",
        "model_id=rinna/nekomata-7b, expected_score_count=17, found_score_count=16",
    ),
    "deleted only training stage": (
        "sentences over registers",
        "training_stages",
        delete(model_id=QWEN),
        "assert_base_models_have_a_training_stage",
        f"model_id={QWEN}",
    ),
    "cycle of two parents": (
        "ancestry",
        "models",
        change({"parent_model_id": YOURI}, model_id=LLAMA),
        "assert_ancestry_has_no_cycle",
        f"path={LLAMA} <- {YOURI} <- {LLAMA}",
    ),
    "model that is its own parent": (
        "ancestry",
        "models",
        change({"parent_model_id": QWEN}, model_id=QWEN),
        "assert_ancestry_has_no_cycle",
        f"path={QWEN} <- {QWEN}",
    ),
    "deleted training stage": (
        "budgets",
        "training_stages",
        delete(model_id=LLAMA, language="ja"),
        "assert_token_budgets_equal_the_sums_by_hand",
        f"model_id={LLAMA}, language=ja, token_count_by_hand=2000000000",
    ),
}


@pytest.fixture(scope="module", params=BUILDS)
def built(request, tmp_path_factory) -> tuple[str, str, Path]:
    """Name of the build, what it said with all of its damages, its folder."""
    folder = tmp_path_factory.mktemp("damaged_seeds")
    project = copy_project(folder)
    for build, seed, damaged, *_ in DAMAGES.values():
        if build == request.param:
            rewrite(project / "warehouse" / "seeds" / f"{seed}.csv", damaged)
    said = run_dbt(
        "build", *BUILDS[request.param], project_dir=project, env=dbt_environment(folder)
    )
    assert said.returncode == 1, said.stdout[-4_000:]
    assert "Runtime Error" not in said.stdout
    return request.param, said.stdout, folder


def test_every_damage_stops_the_build_and_is_named(built: tuple[str, str, Path]) -> None:
    name, said, _ = built
    unnamed = [
        (damage, failing_test, culprit)
        for damage, (build, _, _, failing_test, culprit) in DAMAGES.items()
        if build == name and not is_named(said, failing_test, culprit)
    ]
    assert unnamed == [], said[-8_000:]


def test_a_stopped_build_is_recorded_and_not_published(
    built: tuple[str, str, Path],
) -> None:
    name, _, folder = built
    with duckdb.connect(building_path(folder / "warehouse.duckdb"), read_only=True) as connection:
        row = connection.execute("select is_full, is_success from meta.builds").fetchall()
    assert row == [(not BUILDS[name], False)]
    assert not (folder / "warehouse.duckdb").exists()


def is_named(said: str, failing_test: str, culprit: str) -> bool:
    """Whether a row with `culprit` follows the line that names the test."""
    lines = iter(said.splitlines())
    for line in lines:
        if f" {failing_test}: " in line and "failing row(s)" in line:
            break
    # Rows are indented after the time of day.
    rows = itertools.takewhile(lambda line: line[8:].startswith("    "), lines)
    return any(culprit in row for row in rows)
