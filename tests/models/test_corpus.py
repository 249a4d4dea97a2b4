"""Corpus metrics: equal to the libraries of the reference, with intervals that hold."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from rouge_score import scoring
from sacrebleu import corpus_bleu as reference_bleu
from sacrebleu.metrics.bleu import BLEU

from inference.measuring.translations import translation_statistics
from models.estimation.corpus import bleu_of_sums, corpus_bleu, median_of_resampled_means
from models.intermediate.scores.int_corpus_scores import scores_of

WORDS = ["the", "cat", "sat", "on", "mat", "dog", "ran", "far", "away", "home", ".", ","]


def sentences(generator: np.random.Generator, count: int) -> tuple[list[str], list[str]]:
    """Pairs of a reference and a completion that shares most of its words."""
    references, completions = [], []
    for _ in range(count):
        words = list(generator.choice(WORDS, size=generator.integers(1, 20)))
        references.append(" ".join(words))
        kept = [word for word in words if generator.random() < 0.8]
        completions.append(" ".join(kept))
    return completions, references


def counts_of(completions: list[str], references: list[str]) -> np.ndarray:
    rows = []
    for completion, reference in zip(completions, references, strict=True):
        found = translation_statistics("bleu", completion, reference)
        lengths = [found.candidate_length, found.reference_length]
        rows.append([*found.match_counts, *found.ngram_counts, *lengths])
    return np.array(rows, dtype=np.int64)


@pytest.mark.parametrize("count", [1, 2, 50, 400])
def test_bleu_of_summed_counts_is_the_references(count):
    completions, references = sentences(np.random.default_rng(count), count)
    expected = reference_bleu(completions, [references]).score / 100
    found = corpus_bleu(counts_of(completions, references))
    assert found.score == pytest.approx(expected, abs=1e-12)
    assert (found.standard_error is None) == (count < 2)


def test_bleu_of_many_sets_is_the_librarys_of_each():
    generator = np.random.default_rng(2)
    ngrams = np.sort(generator.integers(0, 30, size=(5000, 4)), axis=1)[:, ::-1]
    matches = (ngrams * generator.random((5000, 4)) ** 2).astype(np.int64)
    # A completion has as many single tokens as tokens.
    lengths = np.column_stack([ngrams[:, 0], generator.integers(1, 40, size=5000)])
    sums = np.column_stack([matches, ngrams, lengths])
    expected = [
        BLEU.compute_bleu(
            row[0:4].tolist(), row[4:8].tolist(), int(row[8]), int(row[9]), smooth_method="exp"
        ).score
        / 100
        for row in sums
    ]
    assert len({round(value, 6) for value in expected}) > 2000
    np.testing.assert_allclose(bleu_of_sums(sums.astype(np.float64)), expected, rtol=0, atol=1e-12)


def test_bleu_of_real_completions_is_the_references(built_warehouse):
    """Of the demonstration's recorded answers, Japanese cut by nagisa."""
    import nagisa

    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        store = built_warehouse.parent / "generations.duckdb"
        connection.execute(f"attach '{store}' as generations (read_only)")
        rows = connection.execute(
            """
            select
                scores.run_id, scores.benchmark_id, list(completion_text order by item_hash),
                list(target order by item_hash), any_value(scores.score)
            from generations.raw.run_requests as asked
            inner join generations.raw.generations using (request_id)
            inner join generations.raw.items as items using (item_hash)
            inner join marts.fct_run_scores as scores
                on asked.run_id = scores.run_id and asked.benchmark_id = scores.benchmark_id
            where scorer in ('bleu', 'bleu_nagisa')
            group by scores.run_id, scores.benchmark_id"""
        ).fetchall()
    assert len(rows) == 4
    for _, benchmark_id, completions, references, score in rows:
        if benchmark_id == "wmt20_en_ja":
            completions, references = (
                [" ".join(nagisa.tagging(text.strip()).words) for text in texts]
                for texts in (completions, references)
            )
        expected = reference_bleu(completions, [references]).score / 100
        assert score == pytest.approx(expected, abs=1e-9)


def test_the_middle_of_resampled_means_is_rouge_scores():
    scores = np.random.default_rng(5).beta(1, 4, size=300)
    # The reference's generator is numpy's global one.
    np.random.seed(1234)  # noqa: NPY002
    aggregator = scoring.BootstrapAggregator()
    for score in scores:
        aggregator.add_scores({"rouge2": scoring.Score(score, score, score)})
    interval = aggregator.aggregate()["rouge2"]
    found = median_of_resampled_means(scores)
    assert found.score == pytest.approx(interval.mid.fmeasure, abs=1e-12)
    assert found.ci_low == pytest.approx(interval.low.fmeasure, abs=1e-12)
    assert found.ci_high == pytest.approx(interval.high.fmeasure, abs=1e-12)


def test_bootstrap_intervals_of_bleu_hold_the_truth():
    """Samples of a large set of translations, whose BLEU is known."""
    generator = np.random.default_rng(11)
    # Drawn from with replacement, it is no less large for having few sentences.
    population = counts_of(*sentences(generator, 1000))
    truth = corpus_bleu(population).score
    trials = 150
    inside, errors, estimates = 0, [], []
    for _ in range(trials):
        found = corpus_bleu(population[generator.integers(0, len(population), 100)])
        inside += found.ci_low <= truth <= found.ci_high
        errors.append(found.standard_error)
        estimates.append(found.score)
    # 95% of 150 is 142.5, with a standard deviation of 2.7.
    assert 132 <= inside <= 150
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.2)


def test_without_samples_there_is_a_table_without_rows():
    import pandas as pd

    empty = pd.DataFrame({"piece_id": [], "score": []})
    assert scores_of(empty, "corpus_bleu").columns.tolist()[:2] == ["piece_id", "score"]
    assert len(scores_of(empty, "corpus_bleu")) == 0
