"""Scores stay in their range, and what is perfect is 1: for whatever texts and numbers there are.

The SQL is what dbt compiles, over tables that are made up here; the Python is what dbt models call.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.measuring.translations import translation_statistics
from models.estimation.corpus import corpus_bleu, median_of_resampled_means
from tests.warehouse.rules import PIECES, rendered
from warehouse.functions import Plugin

if TYPE_CHECKING:
    from pathlib import Path

settings.register_profile(
    "ranges",
    max_examples=25,
    deadline=None,
    # One connection serves all examples; each fills its own rows.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
RANGES = settings.get_profile("ranges")

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=8).map("".join)
proportions = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.1, 0.3, 0.8, 1 / 3])
words = st.lists(st.sampled_from(["a", "cat", "sat", "on", "it", ".", "猫", "が", "é"]), max_size=9)
sentences = words.map(" ".join)

ANSWER_SCORERS = (
    "nfkc_exact_match",
    "character_f1",
    "any_alias",
    "squad2_exact",
    "squad2_exact_with_unanswerable",
    "last_number",
    "gsm8k_strict",
    "the_answer_is",
)

TABLES = """
    attach ':memory:' as warehouse;
    create schema warehouse.intermediate;
    create schema warehouse.staging;
    create schema warehouse.marts;
    create table warehouse.intermediate.int_run_pieces (
        run_benchmark_id varchar, piece_id varchar, content_key varchar, run_id varchar,
        model_id varchar, item_set varchar, protocol varchar, benchmark_id varchar,
        protocol_version varchar, scorer_id varchar, scorer_version integer, scorer_kind varchar,
        aggregation varchar
    );
    create table warehouse.intermediate.int_samples (
        run_id varchar, benchmark_id varchar, protocol_version varchar, scorer_id varchar,
        item_hash varchar, sample_index integer, request_id varchar, target varchar,
        golds varchar[], target_token_ids integer[], completion_text varchar,
        completion_token_ids integer[]
    );
    create table warehouse.staging.stg_translation_statistics (
        request_id varchar, item_hash varchar, measure_id varchar, measure_version integer,
        match_counts integer[], ngram_counts integer[], candidate_length integer,
        reference_length integer
    );
    create table warehouse.staging.stg_run_requests (
        run_id varchar, benchmark_id varchar, protocol_version varchar, scorer varchar,
        item_hash varchar, sample_index integer, variant_index integer, purpose varchar,
        request_id varchar
    );
    create table warehouse.staging.stg_log_likelihoods (
        request_id varchar, continuation_index integer, log_likelihood double
    );
    create table warehouse.staging.stg_items (
        item_hash varchar, choices varchar[], gold_index integer
    );
    create table warehouse.staging.stg_answers (request_id varchar, answered_at timestamptz);
"""


class Scoring:
    """The project's SQL of scores over tables of its own."""

    def __init__(self, compiled: Path) -> None:
        self.compiled = compiled
        self.connection = duckdb.connect()
        Plugin(name="functions", plugin_config={}).configure_connection(self.connection)
        self.connection.execute(TABLES)

    def fill(self, table: str, rows: list[dict]) -> None:
        """Exactly these rows; columns that they do not name are null."""
        self.connection.execute(f"delete from warehouse.{table}")
        if rows:
            self.connection.register("rows", pa.Table.from_pylist(rows))
            self.connection.execute(f"insert into warehouse.{table} by name from rows")
            self.connection.unregister("rows")

    def pieces(self, kind: str, scorers: tuple[str, ...]) -> None:
        self.fill(
            "intermediate.int_run_pieces",
            [
                {"piece_id": scorer, "run_id": "r", "benchmark_id": "b", "protocol_version": "1",
                 "scorer_id": scorer, "scorer_version": 1, "scorer_kind": kind}
                for scorer in scorers
            ],
        )  # fmt: skip

    def scores(self, model: str, columns: str = "score") -> list[tuple]:
        sql = (self.compiled / f"{model}.sql").read_text(encoding="utf-8")
        query = f"select {columns} from ({sql}) order by scorer_id, item_hash::integer"
        return self.connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def scoring(built_warehouse: Path) -> Scoring:
    target = built_warehouse.parent / "target" / "compiled" / "evalwh"
    return Scoring(target / "models" / "intermediate" / "scores")


def answer_rows(scorer: str, samples: list[tuple[str, str, list[str]]]) -> list[dict]:
    return [
        {"run_id": "r", "benchmark_id": "b", "protocol_version": "1", "scorer_id": scorer,
         "item_hash": str(i), "sample_index": 0, "completion_text": completion, "target": target,
         "golds": golds}
        for i, (completion, target, golds) in enumerate(samples)
    ]  # fmt: skip


def answer_scores(scoring: Scoring, rows: list[dict]) -> list[float]:
    scoring.fill("intermediate.int_samples", rows)
    return [score for (score,) in scoring.scores("int_answer_scores")]


