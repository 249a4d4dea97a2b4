"""Faults: what may be wrong with the rows of a table, done to a built warehouse and taken back."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from warehouse.record_docs import table_rules
from warehouse.records import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

DAMAGED_VALUES = {
    "missing": "null",
    "above 1": "1.7",
    "below 0": "-0.5",
    "above 0": "0.5",
    "too small": "-1",
    "too large": "9",
    "absurd": "3000000000",
    "beyond any text": "20000000",
    "below any sum": "-1e10",
    "fewer than answered": "0",
    "not of its length": "[1000, 1000, 1000, 1000]",
    "no number": "'nan'",
    "infinite": "'inf'",
    "unknown word": "'made up'",
    "unknown key": "'nobody'",
    "no JSON": "(select value from no_json)",
    "no object": "'[]'",
    "null element": "[null]",
    "negative element": "[1, 0, 0, -1]",
    "too few": "[0, 0, 0]",
    "more than there are": "[1000, 0, 0, 0]",
    "of another kind": "if(scorer = 'most_likely_choice', 'last_number', 'most_likely_choice')",
    "one of several": "continuations[:1]",
    "at no time": "'infinity'",
    "none": "[]",
    "more than planned": "request_count + 1000",
    "another of its kind": "'most_likely_context'",
    "of another set": "if(item_set = 'imported', 'demo', 'imported')",
    "of another model": "(select max(session_id) from other_sessions where model_id not in"
    " (select model_id from other_sessions where session_id = damaged.session_id))",
    "other kind": "if(kind = 'generation', ['made up'], [])",
}
"""By the fault: what stands in the column instead, as SQL. `twice` repeats the row."""

SAID_TWICE = {
    ("raw.run_sessions", "model_id"): "'made up' as session_id, 'made up' as model_id",
    ("raw.run_requests", "request_id"): "'made up' as request_id",
    ("raw.run_requests", "scorer"): "'made up' as item_hash, 'made up' as scorer",
    ("raw.logged_scores", "is_main"): "'made up' as metric",
}
"""By table and column: what stands in a row that is repeated, of which one is to be: the fault
`said twice`."""

DAMAGED_ROWS = {
    "raw.items": "gold_index is not null",
    "raw.items golds": "benchmark_id in ('triviaqa', 'answers')",
    # Of a run of one session: others would say what it was.
    "raw.run_sessions": "item_set = 'imported' or starts_with(run_id, 'made')",
    "raw.logged_scores": "is_main",
    "raw.requests": "len(continuations) > 1",
    "raw.run_requests": "scorer = 'most_likely_choice'",
    "raw.run_session_ends": "answered_count > 0",
}
"""By table, or table and column: of which rows the first is damaged, where not of all."""

MADE_UP_VALUES = {
    "BIGINT": "1",
    "BOOLEAN": "true",
    "DATE": "'2026-01-01'",
    "DOUBLE": "0.5",
    "INTEGER": "1",
    "JSON": "'{}'",
    "TIMESTAMP WITH TIME ZONE": "'2026-01-01'",
    "VARCHAR": "'made up'",
}
"""By the type: what a column holds in the row that a table without rows is given first."""

BEHIND_A_VIEW = {"marts.fct_item_scores": "intermediate.int_item_scores"}
"""Where the rows of a view are."""

SENTENCES = {
    "assert_abilities_have_the_variance_of_their_component": (
        "an ability is doubled",
        "update marts.fct_model_abilities set ability = 2 * ability"
        " where panel_id = 'paper_35' and component_index = 1 and model_id = '{model}'",
        "'paper_35', 1,",
    ),
    "assert_ability_errors_are_the_spread_of_replicates": (
        "a standard error of an ability is doubled",
        "update marts.fct_anchored_abilities set"
        " estimation_standard_error = 2 * estimation_standard_error"
        " where panel_id = 'all' and component_index = 2 and model_id = '{model}'",
        "'all', 'anchored', 2, '{model}'",
    ),
    "assert_ancestry_has_no_cycle": (
        "a model stands twice on the way to its root",
        "update intermediate.int_model_ancestry set is_cycle = true"
        " where model_id = '{model}' and generation = 0",
        "'{model}'",
    ),
    "assert_base_models_have_a_training_stage": (
        "the only training stage of a model is deleted",
        "delete from seeds.training_stages where model_id = 'Qwen/Qwen2-7B'",
        "'Qwen/Qwen2-7B'",
    ),
    "assert_complete_panel_has_no_missing_cell": (
        "a panel that is to be complete misses a cell",
        "update marts.dim_panels set missing_cell_count = 1 where panel_id = 'complete'",
        "'complete', 1",
    ),
    "assert_complete_publications_have_every_benchmark": (
        "a published score is deleted",
        "delete from seeds.published_scores where model_id = '{model}' and benchmark_id = 'mmlu'"
        " and source_id = 'swallow_evaluation_2024_12'",
        "'swallow_evaluation_2024_12', '{model}', 'mmlu'",
    ),
    "assert_correlations_are_symmetric": (
        "a correlation is not that of the pair the other way round",
        "update marts.fct_benchmark_correlations set pearson = pearson / 2 where"
        " panel_id = 'all' and benchmark_id_1 = 'gsm8k' and benchmark_id_2 = 'mmlu'",
        "'all', 'gsm8k', 'mmlu'",
    ),
    "assert_correlations_equal_the_builtin_aggregate": (
        "a correlation is off by a millionth",
        "update marts.fct_benchmark_correlations set pearson = pearson - 1e-6 where"
        " panel_id = 'all' and benchmark_id_1 = 'gsm8k' and benchmark_id_2 = 'mmlu'",
        "'all', 'gsm8k', 'mmlu'",
    ),
    "assert_eigenvectors_are_orthonormal": (
        "an element of an eigenvector is doubled",
        "update marts.fct_component_loadings set eigenvector = 2 * eigenvector"
        " where panel_id = 'all' and component_index = 1 and benchmark_id = 'mmlu'",
        "'all', 1, 1,",
    ),
    "assert_every_model_has_a_budget_row_per_language": (
        "a model has no row of a language",
        "delete from marts.fct_token_budgets where model_id = '{model}' and language = 'ja'",
        "'{model}', 4",
    ),
    "assert_every_panel_model_has_every_ability": (
        "a model of a panel has no ability",
        "delete from marts.fct_model_abilities"
        " where panel_id = 'paper_35' and component_index = 1 and model_id = '{model}'",
        "'paper_35', '{model}', 18, 19",
    ),
    "assert_every_sample_has_one_score_row": (
        "a sample has no row among the scores",
        "delete from intermediate.int_item_scores where request_id = '{request}'",
        "'{item}'",
    ),
    "assert_explained_variance_sums_to_one": (
        "a component explains more than it does",
        "update marts.fct_component_variances set explained_variance_ratio = 0.9"
        " where panel_id = 'all' and component_index = 2",
        "'all'",
    ),
    "assert_finished_runs_have_all_items": (
        "a run that came to its end has fewer items than the benchmark",
        "update generations.raw.run_sessions set item_set = 'real', configuration = '{{}}'"
        " where run_id = '{run}'; delete from generations.raw.run_files where run_id = '{run}'",
        "'{run}'",
    ),
    "assert_intervals_enclose_their_estimate": (
        "an interval lies above its estimate",
        "update marts.fct_benchmark_scores set ci_low = score + 0.01, ci_high = score + 0.02"
        " where model_id = '{model}' and benchmark_id = 'mmlu'",
        "'fct_benchmark_scores', '{model} mmlu'",
    ),
    "assert_loadings_reproduce_correlations": (
        "a loading is halved",
        "update marts.fct_component_loadings set loading = loading / 2"
        " where panel_id = 'paper_35' and component_index = 1 and benchmark_id = 'mmlu'",
        "'paper_35', ",
    ),
    "assert_models_are_consistent": (
        "a model has a date of release whose certainty is unknown",
        "update seeds.models set release_certainty = 'unknown' where model_id = 'Qwen/Qwen2-7B'",
        "'Qwen/Qwen2-7B', ",
    ),
    "assert_no_published_score_is_lost": (
        "a published score is deleted where a publication has gaps",
        "delete from seeds.published_scores where source_id = 'swallow_evaluation_2024_06'"
        " and model_id = 'rinna/nekomata-7b' and benchmark_id = 'niilc'",
        "'rinna/nekomata-7b', 17, 16",
    ),
    "assert_no_run_score_is_suspicious": (
        "a run of 100 items scores zero",
        "update marts.fct_run_scores set item_set = 'real', item_count = 100, score = 0"
        " where run_id = '{run}' and benchmark_id = 'mmlu'",
        "'{run}', 'mmlu', 'the score is zero'",
    ),
    "assert_no_verdict_hangs_on_one_unit": (
        "a verdict is another one without a lineage",
        "update marts.fct_claim_influences set is_decisive = true"
        " where panel_id = 'all' and claim_id = 'twins_code' and left_out_id = 'Llama 2'",
        "'twins_code', 'all', 'lineage', 'Llama 2'",
    ),
    "assert_nothing_is_set_aside": (
        "a measured result is set aside",
        "insert into marts.fct_set_aside values"
        " ('{run}', 'mmlu', '1', 'answers', 'made up: a rule', 1, 'request_id={request}', null)",
        "'{run}', 'mmlu', '1', 'answers'",
    ),
    "assert_one_panel_is_the_reference": (
        "two panels are the reference",
        "update marts.dim_panels set is_reference = true where panel_id = 'complete'",
        "[2]",
    ),
    "assert_one_preferred_score_per_cell": (
        "no score of a model on a benchmark is preferred",
        "update marts.fct_benchmark_scores set is_preferred = false"
        " where model_id = '{model}' and benchmark_id = 'mmlu'",
        "'{model}', 'mmlu', 0",
    ),
    "assert_panels_do_not_mix_metrics": (
        "a panel holds a score of another metric",
        "update marts.fct_benchmark_scores set metric = 'made up'"
        " where model_id = '{model}' and benchmark_id = 'mmlu'",
        "'paper_35', 'mmlu', ",
    ),
    "assert_publications_have_all_their_scores": (
        "a publication lost a score",
        "delete from seeds.published_scores where source_id = 'swallow_evaluation_2024_06'"
        " and model_id = 'rinna/nekomata-7b' and benchmark_id = 'niilc'",
        "'swallow_evaluation_2024_06', ",
    ),
    "assert_registers_have_all_their_rows": (
        "a panel is deleted",
        "delete from seeds.panels where panel_id = 'complete'",
        "'panels', 4, 3",
    ),
    "assert_scaling_slopes_equal_the_builtin_regression": (
        "a slope is off by a millionth",
        "update marts.fct_scaling_fits set slope = slope + 1e-6 where panel_id = 'all'"
        " and target = 'mmlu' and budget_language = 'en' and method = 'ols'",
        "'all', 'benchmark', 'mmlu', 'en', 'ols'",
    ),
    "assert_study_panel_is_complete": (
        "the study's panel lost a score",
        "delete from marts.fct_panel_scores"
        " where panel_id = 'paper_35' and model_id = '{model}' and benchmark_id = 'mmlu'",
        "'{model}', 'mmlu'",
    ),
    "assert_suspect_scores_stay_where_they_are_faithful": (
        "a panel that passes over suspect scores holds one",
        "update marts.fct_panel_scores set is_suspect = true"
        " where panel_id = 'all' and model_id = '{model}' and benchmark_id = 'mmlu'",
        "'all', '{model}', 'mmlu'",
    ),
    "assert_token_bounds_enclose_their_count": (
        "a lower bound lies above its count",
        "update marts.fct_token_budgets set token_count_low = token_count + 1"
        " where model_id = '{model}' and language = 'ja'",
        "'{model}', 'ja'",
    ),
    "assert_token_budgets_equal_the_sums_by_hand": (
        "a count is not the sum by hand",
        "update marts.fct_token_budgets set token_count = 2 * token_count"
        " where model_id = '{model}' and language = 'ja'",
        "'{model}', 'ja'",
    ),
    "assert_total_budget_is_the_sum_of_languages": (
        "a total is not the sum of its languages",
        "update marts.fct_token_budgets set token_count = token_count + 1"
        " where model_id = 'llm-jp/llm-jp-13b-v2.0' and language = 'total'",
        "'llm-jp/llm-jp-13b-v2.0'",
    ),
    "assert_training_stages_are_consistent": (
        "a reported stage has no count",
        "update seeds.training_stages set token_count = null"
        " where model_id = '{model}' and language = 'ja'",
        "'{model}', 1, 'ja'",
    ),
}
"""By a test whose name is a sentence: what breaks it, how that is done, what its row begins with
or holds. `{model}` and so on are rows that every build has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the rows of a table."""

    table: str
    """With its schema; `raw` is the raw store's."""
    columns: str
    """The column that is damaged; for `twice` those that are unique together."""
    fault: str
    test_before: str
    """The test or constraint that caught it when every rule was a test of its own."""


