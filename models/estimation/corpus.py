"""Corpus metrics: scores of a whole set of items, with intervals by resampling the items.

A corpus metric is no mean over items, so that its error is estimated by the bootstrap: items are
drawn with replacement and the metric computed of each such set (Efron 1979, Annals of Statistics
7:1-26; for BLEU: Koehn 2004, EMNLP, "Statistical significance tests for machine translation
evaluation").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLE_COUNT = 1000
SEED = 1234
"""Of every resampling, so that two builds agree; the seed of the reference."""


class CorpusScore(NamedTuple):
    """A score of a set of items, 0 to 1; null ends where there are fewer than two items."""

    score: float
    standard_error: float | None
    ci_low: float | None
    """2.5% point of the resampled scores."""
    ci_high: float | None
    """97.5% point."""


def corpus_bleu(counts: NDArray[np.int64]) -> CorpusScore:
    """BLEU of the items in `counts`, as sacreBLEU computes it with its defaults.

    A row per item: n-grams of length 1 to 4 that match, n-grams of length 1 to 4, tokens of the
    completion, tokens of the reference.
    """
    score = float(bleu_of_sums(counts.sum(axis=0, keepdims=True).astype(np.float64))[0])
    item_count = len(counts)
    if item_count < 2:
        return CorpusScore(score, None, None, None)
    generator = np.random.default_rng(SEED)
    draws = generator.integers(0, item_count, size=(RESAMPLE_COUNT, item_count))
    # How often each item is drawn says as much as the order of the draws, and sums are one product.
    rows = np.arange(RESAMPLE_COUNT)[:, None] * item_count
    weights = np.bincount((draws + rows).ravel(), minlength=RESAMPLE_COUNT * item_count)
    weights = weights.reshape(RESAMPLE_COUNT, item_count)
    # In floating point, which is exact up to 2 ** 53 and multiplies matrices many times faster.
    sums = weights.astype(np.float64) @ counts.astype(np.float64)
    return _with_interval(score, bleu_of_sums(sums))


def bleu_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU of many sets of items at once, a row of summed counts each.

    The formula of sacreBLEU's compute_bleu with exponential smoothing (Papineni et al. 2002, ACL;
    Chen and Cherry 2014, WMT, method 3), which takes one set at a time and would be called a
    thousand times for every run. It multiplies percentages, so that a perfect set comes out above
    100 by rounding; here no share is above 1, no logarithm above 0, and so no score above 1.
    """
    matches, ngrams = sums[:, 0:4], sums[:, 4:8]
    length, reference_length = sums[:, 8], sums[:, 9]
    # The first length without a match counts as half a match, the next as a quarter, and so on.
    halvings = np.cumsum(matches == 0, axis=1)
    matches = np.where(matches == 0, 0.5**halvings, matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_precision = np.log(matches / ngrams).mean(axis=1)
        log_brevity = np.minimum(0, 1 - reference_length / length)
        bleu = np.exp(log_precision + log_brevity)
    is_defined = (sums[:, 4:8] > 0).all(axis=1) & (sums[:, 0:4] > 0).any(axis=1)
    return np.where(is_defined, bleu, 0.0)


def median_of_resampled_means(scores: NDArray[np.float64]) -> CorpusScore:
    """The middle of the means of resampled items, which rouge-score 0.1.2 gives for the mean.

    The draws are those of its BootstrapAggregator after `numpy.random.seed(1234)`, the seed of
    lm-evaluation-harness-jp.
    """
    item_count = len(scores)
    if item_count < 2:
        return CorpusScore(float(scores.mean()), None, None, None)
    # The legacy generator, because the reference draws from it.
    generator = np.random.RandomState(SEED)
    means = np.array(
        [
            scores[generator.choice(np.arange(item_count), size=item_count)].mean()
            for _ in range(RESAMPLE_COUNT)
        ]
    )
    return _with_interval(float(np.percentile(means, 50)), means)


def _with_interval(score: float, resampled: NDArray[np.float64]) -> CorpusScore:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return CorpusScore(score, float(resampled.std(ddof=1)), float(low), float(high))
