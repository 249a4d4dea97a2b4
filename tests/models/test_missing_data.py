"""EM for missing cells: the answer is the maximum of the likelihood, and errors are clear."""

from __future__ import annotations

import numpy as np
import pytest

from models.estimation.errors import ConvergenceError, EstimationError, InsufficientDataError
from models.estimation.missing_data import (
    conditional_scores,
    estimate_moments,
    missing_cells,
    projection_variance,
)
from tests.models.textbook import textbook_em

CORRELATION = np.array(
    [[1.0, 0.8, 0.6, 0.1], [0.8, 1.0, 0.5, 0.0], [0.6, 0.5, 1.0, -0.3], [0.1, 0.0, -0.3, 1.0]]
)
MEAN = np.array([0.6, 0.4, 0.5, 0.2])
SCALE = np.array([0.1, 0.2, 0.15, 0.05])


def draw(row_count: int, missing_share: float, seed: int = 1) -> np.ndarray:
    generator = np.random.default_rng(seed)
    scores = generator.multivariate_normal(MEAN, CORRELATION * np.outer(SCALE, SCALE), row_count)
    hidden = generator.random(scores.shape) < missing_share
    hidden[hidden.all(axis=1)] = False
    return np.where(hidden, np.nan, scores)


def test_complete_scores_need_one_step_and_give_plain_moments():
    scores = draw(50, 0.0)
    moments = estimate_moments(scores)
    assert moments.iteration_count == 1
    np.testing.assert_allclose(moments.mean, scores.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(scores.T, ddof=0), rtol=1e-10)


def test_it_equals_the_textbook_algorithm():
    scores = draw(40, 0.25)
    moments = estimate_moments(scores)
    mean, covariance = textbook_em(scores, steps=3 * moments.iteration_count)
    np.testing.assert_allclose(moments.mean, mean, atol=1e-9)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-9)


def test_a_row_of_weight_zero_is_a_row_left_out():
    scores = draw(40, 0.25)
    weights = np.ones(40)
    weights[7] = 0.0
    weighted = estimate_moments(scores, weights=weights)
    without = estimate_moments(np.delete(scores, 7, axis=0))
    np.testing.assert_allclose(weighted.covariance, without.covariance, atol=1e-10)


def test_the_start_does_not_change_the_answer():
    scores = draw(40, 0.25)
    cold = estimate_moments(scores)
    warm = estimate_moments(scores, start=estimate_moments(draw(40, 0.25, seed=2)))
    np.testing.assert_allclose(warm.covariance, cold.covariance, atol=1e-9)
    assert estimate_moments(scores, start=cold).iteration_count < cold.iteration_count


def test_correlations_are_not_shrunk_as_mean_filling_shrinks_them():
    estimates, filled = [], []
    for seed in range(60):
        scores = draw(80, 0.3, seed)
        moments = estimate_moments(scores)
        deviation = moments.standard_deviation
        estimates.append(moments.covariance / np.outer(deviation, deviation))
        means = np.nanmean(scores, axis=0)
        filled.append(np.corrcoef(np.where(np.isnan(scores), means, scores).T))
    bias = np.abs(np.mean(estimates, axis=0) - CORRELATION).max()
    bias_of_mean_filling = np.abs(np.mean(filled, axis=0) - CORRELATION).max()
    # Three standard errors of a mean of 60 correlations of some 50 pairs of scores.
    assert bias < 3 * (1 / np.sqrt(50)) / np.sqrt(60)
    assert bias_of_mean_filling > 0.15


def test_a_filled_cell_is_the_regression_on_the_others():
    scores = draw(60, 0.0)
    moments = estimate_moments(scores)
    hidden = scores.copy()
    hidden[3, 1] = np.nan
    filled = conditional_scores(hidden, moments)
    others = [0, 2, 3]
    slope = np.linalg.solve(
        moments.covariance[np.ix_(others, others)], moments.covariance[others, 1]
    )
    expected = moments.mean[1] + slope @ (scores[3, others] - moments.mean[others])
    assert filled[3, 1] == pytest.approx(expected, abs=1e-12)
    assert np.array_equal(np.delete(filled.ravel(), 13), np.delete(scores.ravel(), 13))


def test_uncertainty_of_a_missing_cell_is_its_residual_variance():
    scores = draw(60, 0.0)
    moments = estimate_moments(scores)
    hidden = scores.copy()
    hidden[3, 1] = np.nan
    others = [0, 2, 3]
    block = moments.covariance[np.ix_(others, others)]
    slope = np.linalg.solve(block, moments.covariance[others, 1])
    residual = moments.covariance[1, 1] - slope @ moments.covariance[others, 1]
    direction = np.array([[0.0], [1.0], [0.0], [0.0]])
    errors = np.full(scores.shape, 0.01)
    errors[3, 0] = np.nan
    variance = projection_variance(moments, direction, missing_cells(hidden), errors)
    assert variance.missing[3, 0] == pytest.approx(residual / moments.covariance[1, 1], rel=1e-9)
    assert variance.missing[4, 0] == 0
    assert variance.item[4, 0] == pytest.approx(0.01**2 / moments.covariance[1, 1], rel=1e-9)
    # The cell is carried by the others' errors; the unknown one adds nothing.
    carried = (slope[1:] ** 2).sum() * 0.01**2 / moments.covariance[1, 1]
    assert variance.item[3, 0] == pytest.approx(carried, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:2], "2 rows of scores: at least 3"),
        (lambda s: np.where(np.arange(4) == 2, 0.5, s), "column 'c' has the same score 0.5"),
        (lambda s: np.where(np.arange(40)[:, None] == 5, np.nan, s), "row 5 has no score"),
        (
            lambda s: np.where((np.arange(4) == 1) & (np.arange(40)[:, None] > 1), np.nan, s),
            "column 'b' has 2 scores",
        ),
        (
            lambda s: np.where((np.arange(4) == 1) & (np.arange(40)[:, None] == 0), np.nan, s)[:4],
            "4 rows for 4 columns, with missing cells",
        ),
        (
            lambda s: np.where(
                ((np.arange(4) == 0) & (np.arange(40)[:, None] < 20))
                | ((np.arange(4) == 1) & (np.arange(40)[:, None] >= 20)),
                np.nan,
                s,
            ),
            "column 'a' and column 'b' have 0 rows in common",
        ),
    ],
)
def test_too_little_data_is_named(change, message):
    with pytest.raises(InsufficientDataError, match=message):
        estimate_moments(change(draw(40, 0.0)), labels=["a", "b", "c", "d"])


def test_a_column_that_others_determine_is_named():
    scores = draw(40, 0.0)
    scores[:, 3] = scores[:, 0] + scores[:, 1]
    scores[0, 3] = np.nan
    with pytest.raises(InsufficientDataError, match="linear combination of"):
        estimate_moments(scores, labels=["a", "b", "c", "d"])


@pytest.mark.parametrize("missing_share", [0.0, 0.25])
def test_an_infinite_score_is_named(missing_share):
    scores = draw(40, missing_share)
    scores[3, 2] = -np.inf
    with pytest.raises(EstimationError, match="row 3 has the score -inf in column 'c'"):
        estimate_moments(scores, labels=["a", "b", "c", "d"])


def test_giving_up_is_an_error():
    with pytest.raises(ConvergenceError, match="did not settle in 2 iterations"):
        estimate_moments(draw(40, 0.25), maximum_iterations=2)
