"""What is wrong with measured data is said at the end of the build, with the rows to blame."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import pytest

from tests.dbt_project import dbt_environment, run_dbt
from tests.performance.scoring import fill
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=15)

RUN = "model_0-00000000"

OTHER_RUN = "model_1-00000000"

FIRST_WEIGHED = (
    "(select min(request_id) from raw.log_likelihoods inner join raw.run_requests"
    " using (request_id) where run_id = '{run}')"
)

DAMAGES = {
    "an answer without its completion": (
        "delete from raw.generations where request_id = (select min(request_id)"
        " from raw.generations)",
        "found=generation, continuations: 0, completions: 0, log-likelihoods: 0",
    ),
    "a completion twice": (
        "insert into raw.generations from raw.generations order by request_id limit 1",
        "found=generation, continuations: 0, completions: 2, log-likelihoods: 0",
    ),
    "a log-likelihood that is no number": (
        "update raw.log_likelihoods set log_likelihood = 'nan'"
        f" where request_id = {FIRST_WEIGHED.format(run=RUN)}",
        "continuation_index=0, found=nan",
    ),
    "a positive log-likelihood": (
        "update raw.log_likelihoods set log_likelihood = 0.5"
        f" where request_id = {FIRST_WEIGHED.format(run=OTHER_RUN)}",
        "continuation_index=0, found=0.5",
    ),
    "a request twice": (
        "insert into raw.requests from raw.requests order by request_id limit 1",
        "table_name=requests, rule=request_id: there are no two rows, row_count=2",
    ),
    "an item that is not there": (
        "delete from raw.items where item_hash = (select min(item_hash) from raw.items)",
        "table_name=run_requests, rule=item_hash: it is in stg_items, row_count=1,"
        f" row_key=run_id={RUN}",
    ),
}
"""By what is wrong: a statement on the raw store, and what is said of it."""


def small_store(folder: Path) -> Path:
    """A small raw store without a fault: two models, a thirtieth of the items."""
    path = folder / "generations.duckdb"
    fill(path, range(2), 0.03)
    return path


@pytest.fixture(scope="module")
def said_of_damages(tmp_path_factory) -> str:
    """What dbt says of a raw store with all of these damages."""
    folder = tmp_path_factory.mktemp("damaged")
    with open_raw_store(small_store(folder)) as connection:
        for statement, _ in DAMAGES.values():
            connection.execute(statement)
    environment = dbt_environment(folder)
    only_these = ("--indirect-selection", "cautious", "--exclude-resource-type", "unit_test")
    built = run_dbt("build", "--select", "+fct_set_aside", *only_these, env=environment)
    assert built.returncode == 1
    assert "ERROR=1 SKIP=0" in built.stdout, built.stdout[-3_000:]
    return built.stdout


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_the_raw_store_is_named(said_of_damages, damage):
    _, said = DAMAGES[damage]
    first, *rows = said_of_damages.partition("assert_nothing_is_set_aside: ")[2].splitlines()
    assert "failing row(s)" in first
    # The row that is to blame is named under its test: up to five of each rule.
    rows_of_test = takewhile(lambda row: " failing row(s)" not in row, rows)
    assert any(said in row for row in rows_of_test)


def test_suspicious_scores_are_warned_of_and_unfinished_runs_fail(tmp_path):
    with open_raw_store(small_store(tmp_path)) as connection:
        connection.execute(
            f"""
            update raw.generations set completion_text = ''
            where request_id in (
                select request_id from raw.run_requests
                where run_id = '{RUN}' and benchmark_id = 'triviaqa'
            );
            update raw.run_sessions set benchmark_ids = ['gsm8k', 'xlsum_ja', 'nothing_of_it']
            where run_id = '{RUN}';
            insert into raw.run_session_ends
            select session_id, 1, 1, 0, now() from raw.run_sessions where run_id = '{RUN}'"""
        )
    tests_and_what_they_read = (
        "+assert_no_run_score_is_suspicious",
        "+assert_finished_runs_have_all_items",
    )
    said = run_dbt(
        *("build", "--select", *tests_and_what_they_read, "--indirect-selection", "empty"),
        env=dbt_environment(tmp_path),
    ).stdout
    suspicious = said.partition("assert_no_run_score_is_suspicious: ")[2].splitlines()
    of_triviaqa = {line for line in suspicious if f"run_id={RUN}, benchmark_id=triviaqa" in line}
    assert any(
        "more than 20% of the completions are empty, found=1" in line for line in of_triviaqa
    )
    assert any("the score is zero" in line for line in of_triviaqa)
    unfinished = said.partition("assert_finished_runs_have_all_items: ")[2]
    for benchmark_id in ("gsm8k", "xlsum_ja", "nothing_of_it"):
        assert f"run_id={RUN}, benchmark_id={benchmark_id}" in unfinished
    assert "ERROR=1" in said
    assert "WARN=1" in said
