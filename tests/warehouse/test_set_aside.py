"""Wrong measured rows take their own run's scores of a benchmark away, are named, and no more."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.dbt_project import dbt_environment, run_dbt
from tests.warehouse.faults import Fault, bring_values, columns_of, damage, faults
from tests.warehouse.made_runs import made_run, rows_of
from tests.warehouse.run_shapes import write_rows
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, shard_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=45)

MEASURED = "made-real"
"""A run of all items of the smallest benchmark: its score is preferred to the published one."""

OTHER_SCORER = "made-other-scorer"
"""A run of some items of the same benchmark."""

GOOD = "made-good"

RAW_FAULTS = {
    f"made{number:03d}": fault
    for number, fault in enumerate(fault for fault in faults() if fault.table.startswith("raw."))
}
"""Faults of the raw store, each by the run that it is done to."""

OTHER_DAMAGES = {
    "made-lost-completion": (
        "delete from raw.generations where request_id = '{run}-answers-0'",
        "answers",
        "request_id: an answer has the completion, or log-likelihoods, of its request",
    ),
    "made-lost-log-likelihood": (
        "delete from raw.log_likelihoods"
        " where request_id = '{run}-choices-0' and continuation_index = 2",
        "answers",
        "request_id: an answer has the completion, or log-likelihoods, of its request",
    ),
    "made-skipped-continuation": (
        "update raw.log_likelihoods set continuation_index = 7"
        " where request_id = '{run}-choices-0' and continuation_index = 2",
        "answers",
        "request_id: an answer has the completion, or log-likelihoods, of its request",
    ),
    "made-lost-item": (
        "delete from raw.items where item_hash = '{run}-answers-0'",
        "run_requests",
        "item_hash: it is in stg_items",
    ),
    "made-two-runs": (
        "insert into raw.run_sessions select * replace ('{run}-2' as run_id)"
        " from raw.run_sessions where run_id = '{run}'",
        "run_sessions",
        "session_id: there are no two rows",
    ),
    "made-name": (
        "insert into raw.run_requests"
        " select * replace ('answers 2' as benchmark_id, 1 as sample_index)"
        " from raw.run_requests where request_id = '{run}-programs-0';"
        "insert into raw.run_requests"
        " select * replace ('answers' as benchmark_id, '2' as protocol_version)"
        " from raw.run_requests where request_id = '{run}-programs-0'",
        "run_requests",
        "scorer: a benchmark of a run has one, and a name of its own",
    ),
    "made-lost-answer-requests": (
        "insert into raw.run_requests select * replace ('extra' as purpose)"
        " from raw.run_requests where request_id = '{run}-answers-0';"
        "delete from raw.run_requests"
        " where request_id = '{run}-answers-0' and purpose = 'answer'",
        "run_requests",
        "variant_index: variant 0 of its sample is asked for the answer",
    ),
    "made-other-purpose": (
        "update raw.run_requests set purpose = 'made up' where request_id = '{run}-answers-0'",
        "run_requests",
        "variant_index: variant 0 of its sample is asked for the answer",
    ),
    "made-lost-draw": (
        "insert into raw.run_requests select * replace (2 as sample_index)"
        " from raw.run_requests where request_id = '{run}-answers-0'",
        "run_requests",
        "sample_index: the sample before it is asked, too",
    ),
    "made-no-completion-to-choose": (
        "update raw.run_requests set scorer = 'most_likely_choice'"
        " where run_id = '{run}' and benchmark_id = 'answers'",
        "run_requests",
        "scorer: it scores what the request asks for",
    ),
    "made-no-completion-to-read": (
        "update raw.run_requests set scorer = 'last_number'"
        " where run_id = '{run}' and benchmark_id = 'choices'",
        "run_requests",
        "scorer: it scores what the request asks for",
    ),
    "made-lost-context": (
        "update raw.run_requests set scorer = 'most_likely_context'"
        " where run_id = '{run}' and benchmark_id = 'choices';"
        "update raw.requests set continuations = ['a']"
        " where starts_with(request_id, '{run}-choices');"
        "delete from raw.log_likelihoods"
        " where starts_with(request_id, '{run}-choices') and continuation_index > 0",
        "requests",
        "continuations: with those of other variants, each choice of the item is weighed once",
    ),
    "made-no-gold": (
        "update raw.items set gold_index = null where item_hash = '{run}-choices-0'",
        "items",
        "gold_index: where a choice is scored, one is the right one",
    ),
    "made-moved-benchmark": (
        "update raw.run_requests set benchmark_id = 'moved', scorer = 'last_number'"
        " where run_id = '{run}' and benchmark_id = 'programs'",
        "items",
        "benchmark_id: it is asked for its own benchmark",
    ),
    "made-moved-run": (
        "update raw.run_sessions set model_id = 'example/other' where run_id = '{run}'",
        "requests",
        "model_id: it asks the model of the run, of its revision and tokenizer",
    ),
    "made-other-set": (
        "update raw.run_sessions set item_set = 'real' where run_id = '{run}'",
        "run_sessions",
        "item_set: the items of a run are of its set",
    ),
    "made-fewer-draws": (
        "delete from raw.run_requests where request_id = '{run}-answers-1'",
        "run_session_ends",
        "request_count: the run has as many requests as the session needed",
    ),
    "made-no-golds": (
        "update raw.items set golds = [] where item_hash = '{run}-answers-0'",
        "items",
        "golds: where an answer is compared with them, there is one",
    ),
    OTHER_SCORER: (
        "update raw.run_requests set scorer = 'last_number'"
        " where run_id = '{run}' and benchmark_id = 'jemhopqa'",
        "run_requests",
        "scorer: it is that of the benchmark in this version",
    ),
    "made-far-future": (
        "update raw.answers set answered_at = 'infinity' where request_id = '{run}-answers-0'",
        "answers",
        "answered_at: it is a time from 1970-01-01 to 2100-01-01",
    ),
    "made-other-session": (
        "update raw.answers set session_id = (select min(session_id) from raw.run_sessions"
        " where model_id = 'google/gemma-3-270m') where request_id = '{run}-answers-0'",
        "answers",
        "session_id: a request is answered by the model that it asks",
    ),
    MEASURED: (
        "update raw.answers set output_token_count = -1 where request_id = '{run}-jemhopqa-0'",
        "answers",
        "output_token_count: it is a number, at least 0, at most 2147483647",
    ),
}
"""By run: what is done to it beside the faults of single rows; the table and rule to be named."""

PUBLISHED = (
    "dim_benchmarks", "dim_models", "dim_panel_models", "dim_panels", "fct_benchmark_correlations",
    "fct_benchmark_scores", "fct_component_loadings", "fct_component_variances",
    "fct_held_out_predictions", "fct_lineage_predictions", "fct_model_abilities",
    "fct_panel_scores", "fct_reproduction", "fct_scaling_curves", "fct_scaling_fits",
    "fct_scaling_points", "fct_token_budgets",
)  # fmt: skip
"""Marts that hold nothing of what was set aside here, nor of demonstrations."""

OF_SAMPLES = ("fct_item_scores", "fct_logged_scores", "fct_pass_rates", "fct_run_scores")


@dataclass(frozen=True, slots=True)
class Builds:
    """Builds of one warehouse, one after another."""

    folder: Path
    before: Path
    """Where nothing is wrong."""
    damaged: Path
    said: str
    """What dbt said of the damaged store."""
    exit_code: int
    mended: Path


def build(folder: Path, kept: str, verb: str = "build") -> tuple[str, int, Path]:
    said = run_dbt(verb, env=dbt_environment(folder))
    path = shutil.copy(folder / "warehouse.duckdb", folder / kept)
    return said.stdout, said.returncode, path


@pytest.fixture(scope="module")
def builds(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Builds:
    folder = tmp_path_factory.mktemp("set_aside")
    store = folder / "generations.duckdb"
    shutil.copy(built_warehouse, folder)
    shutil.copy(built_warehouse.parent / store.name, store)
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        (model_id,) = connection.execute(
            "select min(model_id) from marts.dim_panel_models where panel_id = 'complete'"
            " and model_id not in"
            " (select model_id from marts.dim_panel_models where panel_id = 'paper_35')"
        ).fetchone()
        (item_count, protocol_version) = connection.execute(
            "select item_count, protocol_version from marts.dim_benchmarks"
            " where benchmark_id = 'jemhopqa'"
        ).fetchone()
    made = [
        made_run(run)
        for run in (GOOD, *RAW_FAULTS, *(OTHER_DAMAGES.keys() - {MEASURED, OTHER_SCORER}))
    ]
    scorers = {"jemhopqa": "character_f1"}
    made.append(made_run(OTHER_SCORER, scorers=scorers, protocol_version=protocol_version))
    made.append(
        made_run(
            MEASURED,
            scorers=scorers,
            item_count=item_count,
            protocol_version=protocol_version,
            item_set="real",
            model_id=model_id,
        )
    )
    write_rows(folder / "shards", {k: [row for rows in made for row in rows[k]] for k in SCHEMAS})
    shard_count = len(list(shard_files(folder / "shards")))
    assert load(folder / "shards", store).shard_count == shard_count
    # Tests are run on the same rows when they are mended.
    said, exit_code, before = build(folder, "before.duckdb", "run")
    assert exit_code == 0, said[-8_000:]
    shutil.copy(store, folder / "undamaged.duckdb")
    with open_raw_store(store) as connection:
        bring_values(connection)
        for run, fault in RAW_FAULTS.items():
            table = fault.table.removeprefix("raw.")
            damage(connection, fault, fault.table, rows=rows_of(table, run), made_up=f"{run}-")
        for run, (statement, _, _) in OTHER_DAMAGES.items():
            connection.execute(statement.format(run=run))
    said, exit_code, damaged = build(folder, "damaged.duckdb")
    shutil.copy(store, folder / "damaged_store.duckdb")
    shutil.copy(folder / "undamaged.duckdb", store)
    told, mended_code, mended = build(folder, "mended.duckdb")
    assert mended_code == 0, told[-8_000:]
    return Builds(folder, before, damaged, said, exit_code, mended)


def rows(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def content(connection: duckdb.DuckDBPyConnection, place: str, table: str) -> str:
    """SQL for the rows of a mart, but for the last digits: sums are of terms in any order."""
    described = connection.execute(f"describe {place}.marts.{table}").fetchall()
    columns = (f"round({name}, 11) as {name}" if kind == "DOUBLE" else name
               for name, kind, *_ in described)  # fmt: skip
    return f"select {', '.join(columns)} from {place}.marts.{table}"


def differences(one: Path, other: Path, table: str) -> int:
    """How many rows of a mart, in either warehouse, the other does not have."""
    with duckdb.connect() as connection:
        for name, path in (("one", one), ("other", other)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        here, there = (content(connection, name, table) for name in ("one", "other"))
        (count,) = connection.execute(
            f"select count(*) from (({here} except all {there}) union all"
            f" ({there} except all {here}))"
        ).fetchone()
    return count


def test_the_build_goes_on_and_says_so(builds: Builds) -> None:
    assert builds.exit_code == 1
    assert re.search(r"WARN=0 ERROR=1 SKIP=0", builds.said), builds.said[-8_000:]
    assert "assert_nothing_is_set_aside: " in builds.said


def test_nothing_is_set_aside_where_nothing_is_wrong(builds: Builds) -> None:
    for path in (builds.before, builds.mended):
        assert rows(path, "from marts.fct_set_aside") == []


@pytest.mark.parametrize(("run", "fault"), RAW_FAULTS.items(), ids=str)
def test_a_fault_is_named_with_the_run_that_has_it(builds: Builds, run: str, fault: Fault) -> None:
    # What names nobody, or another run, is no longer the run's.
    named = rows(
        builds.damaged,
        f"select table_name, rule from marts.fct_set_aside where run_id = '{run}'"
        f" or coalesce(run_id, '{run}-nobody') = '{run}-nobody'"
        f" and contains(concat(row_key, found), '{run}-')",
    )
    table = fault.table.removeprefix("raw.")
    assert (table, fault.columns.split()) in [(name, columns_of(rule)) for name, rule in named]


@pytest.mark.parametrize("run", OTHER_DAMAGES)
def test_other_damage_is_named_with_the_run_that_has_it(builds: Builds, run: str) -> None:
    _, table, rule = OTHER_DAMAGES[run]
    named = rows(
        builds.damaged, f"select table_name, rule from marts.fct_set_aside where run_id = '{run}'"
    )
    assert (table, rule) in named


def test_only_damaged_runs_are_named(builds: Builds) -> None:
    named = {run for (run,) in rows(builds.damaged, "select run_id from marts.fct_set_aside")}
    made_up = {"made-two-runs-2", *(run for run in named if run and run.endswith("-nobody"))}
    assert named - made_up - {None} <= RAW_FAULTS.keys() | OTHER_DAMAGES.keys()


@pytest.mark.parametrize("table", PUBLISHED)
def test_what_is_published_is_as_if_the_damaged_runs_had_never_been(
    builds: Builds, built_warehouse: Path, table: str
) -> None:
    assert differences(builds.damaged, built_warehouse, table) == 0


def test_a_run_that_is_not_damaged_enters_what_is_published(
    builds: Builds, built_warehouse: Path
) -> None:
    for path in (builds.before, builds.mended):
        assert differences(path, built_warehouse, "fct_panel_scores") > 0
        assert differences(path, built_warehouse, "fct_benchmark_correlations") > 0


@pytest.mark.parametrize("table", OF_SAMPLES)
def test_all_that_is_not_set_aside_has_the_scores_that_it_had(builds: Builds, table: str) -> None:
    is_set_aside = (
        "exists (from damaged.marts.fct_set_aside as named where named.run_id = rows.run_id"
        " and coalesce(named.benchmark_id = rows.benchmark_id, true)"
        " and coalesce(named.protocol_version = rows.protocol_version, true))"
    )
    # A measurement, say, that came to name another request is missed by its own.
    lost_a_row = (
        "exists (from damaged.marts.fct_set_aside as named"
        " where contains(concat(named.row_key, named.found), rows.run_id || '-nobody'))"
    )
    with duckdb.connect() as connection:
        for name, path in (("before", builds.before), ("damaged", builds.damaged)):
            connection.execute(f"attach '{path}' as {name} (read_only)")
        before, after = (content(connection, name, table) for name in ("before", "damaged"))
        counts = connection.execute(
            f"""
            with before as ({before}), after as ({after}),
                expected as (
                    select * from before as rows where not {is_set_aside} and not {lost_a_row}
                )
            select
                (select count(*) from after as rows where {is_set_aside}),
                (select count(*) from (from expected except all from after)),
                (select count(*) from expected where run_id = '{GOOD}'),
                (select count(distinct run_id) from expected)"""
        ).fetchone()
    set_aside, lost, of_good, runs = counts
    assert (set_aside, lost) == (0, 0)
    assert of_good > 0
    # Most damage is of one benchmark of its run.
    assert runs > len(RAW_FAULTS) / 2


@pytest.mark.parametrize("table", [*PUBLISHED, *OF_SAMPLES])
def test_what_is_mended_comes_back(builds: Builds, table: str) -> None:
    assert differences(builds.before, builds.mended, table) == 0


def test_tables_of_earlier_builds_forget_what_is_set_aside(builds: Builds) -> None:
    held = "select count(*) from intermediate.{} where run_id = '{}'"
    for table in ("int_answer_scores", "int_item_scores", "int_piece_scores"):
        query = held.format(table, MEASURED)
        found = [rows(path, query)[0][0] for path in (builds.before, builds.damaged, builds.mended)]
        assert found[0] > 0
        assert found == [found[0], 0, found[0]]


def test_a_sample_has_one_row_of_texts_whatever_else_is_in_the_raw_store(builds: Builds) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{builds.damaged}' as warehouse (read_only)")
        store = builds.folder / "damaged_store.duckdb"
        connection.execute(f"attach '{store}' as generations (read_only)")
        key = "run_id, protocol_version, item_hash, sample_index"
        samples = connection.execute(
            f"select {key} from warehouse.marts.fct_item_scores order by all"
        ).fetchall()
        assert samples
        assert (
            samples
            == connection.execute(
                f"select {key} from warehouse.marts.fct_sample_texts order by all"
            ).fetchall()
        )
