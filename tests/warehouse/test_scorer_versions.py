"""A rule that changes scores again what it touches, asks nobody, and says what it changed."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from inference.exchange.reading import AS_LOGGED
from inference.planning.declarations import benchmark_ids, protocols_of, read_benchmark
from tests.dbt_project import REPOSITORY, copy_project, dbt_environment, run_dbt
from tests.warehouse.rules import adversarial_texts, rendered
from warehouse.builds import building_path
from warehouse.functions import Plugin
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def changed(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse built again after the rule of `any_alias` has come to want capital letters."""
    directory = tmp_path_factory.mktemp("changed")
    project = copy_project(directory)
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
    macro = project / "warehouse" / "macros" / "rules" / "any_alias.sql"
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


RULES = {
    "nfkc_exact_match": "{first_paragraph('text')}",
    "character_f1": "token_sort_ratio({first_paragraph('text')}, 'the a 東京')",
    "any_alias": "{alias_form('text')}",
    "squad2_exact": "squad_form(text)",
    "squad2_exact_with_unanswerable": "squad_form(text)",
    "last_number": "{last_number('text')}",
    "gsm8k_strict": "concat_ws(' ', {number_after_hashes('text')}, {plain_number('text')})",
    "the_answer_is": "{after_the_answer_is('text')}",
}
"""What each scorer that looks at texts makes of one; calls of macros are in braces."""

BEHAVIOUR = {
    ("nfkc_exact_match", 1): "923543487b7628b5",
    ("character_f1", 1): "32debb4c7635b41a",
    ("any_alias", 1): "8f431a030ae12752",
    ("squad2_exact", 1): "907a1e90add9f5d9",
    ("squad2_exact_with_unanswerable", 1): "907a1e90add9f5d9",
    ("last_number", 1): "2f954e37a6c55a46",
    ("gsm8k_strict", 1): "a34021d2051daa3d",
    ("the_answer_is", 1): "82e820d1a7af551d",
}
"""What the rules make of two thousand texts, by scorer and version."""


def behaviour(scorer_id: str) -> str:
    sql = re.sub(r"\{(.*?)\}", lambda call: rendered(call[1]), RULES[scorer_id])
    with duckdb.connect() as connection:
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        texts = adversarial_texts(2000, seed=99)
        connection.register("texts", pa.table({"i": range(len(texts)), "text": texts}))
        found = connection.execute(f"select {sql} from texts order by i").fetchall()
    return hashlib.sha256(json.dumps(found, ensure_ascii=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("scorer_id", RULES)
def test_a_rule_that_changes_gets_another_version(scorer_id: str):
    with (REPOSITORY / "warehouse" / "seeds" / "scorers.csv").open(newline="") as file:
        versions = {row["scorer_id"]: int(row["scorer_version"]) for row in csv.DictReader(file)}
    key = (scorer_id, versions[scorer_id])
    assert behaviour(scorer_id) == BEHAVIOUR.get(key), (
        f"{scorer_id} scores otherwise than version {key[1]} did: give it the next version in"
        " warehouse/seeds/scorers.csv, so that what it scored is scored again, and add its"
        " behaviour here"
    )


def test_every_scorer_of_text_is_watched():
    with (REPOSITORY / "warehouse" / "seeds" / "scorers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["scorer_id"] for row in rows if row["scorer_kind"] == "answer"} == set(RULES)


def test_every_declared_scorer_is_registered():
    with (REPOSITORY / "warehouse" / "seeds" / "scorers.csv").open(newline="") as file:
        registered = {row["scorer_id"] for row in csv.DictReader(file)}
    declared = {
        read_benchmark(name, protocol).scorer
        for name in benchmark_ids()
        for protocol in protocols_of(name)
    }
    # What was logged elsewhere is no benchmark's scorer.
    assert declared | {AS_LOGGED} == registered


RULE = """
{% macro score_of_says_gold(answer, target, golds, gold_forms) -%}
    contains({{ answer }}, {{ target }})::double
{%- endmacro %}
"""


@pytest.mark.slow(seconds=20)
def test_adding_a_rule_is_adding_a_file(tmp_path: Path):
    """And one line in the register; without the line, its runs are set aside; with it, the error
    says what to add."""
    project = copy_project(tmp_path)
    with open_raw_store(tmp_path / "generations.duckdb") as connection:
        connection.execute(
            """
            insert into raw.run_sessions by name
            select
                'run' as run_id, 'session' as session_id, 'real' as item_set,
                'reference' as protocol, 'model' as model_id, 'r' as model_revision,
                't' as tokenizer_id, []::varchar[] as benchmark_ids, []::varchar[] as endpoints,
                'none' as engine, '{}'::json as configuration, now() as started_at;
            insert into raw.run_requests
            select 'run', 'b', '1', 'says_gold', 'i' || i, 0, 0, 'answer', 'q' || i, null
            from range(2) as r (i);
            insert into raw.prompts values ('p', 'What is it?');
            insert into raw.requests
            select 'q' || i, 'model', 'r', 't', 'generation', 'p', [], '{}', 0, null, 0
            from range(2) as r (i);
            insert into raw.answers
            select 'q' || i, 'session', 'e', null, null, null, null, null, now()
            from range(2) as r (i);
            insert into raw.items
            select 'i' || i, 'real', 'b', i, i, '', i, '{}', 'gold', ['gold'], [], null
            from range(2) as r (i);
            insert into raw.generations values
                ('q0', 'all that is gold', 'stop', null), ('q1', 'silver', 'stop', null)"""
        )

    def build() -> str:
        return run_dbt(
            *("build", "--select", "+int_answer_scores", "fct_set_aside"),
            *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            project_dir=project,
            env=dbt_environment(tmp_path),
        ).stdout

    said = build()
    assert "ERROR=0" in said, said
    named = "select run_id, benchmark_id, rule, found from marts.fct_set_aside"
    assert rows(building_path(tmp_path / "warehouse.duckdb"), named) == [
        ("run", "b", "scorer: it is in stg_scorers", "says_gold")
    ]
    register = project / "warehouse" / "seeds" / "scorers.csv"
    with register.open("a") as file:
        file.write("says_gold,1,answer,mean,1 if the completion has the gold in it\n")
    said = build()
    assert "The scorer says_gold is registered" in said
    assert "add warehouse/macros/rules/says_gold.sql" in said
    (project / "warehouse" / "macros" / "rules" / "says_gold.sql").write_text(RULE)
    said = build()
    assert "ERROR=0" in said, said
    assert rows(
        building_path(tmp_path / "warehouse.duckdb"),
        "select item_hash, answer_text, score from intermediate.int_answer_scores order by 1",
    ) == [("i0", "all that is gold", 1), ("i1", "silver", 0)]


def test_every_scorer_of_text_has_its_file_and_no_file_is_left_over():
    files = {path.stem for path in (REPOSITORY / "warehouse" / "macros" / "rules").iterdir()}
    assert files == set(RULES)