@settings(RANGES, max_examples=15)
@given(st.lists(st.tuples(texts, texts, st.lists(texts, max_size=3)), min_size=10, max_size=60))
def test_answers_are_worth_0_to_1(scoring, samples):
    scoring.pieces("answer", ANSWER_SCORERS)
    rows = [row for scorer in ANSWER_SCORERS for row in answer_rows(scorer, samples)]
    found = answer_scores(scoring, rows)
    assert len(found) == len(rows)
    assert all(score is not None and 0 <= score <= 1 for score in found)


@RANGES
@given(texts, st.lists(texts, min_size=1, max_size=3), st.integers(-(10**12), 10**12))
def test_the_gold_is_a_perfect_answer(scoring, text, golds, number):
    paragraph = text.replace("\n", " ").strip()
    perfect = {
        "nfkc_exact_match": (paragraph + "\n\n### 入力", paragraph, [paragraph]),
        "character_f1": (paragraph + "\n\n### 入力", paragraph, [paragraph]),
        # What comes after the prompt begins with a space.
        "any_alias": (" " + golds[-1], golds[0], golds),
        "squad2_exact": (golds[-1], golds[-1], golds[-1:]),
        "squad2_exact_with_unanswerable": ("Unanswerable", "unanswerable", []),
        "last_number": (f"合わせて3個、答えは{number}。", "", [str(number)]),
        "gsm8k_strict": (f"3\n#### {number:,}", f"3\n#### {number}", []),
        "the_answer_is": (f"So the answer is {paragraph}x.", f"{paragraph}x", []),
    }
    scoring.pieces("answer", ANSWER_SCORERS)
    rows = [row for scorer in ANSWER_SCORERS for row in answer_rows(scorer, [perfect[scorer]])]
    assert answer_scores(scoring, rows) == [1.0] * len(perfect)


