from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import duckdb
import pytest

from app.report import ANALYSIS
from tests.dbt_project import REPOSITORY

REPORT = [sys.executable, "-c", "import app.report; app.report.main()"]


@pytest.fixture(scope="module")
def report(built_warehouse) -> str:
    """The report as a pipe gets it, from a narrow terminal."""
    return subprocess.run(
        REPORT,
        cwd=REPOSITORY,
        env={**os.environ, "EVALWH_WAREHOUSE": str(built_warehouse), "COLUMNS": "40"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_the_report_is_plain_text_of_one_screen(report, built_warehouse):
    assert "\x1b" not in report
    lines = report.splitlines()
    assert len(lines) <= 60
    assert all(len(line) <= 100 for line in lines if str(built_warehouse) not in line)
    assert "…" not in report


def test_the_report_has_the_numbers_of_the_warehouse(report, built_warehouse):
    with duckdb.connect(built_warehouse, read_only=True) as connection:
        (score_count,) = connection.execute(
            "select count(*) from marts.fct_benchmark_scores"
        ).fetchone()
        share, low, high = connection.execute(
            "select explained_variance_ratio, ratio_ci_low, ratio_ci_high "
            "from marts.fct_component_variances where panel_id = 'paper_35' and component_index = 1"
        ).fetchone()
        slopes = connection.execute(
            """
            select slope, model_count, lineage_count, effective_lineage_count
            from marts.fct_scaling_fits
            where panel_id = 'paper_35' and method = 'ols' and (budget_language, target) in (
                ('ja', 'anchored_2'), ('en', 'anchored_1'), ('total', 'anchored_1')
            )
            """
        ).fetchall()
    assert f"{score_count:,} scores" in report
    assert f"{share:.2f} [{low:.2f}, {high:.2f}]" in report
    assert len(slopes) == 3
    for slope, model_count, lineage_count, worth in slopes:
        number = f"{slope:.2f}".replace("-", "−")
        counts = rf"{model_count} +{lineage_count} +{worth:.1f}"
        assert re.search(rf" {number} .* {counts}\s*$", report, re.MULTILINE)


def test_the_report_shows_measured_scores_beside_published_ones(report, built_warehouse):
    with duckdb.connect(built_warehouse, read_only=True) as connection:
        rows = connection.execute(
            """
            select benchmark_name, score, ci_low, ci_high
            from marts.fct_run_scores
            inner join marts.dim_benchmarks using (benchmark_id)
            where benchmark_id in ('hellaswag', 'xlsum_ja') and item_set = 'demo'"""
        ).fetchall()
        (measured_count,) = connection.execute(
            "select count(*) from marts.fct_benchmark_scores where score_source = 'measured'"
        ).fetchone()
    assert len(rows) == 4
    for name, score, low, high in rows:
        (line,) = (line for line in report.splitlines() if line.startswith(f"{name} "))
        assert f"{score:.2f} [{low:.2f}, {high:.2f}]" in line
    # They are shown, and counted nowhere.
    assert measured_count == 0
    assert "0 measured here" in report


def test_the_report_names_the_file_and_what_to_type_next(report, built_warehouse):
    assert str(built_warehouse) in report
    assert f"dbt show -s {ANALYSIS}" in report
    assert (REPOSITORY / "analyses" / f"{ANALYSIS}.sql").exists()


def test_the_report_without_any_build_is_an_error_that_says_what_to_do(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", "import app.cli; app.cli.main(['report'])"],
        cwd=REPOSITORY,
        env={**os.environ, "EVALWH_WAREHOUSE": str(tmp_path / "none.duckdb")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "make run" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_report_says_what_is_set_aside(built_warehouse, tmp_path):
    path = shutil.copy(built_warehouse, tmp_path)
    with duckdb.connect(path) as connection:
        connection.execute(
            """
            insert into marts.fct_set_aside
            select 'run', benchmark_id, '1', 'answers', rule, 1, 'request_id=q', '-1'
            from (values ('mmlu'), ('gsm8k')) as benchmarks (benchmark_id),
                (values ('a rule'), ('another')) as rules (rule)"""
        )
    said = subprocess.run(
        REPORT,
        cwd=REPOSITORY,
        env={**os.environ, "EVALWH_WAREHOUSE": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert "2 measured results are set aside" in said
    assert "marts.fct_set_aside" in said


def test_the_report_says_nothing_of_what_is_set_aside_where_nothing_is(report):
    assert "set aside" not in report
