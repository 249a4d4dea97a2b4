"""What was asked under two versions of a protocol is scored and counted apart, end to end.

The same store has what else a build must survive: perfect translations, and choices that a model
takes for impossible.
"""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from inference.measuring.translations import translation_statistics
from inference.planning.declarations import read_benchmark
from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from tests.performance import scoring
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=30)

RUN = "model_0-00000000"

BEFORE = "0"
"""A version that nothing declares any more."""


def registered(column: str = "protocol_version") -> dict[str, str]:
    with (REPOSITORY / "warehouse" / "seeds" / "benchmarks.csv").open(newline="") as file:
        return {row["benchmark_id"]: row[column] for row in csv.DictReader(file)}


def test_the_register_has_the_versions_and_scorers_that_are_declared():
    declared = {name: read_benchmark(name) for name in registered()}
    assert registered() == {name: one.protocol_version for name, one in declared.items()}
    assert registered("scorer_id") == {name: one.scorer for name, one in declared.items()}


ASKED_BEFORE = """
    create temp table before as
    select
        asked.* replace ('{before}' as protocol_version,
            -- Prompts of every other item are the same in both versions: one answer serves both.
            if(items.item_index % 2 = 0, request_id, request_id || '-before') as request_id)
    from raw.run_requests as asked
    inner join raw.items as items using (item_hash)
    where asked.benchmark_id in ('openbookqa', 'mgsm_ja', 'wmt20_ja_en');
    insert into raw.requests by name
    select requests.* replace (request_id || '-before' as request_id) from raw.requests
    where request_id || '-before' in (select request_id from before);
    insert into raw.answers by name
    select answers.* replace (request_id || '-before' as request_id) from raw.answers
    where request_id || '-before' in (select request_id from before);
    insert into raw.log_likelihoods by name
    select weighed.* replace (before.request_id as request_id,
        -- The right choice is sure.
        if(continuation_index = gold_index, 0, log_likelihood - 1) as log_likelihood)
    from raw.log_likelihoods as weighed
    inner join before on weighed.request_id || '-before' = before.request_id
    inner join raw.items as items using (item_hash);
    insert into raw.generations by name
    select generations.* replace (before.request_id as request_id,
        '答えは' || golds[1] || '。' as completion_text)
    from raw.generations as generations
    inner join before on generations.request_id || '-before' = before.request_id
    inner join raw.items as items using (item_hash);
    insert into raw.run_requests by name from before;
"""

UNFINISHED = """
    delete from raw.run_requests
    where benchmark_id = 'mgsm_ja' and protocol_version != '{before}'
        and item_hash not in (
            select item_hash from raw.items where benchmark_id = 'mgsm_ja' and item_index < 50
        );
"""
"""Of MGSM, the version that is declared has been asked for fifty items only."""

IMPOSSIBLE = """
    update raw.log_likelihoods set log_likelihood = '-inf'
    where request_id in (select request_id from raw.run_requests
        inner join raw.items as items using (item_hash)
        where items.benchmark_id = 'openbookqa' and item_index % 50 = 0)
    and (request_id in (select request_id from raw.run_requests
        inner join raw.items as items using (item_hash) where item_index % 100 = 0)
        or continuation_index != 2);
"""
"""Of one in fifty items one choice is possible, of every second of these none is."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build, without a warning, of a model that was asked under two versions."""
    folder = tmp_path_factory.mktemp("versions")
    wanted = ("openbookqa", "mgsm_ja", "wmt20_ja_en", "jemhopqa")
    store = folder / "generations.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "BENCHMARKS", {name: scoring.BENCHMARKS[name] for name in wanted})
        scoring.fill(store, range(1), 1.0)
    perfect = translation_statistics("bleu", "A cat sat on the mat.", "A cat sat on the mat.")
    # What stopped a build: by the library's formula, rounding makes it better than perfect.
    assert perfect.sentence_bleu > 1
    with open_raw_store(store) as connection:
        for benchmark_id, version in registered().items():
            connection.execute(
                "update raw.run_requests set protocol_version = ? where benchmark_id = ?",
                [version, benchmark_id],
            )
        for statements in (ASKED_BEFORE, UNFINISHED, IMPOSSIBLE):
            connection.execute(statements.format(before=BEFORE))
        connection.execute("delete from raw.translation_statistics")
        row = {name: [getattr(perfect, name)] for name in perfect.__slots__}
        connection.register("perfect", pa.table(row))
        connection.execute(
            """
            insert into raw.translation_statistics by name
            select distinct request_id, item_hash, 'bleu' as measure_id, 1 as measure_version,
                perfect.*, now() as measured_at
            from raw.run_requests, perfect
            where benchmark_id = 'wmt20_ja_en'"""
        )
    # Unit tests say nothing of a store.
    build = run_dbt("build", "--exclude-resource-type", "unit_test", env=dbt_environment(folder))
    assert build.returncode == 0, build.stdout[-6000:]
    assert "WARN=0" in build.stdout
    return folder