@dataclass(frozen=True, slots=True)
class Catch:
    """A row of a test that a fault makes fail."""

    test: str
    rule: str
    row_key: str
    found: str | None


def faults() -> list[Fault]:
    """The faults of single rows, as listed in faults.csv."""
    with (HERE / "faults.csv").open(newline="", encoding="utf-8") as file:
        return [Fault(**row) for row in csv.DictReader(file)]


def columns_of(rule: str) -> list[str]:
    """The columns that a rule is about, from its words."""
    return re.split(": | is ", rule, maxsplit=1)[0].split(", ")


def bring_values(connection: duckdb.DuckDBPyConnection, raw: str = "raw") -> None:
    """Tables that `DAMAGED_VALUES` takes values from; `raw` is the raw store's schema.

    One value of type JSON that is none: DuckDB takes Arrow's word for it. And all sessions.
    """
    text = pa.array(["{not JSON"])
    column = pa.ExtensionArray.from_storage(pa.json_(pa.utf8()), text)
    connection.register("no_json_of_arrow", pa.table({"value": column}))
    connection.execute("create temp table no_json as select value from no_json_of_arrow")
    connection.execute(f"create temp table other_sessions as from {raw}.run_sessions")


def damage(
    connection: duckdb.DuckDBPyConnection,
    fault: Fault,
    table: str,
    *,
    rows: str = "true",
    made_up: str = "",
) -> set[str]:
    """Do it to the first of the `rows` of a table; what the columns of that row are now.

    `rows` is a condition in SQL; what is made up begins with `made_up`.
    """
    of_table = DAMAGED_ROWS.get(fault.table, "true")
    condition = DAMAGED_ROWS.get(f"{fault.table} {fault.columns}", of_table)
    found = connection.execute(
        f"select min(rowid) from {table} where ({rows}) and ({condition})"
    ).fetchone()
    assert found is not None
    assert found[0] is not None, f"no row of {table}"
    connection.execute(
        f"create or replace temp table damaged as select * from {table} where rowid = {found[0]}"
    )
    if fault.fault == "said twice":
        otherwise = SAID_TWICE[fault.table, fault.columns].replace("'made up'", f"'{made_up}2'")
        connection.execute(f"insert into {table} select * replace ({otherwise}) from damaged")
    elif fault.fault == "twice":
        connection.execute(f"insert into {table} from damaged")
    else:
        value = DAMAGED_VALUES[fault.fault].replace("'nobody'", f"'{made_up}nobody'")
        connection.execute(f"update damaged set {fault.columns} = {value}")
        connection.execute(f"delete from {table} where rowid = {found[0]}")
        connection.execute(f"insert into {table} from damaged")
    cursor = connection.execute("select columns(*)::varchar from damaged")
    names = [column[0] for column in cursor.description]
    (values,) = cursor.fetchall()
    return {
        f"{name}={'null' if value is None else value}"
        for name, value in zip(names, values, strict=True)
    }