@RANGES
@given(st.lists(st.tuples(sentences, sentences), min_size=2, max_size=12))
def test_translations_are_worth_0_to_1_and_perfect_ones_1(scoring, pairs):
    pairs = [*pairs, *((reference, reference) for _, reference in pairs)]
    counts = [translation_statistics("bleu", *pair) for pair in pairs]
    scoring.pieces("translation", ("bleu",))
    rows = answer_rows("bleu", [(completion, reference, []) for completion, reference in pairs])
    scoring.fill(
        "intermediate.int_samples",
        [{**row, "request_id": row["item_hash"]} for row in rows],
    )
    scoring.fill(
        "staging.stg_translation_statistics",
        [
            {"request_id": str(i), "item_hash": str(i), "measure_id": "bleu", "measure_version": 1,
             "match_counts": one.match_counts, "ngram_counts": one.ngram_counts,
             "candidate_length": one.candidate_length, "reference_length": one.reference_length}
            for i, one in enumerate(counts)
        ],
    )  # fmt: skip
    found = [score for (score,) in scoring.scores("int_translation_scores")]
    assert all(0 <= score <= 1 for score in found)
    assert found == pytest.approx([one.sentence_bleu for one in counts], abs=1e-9)
    for (completion, reference), score in zip(pairs, found, strict=True):
        if completion == reference:
            assert score == float(bool(completion.split()))
    table = np.array(
        [
            [*one.match_counts, *one.ngram_counts, one.candidate_length, one.reference_length]
            for one in counts
        ],
        dtype=np.int64,
    )
    whole = corpus_bleu(table)
    assert all(0 <= value <= 1 for value in (whole.score, whole.ci_low, whole.ci_high))
    perfect = corpus_bleu(table[len(table) // 2 :])
    # BLEU needs n-grams of four tokens.
    if table[len(table) // 2 :, 7].all():
        assert perfect == (1.0, 0.0, 1.0, 1.0)
    else:
        assert perfect.score == float(table[len(table) // 2 :, 7].any())


def test_a_translation_without_counts_has_no_score(scoring):
    scoring.pieces("translation", ("bleu",))
    scoring.fill("intermediate.int_samples", answer_rows("bleu", [("a", "a", [])]))
    scoring.fill("staging.stg_translation_statistics", [])
    assert scoring.scores("int_translation_scores", "score, unscored_reason") == [
        (None, "not_measured")
    ]


token_ids = st.lists(st.integers(0, 3), max_size=8)


@RANGES
@given(st.lists(st.tuples(token_ids, token_ids), min_size=1, max_size=20))
def test_summaries_are_worth_0_to_1_and_the_gold_1(scoring, pairs):
    pairs = [*pairs, *((target, target) for _, target in pairs)]
    scoring.pieces("summary", ("rouge2_of_tokens",))
    rows = answer_rows("rouge2_of_tokens", [("text", "text", [])] * len(pairs))
    scoring.fill(
        "intermediate.int_samples",
        [
            {**row, "completion_token_ids": completion, "target_token_ids": target}
            for row, (completion, target) in zip(rows, pairs, strict=True)
        ],
    )
    found = [score for (score,) in scoring.scores("int_summary_scores")]
    assert all(0 <= score <= 1 for score in found)
    for (completion, target), score in zip(pairs, found, strict=True):
        if completion == target:
            assert score == float(len(target) >= 2)


log_likelihoods = st.floats(-1e300, 0) | st.sampled_from([-math.inf, -math.inf, 0.0, -1.0, -5e-324])


@RANGES
@given(
    st.lists(st.lists(log_likelihoods, min_size=2, max_size=5), min_size=1, max_size=20),
    st.integers(0, 1),
)
def test_the_first_of_the_most_likely_is_chosen_impossible_ones_included(scoring, items, gold):
    """Minus infinity is a value: numpy's argmax, which the references take, is the rule."""
    scoring.pieces("choice", ("most_likely_choice",))
    scoring.fill(
        "staging.stg_run_requests",
        [
            {"run_id": "r", "benchmark_id": "b", "protocol_version": "1",
             "scorer": "most_likely_choice", "item_hash": str(i), "sample_index": 0,
             "variant_index": 0, "purpose": "answer", "request_id": str(i)}
            for i in range(len(items))
        ],
    )  # fmt: skip
    scoring.fill(
        "staging.stg_log_likelihoods",
        [
            {"request_id": str(i), "continuation_index": index, "log_likelihood": value}
            for i, values in enumerate(items)
            for index, value in enumerate(values)
        ],
    )
    choices = [["b", "aa", "c", "dd", "e"][: len(values)] for values in items]
    scoring.fill(
        "staging.stg_items",
        [
            {"item_hash": str(i), "choices": names, "gold_index": gold}
            for i, names in enumerate(choices)
        ],
    )
    found = scoring.scores("int_choice_scores", "score, per_character_score, answer_text, is_tie")
    for values, names, row in zip(items, choices, found, strict=True):
        chosen = int(np.argmax(values))
        per_character = int(np.argmax(np.array(values) / [len(name) for name in names]))
        is_tie = values.count(max(values)) > 1
        assert row == (chosen == gold, per_character == gold, names[chosen], is_tie)


@RANGES
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.lists(proportions | st.none(), min_size=1, max_size=3)),
        min_size=1,
        max_size=20,
    )
    | st.tuples(st.integers(2, 20), proportions).map(lambda n: [(i, [n[1]]) for i in range(n[0])])
)
def test_means_and_their_intervals_stay_between_0_and_1(scoring, items):
    """Of item scores in clusters; where all are equal, nothing is left to be wrong by."""
    scoring.pieces("program", ("s",))
    scoring.fill("staging.stg_answers", [])
    scoring.connection.execute(
        """
        create or replace table warehouse.intermediate.int_item_scores (
            piece_id varchar, item_hash varchar, cluster_id varchar, score double,
            per_character_score double, is_tie boolean, is_empty boolean, is_truncated boolean,
            unscored_reason varchar, request_id varchar
        )"""
    )
    rows = [
        {"piece_id": "s", "item_hash": str(i), "cluster_id": str(cluster), "score": score}
        for i, (cluster, scores) in enumerate(items)
        for score in scores
    ]
    scoring.fill("intermediate.int_item_scores", rows)
    sql = (scoring.compiled / "int_piece_scores.sql").read_text(encoding="utf-8")
    count = rendered("effective_count('score', 'standard_error', 'cluster_count', 'item_count')")
    low, high = (rendered(f"wilson_bound('score', 'effective', '{side}')") for side in "-+")
    score, error, from_, to = scoring.connection.execute(
        f"""
        select score, standard_error, {low}, {high}
        from (select *, {count} as effective from ({sql}))"""
    ).fetchone()
    known = [[one for one in scores if one is not None] for _, scores in items]
    means = [sum(scores) / len(scores) for scores in known if scores]
    if not means:
        assert (score, error, from_, to) == (None, None, None, None)
        return
    assert 0 <= score <= 1
    assert score == pytest.approx(sum(means) / len(means), abs=1e-12)
    if error is None:
        assert from_ is None
        return
    assert 0 <= from_ <= score + 1e-12
    assert score - 1e-12 <= to <= 1
    if all(len(scores) == 1 for scores in known) and len(set(means)) == 1:
        assert error == 0
        assert from_ < to


@settings(RANGES, max_examples=20)
@given(st.lists(proportions, min_size=2, max_size=30))
def test_middles_of_resampled_means_stay_among_the_scores(scores):
    found = median_of_resampled_means(np.array(scores))
    assert 0 <= found.ci_low <= found.score <= found.ci_high <= 1
    if set(scores) == {1.0}:
        assert found == (1.0, 0.0, 1.0, 1.0)


@RANGES
@given(st.integers(1, 200), st.integers(0, 200), st.sampled_from([1, 2, 5, 10]))
def test_pass_rates_are_0_to_1(scoring, sample_count, passed_count, draws):
    passed = min(passed_count, sample_count)
    sql = rendered(f"pass_at({draws}, {sample_count}, {passed})")
    (rate,) = scoring.connection.execute(f"select {sql}").fetchone()
    assert rate is None if sample_count < draws else 0 <= rate <= 1
    if passed == sample_count >= draws:
        assert rate == 1