def rows(folder: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(f"attach '{folder / 'generations.duckdb'}' as generations (read_only)")
        return connection.execute(query).fetchall()


def test_every_version_has_its_row_and_its_own_completeness(folder):
    found = rows(
        folder,
        "select benchmark_id, protocol_version, item_count, is_complete from marts.fct_run_scores"
        " order by all",
    )
    now = registered()
    assert found == sorted(
        [
            ("jemhopqa", now["jemhopqa"], 120, True),
            ("mgsm_ja", BEFORE, 250, True),
            ("mgsm_ja", now["mgsm_ja"], 50, False),
            ("openbookqa", BEFORE, 500, True),
            ("openbookqa", now["openbookqa"], 500, True),
            ("wmt20_ja_en", BEFORE, 993, True),
            ("wmt20_ja_en", now["wmt20_ja_en"], 993, True),
        ]
    )


@pytest.mark.parametrize("benchmark_id", ["openbookqa", "mgsm_ja"])
def test_a_versions_score_is_the_mean_of_its_own_answers(folder, benchmark_id):
    found = rows(
        folder,
        f"""
        select scores.protocol_version, scores.score, items.mean
        from marts.fct_run_scores as scores
        inner join (
            select run_id, benchmark_id, protocol_version, avg(score) as mean
            from marts.fct_item_scores group by all
        ) as items using (run_id, benchmark_id, protocol_version)
        where benchmark_id = '{benchmark_id}'""",
    )
    by_version = {version: score for version, score, _ in found}
    assert all(score == pytest.approx(mean, abs=1e-12) for _, score, mean in found)
    # Half of the items were asked otherwise before, and then answered well.
    assert by_version[BEFORE] > by_version[registered()[benchmark_id]] + 0.2
    requests = rows(
        folder,
        f"""
        select count(*), count(distinct request_id) from marts.fct_item_scores
        where benchmark_id = '{benchmark_id}' and protocol_version = '{BEFORE}'
            and request_id like '%-before'""",
    )
    items = {"openbookqa": 500, "mgsm_ja": 250}[benchmark_id]
    assert requests == [(items // 2, items // 2)]


def test_texts_are_those_that_were_asked_under_the_version(folder):
    found = rows(
        folder,
        """
        select protocol_version, count(*), count(distinct item_hash),
            count(*) filter (where len(choice_log_likelihoods) = 4)
        from marts.fct_sample_texts where benchmark_id = 'openbookqa' group by all order by all""",
    )
    now = registered()["openbookqa"]
    assert found == sorted([(BEFORE, 500, 500, 500), (now, 500, 500, 500)])


def test_only_the_declared_version_enters_benchmark_scores(folder):
    found = rows(
        folder,
        """
        select measured.benchmark_id, measured.score = runs.score
        from marts.fct_benchmark_scores as measured
        inner join marts.dim_benchmarks as benchmarks using (benchmark_id)
        inner join marts.fct_run_scores as runs
            on measured.source_ref = runs.run_id and measured.benchmark_id = runs.benchmark_id
            and benchmarks.protocol_version = runs.protocol_version
        where measured.score_source = 'measured' order by all""",
    )
    # Of MGSM the version before is whole, but not what is declared.
    assert found == [("jemhopqa", True), ("openbookqa", True), ("wmt20_ja_en", True)]


def test_perfect_translations_are_worth_1_and_no_more(folder):
    found = rows(
        folder,
        """
        select distinct runs.score, runs.standard_error, runs.ci_low, runs.ci_high, items.score
        from marts.fct_run_scores as runs
        inner join marts.fct_item_scores as items using (run_id, benchmark_id, protocol_version)
        where benchmark_id = 'wmt20_ja_en'""",
    )
    assert found == [(1.0, 0.0, 1.0, 1.0, 1.0)]


def test_an_impossible_choice_is_weighed_and_the_first_of_impossible_ones_chosen(folder):
    found = rows(
        folder,
        f"""
        select texts.choice_log_likelihoods, texts.choices, scores.answer_text, scores.is_tie,
            scores.score, texts.gold_choice
        from marts.fct_sample_texts as texts
        inner join marts.fct_item_scores as scores
            using (run_id, protocol_version, item_hash, sample_index)
        where list_contains(texts.choice_log_likelihoods, '-inf'::double)
            and protocol_version != '{BEFORE}'""",
    )
    assert len(found) == 10
    assert sum(max(values) == -math.inf for values, *_ in found) == 5
    for values, choices, answer, is_tie, score, gold in found:
        assert answer == choices[int(np.argmax(values))]
        assert is_tie == (max(values) == -math.inf)
        assert score == float(answer == gold)


def test_what_is_scored_is_not_scored_again(folder):
    """A second build holds what the first made: by version, nothing is taken for new."""
    held = rows(
        folder,
        """
        select count(*), count(distinct piece_id), count(distinct run_benchmark_id)
        from intermediate.int_run_pieces inner join intermediate.int_piece_scores
            using (piece_id, content_key, run_benchmark_id)""",
    )
    assert held == [(7, 7, 7)]