class DamagedWarehouse:
    """A copy of a built warehouse and its raw store, in which one fault at a time is tried."""

    def __init__(self, folder: Path, manifest: Path) -> None:
        """Open `warehouse.duckdb` and `generations.duckdb` in `folder`, which are written."""
        self.connection = duckdb.connect(folder / "warehouse.duckdb")
        self.connection.execute(f"attach '{folder / 'generations.duckdb'}' as generations")
        bring_values(self.connection, "generations.raw")
        nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
        self._tests = [node for node in nodes.values() if node["resource_type"] == "test"]
        # What is wrong with the raw store fails no test of a table, but is set aside.
        self._set_aside = nodes["model.evalwh.int_broken_records"]

    def caught(self, fault: Fault) -> Catch | None:
        """What reports `fault` with its rule, the key of the damaged row and what was found."""
        with self._taken_back():
            try:
                damaged = self._damage(fault)
            except duckdb.ConstraintException as error:
                constraint, _, column = str(error).partition(": ")[2].partition(": ")
                return Catch("the table itself", constraint, "", column)
            is_raw = fault.table.startswith("raw.")
            for test in [self._set_aside] if is_raw else self._tests_of(fault.table):
                name = "fct_set_aside" if is_raw else test["name"]
                for row in self._rows(test):
                    rule = str(row["rule"])
                    is_of_columns = columns_of(rule) == fault.columns.split()
                    if is_of_columns and set(row["row_key"].split(", ")) <= damaged:
                        return Catch(name, rule, row["row_key"], row["found"])
        return None

    def rows_of(self, test_name: str, statement: str) -> list[dict[str, Any]]:
        """The rows of the test `test_name` after `statement`."""
        (test,) = (test for test in self._tests if test["name"] == test_name)
        with self._taken_back():
            self.connection.execute(statement)
            return list(self._rows(test))

    def rules(self) -> set[tuple[str, str]]:
        """Tables with each rule that a test of many rules, or what sets aside, asks of them."""
        of_tests = {
            (f"{schema}.{name}", rule)
            for test in self._tests
            for rule, schema, name in re.findall(
                r"'([^']+)' as rule,.*?\n +from \"\w+\"\.\"(\w+)\"\.\"(\w+)\"",
                test["compiled_code"],
                re.DOTALL,
            )
        }
        between_rows = {
            (f"raw.{table}", rule)
            for table, rule in re.findall(
                r"'(\w+)' as table_name,\s+'([^']+)' as rule", self._set_aside["compiled_code"]
            )
        }
        of_rows = {
            (f"raw.{table.name}", f"{rule.column}: {rule.sentence}")
            for table in TABLES.values()
            if table.is_staged
            for rule in table_rules(table)
        }
        return of_tests | between_rows | of_rows

    def sentences(self) -> set[str]:
        """Tests of one rule each, which is their name."""
        return {test["name"] for test in self._tests if " as rule" not in test["compiled_code"]}

    def close(self) -> None:
        """Close the files; every fault was taken back."""
        self.connection.close()

    def _taken_back(self) -> _TakenBack:
        return _TakenBack(self.connection)

    def _tests_of(self, table: str) -> list[dict[str, Any]]:
        schema, _, name = table.partition(".")
        node = f"{'seed' if schema == 'seeds' else 'model'}.evalwh.{name}"
        return [
            test
            for test in self._tests
            if node in test["depends_on"]["nodes"] and " as rule" in test["compiled_code"]
        ]

    def _rows(self, test: dict[str, Any]) -> Iterator[dict[str, Any]]:
        cursor = self.connection.execute(test["compiled_code"])
        names = [column[0] for column in cursor.description]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))

    def _damage(self, fault: Fault) -> set[str]:
        """Do it to the first row of the table; what the columns of that row are now."""
        table = BEHIND_A_VIEW.get(fault.table, fault.table)
        if table.startswith("raw."):
            table = f"generations.{table}"
        if self.connection.execute(f"select count(*) from {table}").fetchone() == (0,):
            self._make_up_a_row(table)
        return damage(self.connection, fault, table)

    def _make_up_a_row(self, table: str) -> None:
        described = self.connection.execute(f"describe {table}").fetchall()
        values = [MADE_UP_VALUES.get(kind, "[]") for _, kind, *_ in described]
        self.connection.execute(f"insert into {table} values ({', '.join(values)})")


class _TakenBack:
    """A transaction that is rolled back."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.begin()

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
