"""How many components: equal to other code and to cases by hand, and right on generated panels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.multivariate.factor import Factor

from models.estimation.component_counts import (
    average_partials,
    parallel_thresholds,
    principal_axes,
    sequential_thresholds,
)

# A strong factor on all ten columns and a weak one on which halves differ: eigenvalues 6.67, 1.17
# and eight of 0.27.
STRONG, WEAK = np.full(10, 0.8), np.where(np.arange(10) < 5, 0.3, -0.3)
TWO_FACTORS = np.outer(STRONG, STRONG) + np.outer(WEAK, WEAK)
np.fill_diagonal(TWO_FACTORS, 1.0)


def correlated(correlation: float, count: int) -> np.ndarray:
    return np.full((count, count), correlation) + (1 - correlation) * np.eye(count)


def count_above(eigenvalues: np.ndarray, thresholds: np.ndarray) -> int:
    return int((eigenvalues > thresholds).argmin())


@pytest.mark.parametrize("row_count", [60, 10], ids=["more rows", "fewer rows than columns"])
def test_thresholds_are_the_points_of_correlations_of_noise(row_count):
    generator = np.random.default_rng(1)
    eigenvalues = np.array(
        [
            np.linalg.eigvalsh(np.corrcoef(generator.standard_normal((row_count, 12)).T))[::-1]
            for _ in range(2_000)
        ]
    )
    np.testing.assert_allclose(
        parallel_thresholds(row_count, 12, draw_count=5_000),
        np.quantile(eigenvalues, 0.95, axis=0),
        atol=0.03,
    )


def test_thresholds_are_the_same_in_every_build_and_steady_over_draws():
    assert np.array_equal(parallel_thresholds(35, 19), parallel_thresholds(35, 19))
    steady = parallel_thresholds(35, 19, draw_count=10_000)
    np.testing.assert_allclose(parallel_thresholds(35, 19)[:5], steady[:5], rtol=0.01)


def test_noise_has_no_component_and_a_strong_factor_one():
    generator = np.random.default_rng(2)
    for factor, expected in ((0.0, 0), (0.8, 1)):
        common = factor * generator.standard_normal((80, 1))
        scores = common + np.sqrt(1 - factor**2) * generator.standard_normal((80, 8))
        correlation = np.corrcoef(scores.T)
        eigenvalues = np.linalg.eigvalsh(correlation)[::-1]
        assert count_above(eigenvalues, parallel_thresholds(80, 8)) == expected
        sequential = sequential_thresholds(correlation, 80)
        assert count_above(eigenvalues, sequential) == expected
        # It begins as Horn's, and ends at the first component that fails.
        assert sequential[0] == parallel_thresholds(80, 8)[0]
        assert np.isnan(sequential).tolist() == [False] * (expected + 1) + [True] * (7 - expected)


def test_the_sequential_form_sees_a_weak_factor_behind_a_strong_one():
    eigenvalues = np.linalg.eigvalsh(TWO_FACTORS)[::-1]
    assert count_above(eigenvalues, parallel_thresholds(150, 10)) == 1
    assert count_above(eigenvalues, sequential_thresholds(TWO_FACTORS, 150)) == 2


def test_sequential_thresholds_are_the_points_of_panels_with_the_factors_before():
    generator = np.random.default_rng(3)
    loadings = principal_axes(TWO_FACTORS, 1)
    unique = np.sqrt(1 - (loadings**2).sum(axis=1))
    second = []
    for _ in range(2_000):
        scores = generator.standard_normal((150, 1)) @ loadings.T
        scores += generator.standard_normal((150, 10)) * unique
        second.append(np.linalg.eigvalsh(np.corrcoef(scores.T))[-2])
    found = sequential_thresholds(TWO_FACTORS, 150, draw_count=5_000)
    assert found[1] == pytest.approx(np.quantile(second, 0.95), rel=0.02)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_principal_axes_equal_statsmodels(count):
    scores = np.random.default_rng(4).standard_normal((200, 3)) @ np.random.default_rng(
        5
    ).standard_normal((3, 9))
    scores += 1.5 * np.random.default_rng(6).standard_normal(scores.shape)
    correlation = np.corrcoef(scores.T)
    witness = Factor(corr=correlation, n_factor=count, method="pa").fit(maxiter=500, tol=1e-12)
    ours = principal_axes(correlation, count)
    np.testing.assert_allclose(np.abs(ours), np.abs(witness.loadings), atol=1e-3)


def test_a_column_without_a_part_of_its_own_keeps_a_communality_of_one():
    correlation = np.array([[1, 0.95, 0.95], [0.95, 1, 0.6], [0.95, 0.6, 1]])
    communalities = (principal_axes(correlation, 1) ** 2).sum(axis=1)
    assert communalities.max() == pytest.approx(1, abs=1e-12)
    assert np.isfinite(sequential_thresholds(correlation, 30)[0])


@pytest.mark.parametrize("correlation", [0.2, 0.6])
def test_average_partials_by_hand(correlation):
    """Equal correlations r of three columns: r squared; without the first component, -1/2 each."""
    found = average_partials(correlated(correlation, 3))
    np.testing.assert_allclose(found[:2], [correlation**2, 0.25], rtol=1e-10)
    assert np.isnan(found[2])


def test_the_smallest_average_partial_counts_factors():
    """Two blocks of four columns, 0.7 within and 0 between: two, as Velicer counts."""
    blocks = np.kron(np.eye(2), correlated(0.7, 4))
    assert np.nanargmin(average_partials(blocks)) == 2
    # Four columns of a block, by hand: 12 of 56 pairs at 0.7; then -1/3 in all 24 within.
    np.testing.assert_allclose(
        average_partials(blocks)[[0, 2]], [24 / 56 * 0.49, 24 / 56 / 9], rtol=1e-10
    )


def test_columns_without_variance_end_the_average_partials():
    duplicated = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = average_partials(duplicated)
    assert found[0] == pytest.approx(1 / 3)
    assert np.isnan(found[1:]).all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1_000))
def test_order_and_direction_of_columns_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    scores = generator.standard_normal((50, 3)) @ generator.standard_normal((3, 7))
    correlation = np.corrcoef((scores + generator.standard_normal(scores.shape)).T)
    order, signs = generator.permutation(7), generator.choice([-1.0, 1.0], 7)
    mixed = (correlation * np.outer(signs, signs))[np.ix_(order, order)]
    np.testing.assert_allclose(average_partials(mixed), average_partials(correlation), atol=1e-9)
    ours, other = principal_axes(correlation, 2), principal_axes(mixed, 2)
    np.testing.assert_allclose(
        other @ other.T, (ours @ ours.T * np.outer(signs, signs))[np.ix_(order, order)], atol=1e-8
    )


def test_a_single_column_has_nothing_to_compare():
    assert parallel_thresholds(20, 1) == pytest.approx([1])
    assert sequential_thresholds(np.eye(1), 20) == pytest.approx([1])
    assert np.isnan(average_partials(np.eye(1))).all()
